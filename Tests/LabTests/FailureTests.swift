import Foundation
import Testing

/// What breaks around the proxy, and what must not break with it.
@Suite struct `When something fails, the mesh` {
    @Test func `recovers after the network was cut`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let near = try lab.address("mesh/near")
        let seconds = Int(ProcessInfo.processInfo.environment["AMBIT_CUT_SECONDS"] ?? "") ?? 30
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.5).bad == 0)
        try lab.lab(["cut", "node-2"])
        // The whole time, connections on one node go on; those across fail and do not hang.
        let during = try lab.load("mesh/client", near, 7001, seconds: Double(seconds))
        #expect(during.bad == 0 && during.good > seconds, "\(during.errors)")
        try lab.lab(["mend", "node-2"])
        try lab.eventually("connections across work again", within: 30) {
            try lab.load("mesh/client", far, 7001, seconds: 0.5).bad == 0
        }
    }

    @Test func `sheds and recovers when descriptors run out`() throws {
        let lab = try SharedLab.make()
        let near = try lab.address("mesh/near")
        let process = try lab.proxyProcess("node-1")
        let before = try lab.load("mesh/client", near, 7001, seconds: 0.3)
        #expect(before.bad == 0)
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        let limit = open + 60
        let limits = ["--pid", "\(process)", "--nofile=\(limit):\(limit)"]
        #expect(try Command("/usr/bin/prlimit", limits).run(10).status == 0)
        let flood = try lab.start(
            "mesh/client",
            """
            import socket
            held = []
            for _ in range(300):
                try:
                    held.append(socket.create_connection(("\(near)", 7001), timeout=2))
                except OSError:
                    pass
            print("up", flush=True)
            input()
            """,
            []
        )
        try lab.eventually("the flood is on", within: 60) { flood.outputSoFar.contains("up") }
        try lab.eventually("the log says so") {
            try lab.logs("node-1").contains { $0.contains("out of descriptors") }
        }
        _ = try flood.finish(30)
        try lab.eventually("it serves again", within: 20) {
            try lab.load("mesh/client", near, 7001, seconds: 0.3).bad == 0
        }
        #expect(try lab.proxyProcess("node-1") == process, "the same process serves on")
    }

    @Test func `never takes a new pod on an old address for the old one`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0)
        let live = try lab.start("mesh/client", Programs.live, [far, "7001"])
        try lab.eventually("connected") { live.outputSoFar.contains("up") }
        try lab.lab(["delete", "Pod", "far", "-n", "mesh"])
        try lab.eventually("the old connection ended") { !live.isRunning }
        let heir = SharedLab.pod(
            "mesh",
            "heir",
            "node-2",
            account: "heir",
            runs: Programs.server
        )
        try lab.apply(
            heir.replacingOccurrences(
                of: "spec:\n",
                with: "status: {podIPs: [{ip: \(far)}]}\nspec:\n"
            )
        )
        #expect(try lab.address("mesh/heir") == far)
        try lab.eventually("the heir serves under its own name", within: 20) {
            try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0
        }
        try lab.eventually("the log has the heir's identity") {
            try !lab.access("node-1", "dst.identity=\"spiffe://cluster.local/ns/mesh/sa/heir\"")
                .isEmpty
        }
    }

    @Test func `refuses a state it cannot read and keeps the last good one`() throws {
        let lab = try SharedLab.lab()
        let file = try lab.write("bad.yaml", "kind: AuthorizationPolicy\nspec: [\n")
        let bad = try lab.ambit(["lab", "apply", file.path, "--name", lab.name])
        #expect(bad.status != 0)
        #expect(bad.error.contains("bad.yaml"), "\(bad.error)")
        let far = try lab.address("mesh/far")
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0)
    }
}

extension TestLab {
    /// The process of a node's proxy, by its number on the host.
    func proxyProcess(_ node: String) throws -> Int {
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let number = Int(entry),
                let line = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(entry)/cmdline"))
            else { continue }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            guard words.first?.hasSuffix("ambit-node") == true,
                words.contains(node) || words.contains("--node-name=\(node)"),
                try isOurs(number)
            else { continue }
            return number
        }
        throw Failure("no process of \(node)")
    }

    /// Whether a process belongs to this lab: its supervisor is an ancestor.
    private func isOurs(_ process: Int) throws -> Bool {
        var current = process
        while current > 1 {
            let line = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(current)/cmdline"))
            if String(decoding: line, as: UTF8.self).contains(name) { return true }
            let status = try String(contentsOfFile: "/proc/\(current)/status", encoding: .utf8)
            let parent = status.split(separator: "\n").first { $0.hasPrefix("PPid:") }
            current = Int(parent?.split(separator: "\t").last ?? "0") ?? 0
        }
        return false
    }
}
