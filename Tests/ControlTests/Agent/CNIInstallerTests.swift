import Agent
import Foundation
import Testing

/// A host's two folders, and a plugin to install.
private final class Host {
    let folder: URL
    let installer: CNIInstaller

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "ambit-host-\(UInt32.random(in: 0 ... .max))")
        for name in ["bin", "net.d"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name),
                withIntermediateDirectories: true
            )
        }
        installer = CNIInstaller(
            CNIInstaller.Paths(
                plugin: folder.appending(path: "plugin").path,
                binFolder: folder.appending(path: "bin").path,
                configurationFolder: folder.appending(path: "net.d").path,
                socket: "",
                enrolment: ""
            )
        )
        try write("plugin", "first version")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func write(_ name: String, _ text: String) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    func read(_ name: String) -> String? {
        try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    func names(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: name).path
        ).sorted()
    }
}

@Suite struct `The CNI installer` {
    private let bridge = #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]}"#

    @Test func `puts the plugin and its configuration in place, and rests then`() throws {
        let host = try Host()
        try host.write("net.d/10-bridge.conflist", bridge)
        try host.write("net.d/20-other.conflist", bridge)
        let first = host.installer.install()
        #expect(first.problems.isEmpty)
        #expect(first.configuration == "10-bridge.conflist")
        #expect(host.read("bin/ambit-cni") == "first version")
        #expect(host.read("net.d/10-bridge.conflist")?.contains("ambit-cni") == true)
        #expect(host.read("net.d/20-other.conflist") == bridge)
        #expect(try host.names("bin") == ["ambit-cni"])
        #expect(host.installer.install().changed.isEmpty)
        let mode = try FileManager.default.attributesOfItem(
            atPath: host.folder.appending(path: "bin/ambit-cni").path
        )[.posixPermissions]
        #expect(mode as? Int == 0o755)
    }

    @Test func `puts in what another CNI wrote over, and a new version of the plugin`() throws {
        let host = try Host()
        try host.write("net.d/10-bridge.conflist", bridge)
        _ = host.installer.install()
        try host.write("net.d/10-bridge.conflist", bridge)
        try host.write("plugin", "second version")
        let again = host.installer.install()
        #expect(again.changed.count == 2)
        #expect(host.read("bin/ambit-cni") == "second version")
        #expect(host.read("net.d/10-bridge.conflist")?.contains("ambit-cni") == true)
    }

    @Test func `follows to a configuration that sorts before`() throws {
        let host = try Host()
        try host.write("net.d/10-bridge.conflist", bridge)
        _ = host.installer.install()
        try host.write("net.d/05-cilium.conflist", bridge)
        #expect(host.installer.install().configuration == "05-cilium.conflist")
        #expect(host.read("net.d/05-cilium.conflist")?.contains("ambit-cni") == true)
        _ = host.installer.remove()
        #expect(host.read("net.d/05-cilium.conflist")?.contains("ambit-cni") == false)
        #expect(host.read("net.d/10-bridge.conflist")?.contains("ambit-cni") == false)
    }

    @Test func `makes a list of a single plugin, and brings it back`() throws {
        let host = try Host()
        let single = #"{"cniVersion":"0.3.1","name":"n","type":"bridge","bridge":"cni0"}"#
        try host.write("net.d/10-bridge.conf", single)
        #expect(host.installer.install().configuration == "10-bridge.conf")
        #expect(
            try host.names("net.d") == ["10-bridge.conf.ambit-saved", "10-bridge.conflist"]
        )
        #expect(host.installer.install().changed.isEmpty)
        // The other CNI writes its file anew: the list is made of that.
        try host.write("net.d/10-bridge.conf", single.replacing("cni0", with: "cni1"))
        _ = host.installer.install()
        #expect(host.read("net.d/10-bridge.conflist")?.contains("cni1") == true)
        #expect(host.installer.remove().problems.isEmpty)
        #expect(try host.names("net.d") == ["10-bridge.conf"])
        #expect(host.read("net.d/10-bridge.conf")?.contains("cni1") == true)
        #expect(try host.names("bin") == [])
    }

    @Test func `passes over what is no configuration, and says so`() throws {
        let host = try Host()
        try host.write("net.d/00-broken.conflist", "{")
        try host.write("net.d/10-bridge.conflist", bridge)
        let report = host.installer.install()
        #expect(report.configuration == "10-bridge.conflist")
        #expect(report.problems.map(\.path).first?.hasSuffix("00-broken.conflist") == true)
        #expect(host.read("net.d/00-broken.conflist") == "{")
    }

    @Test func `never names a plugin that is not there`() throws {
        let host = try Host()
        try host.write("net.d/10-bridge.conflist", bridge)
        try FileManager.default.removeItem(at: host.folder.appending(path: "plugin"))
        let report = host.installer.install()
        #expect(report.problems.count == 1)
        #expect(host.read("net.d/10-bridge.conflist") == bridge)
    }

    @Test func `says that there is no configuration yet`() throws {
        let host = try Host()
        #expect(host.installer.install().problems.count == 1)
        try FileManager.default.removeItem(at: host.folder.appending(path: "net.d"))
        #expect(host.installer.install().problems.count == 1)
    }
}
