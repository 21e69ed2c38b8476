import Foundation
import Testing

/// Certificates revoked under real traffic.
@Suite struct `A revoked certificate` {
    private struct Certificate: Decodable {
        let node: String
        let identity: String
        let serial: String
        let state: String
        let revocationLists: [List]
        struct List: Decodable { let revoked: Int }
    }

    private static func certificates(_ lab: TestLab) throws -> [Certificate] {
        let shown = try lab.ambit(["certs", "--lab", lab.name, "-o", "json"])
        return try JSONDecoder().decode([Certificate].self, from: Data(shown.output.utf8))
    }

    private static func serial(_ lab: TestLab, _ account: String) throws -> String {
        let found = try certificates(lab).first { $0.identity.hasSuffix("/sa/\(account)") }
        return try #require(found?.serial)
    }

    private func open(_ lab: TestLab, _ host: String, from pod: String) throws -> Running {
        let live = try lab.start(pod, Programs.live, [host, "7001"])
        try lab.eventually("connected to \(host)") { live.outputSoFar.contains("up") }
        return live
    }

    private func metric(_ lab: TestLab, _ node: String, _ name: String) throws -> [String] {
        try lab.lab(["metrics", node]).split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(name) }
    }

    /// Revokes the client's certificate under open connections; returns the seconds to the reset.
    private func revoke(_ lab: TestLab, within seconds: Double) throws {
        let far = try lab.address("mesh/far")
        let hit = try open(lab, far, from: "mesh/client")
        let spared = try open(lab, far, from: "mesh/near")
        let plain = try open(lab, far, from: "plain/client")
        let before = try Self.serial(lab, "client")
        try lab.lab(["revoke", before])
        let began = Date()
        try lab.eventually("the open connection was reset") { hit.outputSoFar.contains("rst") }
        let took = Date().timeIntervalSince(began)
        #expect(took < seconds, "reset after \(took) s")
        // Whichever side hears of it first ends the tunnel; the other one sees it go.
        try lab.eventually("the log says why") {
            try !lab.access("node-2", "certificate \(before) was revoked", "inbound").isEmpty
                || !lab.access("node-1", "certificate \(before) was revoked", "outbound").isEmpty
        }
        try lab.eventually("served again under a fresh certificate") {
            try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0
        }
        let after = try Self.serial(lab, "client")
        #expect(after != before)
        for live in [spared, plain] {
            #expect(live.isRunning && !live.outputSoFar.contains("rst"), "others are undisturbed")
            live.stop()
        }
        #expect(try Self.certificates(lab).allSatisfy { $0.revocationLists.map(\.revoked) == [1] })
        let nodes = ["node-1", "node-2"]
        let counted = try nodes.flatMap { try metric(lab, $0, "ambit_tunnels_revoked_total{") }
        #expect(counted.contains { !$0.hasSuffix(" 0") }, "\(counted)")
        for node in nodes {
            #expect(try !metric(lab, node, "ambit_revocation_list_number").isEmpty)
        }
    }

    @Test func `takes its live connections with it within a second, and no others`() throws {
        try revoke(SharedLab.make(["--file-state"]), within: 1)
    }

    @Test func `is heard of through the controller`() throws {
        let lab = try SharedLab.make()
        // The controller looks at its folder each second.
        try revoke(lab, within: 2.5)
        let log = try lab.lab(["logs", "controller"])
        #expect(log.contains("revocation lists in force"), "\(log)")
    }

    @Test func `that is not heard of for its list's garbage leaves the last one in force`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "ambit-lists-\(UInt64.random(in: 0 ... .max))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "lists.pem")
        func put(_ text: String) throws {
            try Data(text.utf8).write(to: file, options: .atomic)
        }
        try put("")
        let lab = try SharedLab.make(["--node-flag", "crl-path=\(file.path)"])
        let far = try lab.address("mesh/far")
        let live = try open(lab, far, from: "mesh/client")
        try put("garbage")
        try lab.eventually("refused") {
            try lab.logs("node-2").contains { $0.contains("revocation lists refused") }
        }
        // Without any good list before it nobody is let in, and nobody is thrown out.
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        try put("")
        try lab.eventually("let in again") {
            try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0
        }
        live.stop()
    }
}
