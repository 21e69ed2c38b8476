import Foundation
import Testing

/// Pods that join the mesh and leave it while they talk, and many that come and go.
@Suite(.serialized) struct `Enrolment under traffic` {
    private struct Pods: Decodable {
        struct Pod: Decodable {
            let namespace: String
            let name: String
            let enrolled: Bool
            let state: String
            let restarts: Int
            let processes: [Int]
        }
        let pods: [Pod]
    }

    private func pods(_ lab: TestLab) throws -> [String: Pods.Pod] {
        let text = try lab.lab(["ps", "-o", "json"])
        let listing = try JSONDecoder().decode(Pods.self, from: Data(text.utf8))
        return Dictionary(
            listing.pods.map { ("\($0.namespace)/\($0.name)", $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func namespace(_ name: String, _ mode: String?) -> String {
        let labels = mode.map { ", labels: {ambit.dev/dataplane-mode: \($0)}" } ?? ""
        return "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(name)\(labels)}\n"
    }

    /// What crossed the wire while the body ran.
    private func wire(_ lab: TestLab, _ body: () throws -> Void) throws -> Data {
        let path = lab.path("wire-\(UInt32.random(in: 0 ... .max)).pcap")
        let capture = try Command(
            TestLab.programs.appending(path: "ambit").path,
            ["lab", "capture", "-w", path, "--name", lab.name]
        ).start()
        try lab.eventually("the capture began") { FileManager.default.fileExists(atPath: path) }
        try body()
        func count() throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }
        // What others say after it is in the file: so is what it said.
        let written = try count()
        try lab.eventually("the capture is written") { try count() > written + 20_000 }
        capture.stop()
        return try Data(contentsOf: URL(fileURLWithPath: path))
    }

    /// Says a secret to a pod on the other node, a few times.
    private func tell(_ lab: TestLab, _ secret: String, to host: String) throws {
        let done = try lab.python(
            "plain/client",
            """
            for _ in range(10):
                with connect("\(host)", 7001) as c:
                    c.sendall(b"\(secret)")
                    c.shutdown(socket.SHUT_WR)
                    assert read(c).endswith(b"\(secret)")
            """
        )
        #expect(done.status == 0, "\(done.error)")
    }

    @Test func `of a namespace, and its end, disturb nobody else and restart nothing`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let before = try pods(lab)
        let secret = "the-secret-\(UInt64.random(in: 0 ... .max))"
        let live = try lab.start("mesh/client", Programs.live, [far, "7001"])
        let bystander = try lab.start("mesh/client", Programs.load, [far, "7001", "60", "open"])
        let own = try lab.start("plain/client", Programs.load, [far, "7001", "60", "open"])
        let clear = try wire(lab) { try tell(lab, secret, to: far) }
        #expect(clear.range(of: Data(secret.utf8)) != nil, "in the clear before")

        try lab.apply(namespace("plain", "ambient"))
        let identity = #"src.identity="spiffe://cluster.local/ns/plain/sa/default""#
        try lab.eventually("it talks under its identity") {
            try !lab.access("node-2", "inbound", identity).isEmpty
        }
        let sealed = try wire(lab) { try tell(lab, secret, to: far) }
        #expect(sealed.range(of: Data(secret.utf8)) == nil, "sealed while it is enrolled")
        let tunnels = try lab.access("node-2", "inbound", identity).count

        try lab.apply(namespace("plain", nil))
        try lab.eventually("its capture is gone") { try !isCaptured(lab, "plain/client") }
        let open = try wire(lab) { try tell(lab, secret, to: far) }
        #expect(open.range(of: Data(secret.utf8)) != nil, "in the clear again")

        let done = try Load(bystander.finish())
        #expect(done.bad == 0 && done.good > 100, "\(done.errors)")
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        live.stop()
        // Only what was on its way in the moment of a change may have to try again.
        let moved = try Load(own.finish())
        #expect(moved.bad <= 4 && moved.good > 100, "\(moved.bad): \(moved.errors)")
        #expect(tunnels >= 10)
        let after = try pods(lab)
        for (name, pod) in before {
            #expect(after[name]?.processes == pod.processes, "\(name) was restarted")
            #expect(after[name]?.restarts == pod.restarts, "\(name) was restarted")
        }
    }

    private func isCaptured(_ lab: TestLab, _ pod: String) throws -> Bool {
        try lab.shell(pod, "grep -q ':3A99 ' /proc/net/tcp /proc/net/tcp6").status == 0
    }

    @Test func `of 200 pods that come and go within a minute leaves nothing behind`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let began = Date()
        let load = try lab.start("mesh/client", Programs.load, [far, "7001", "60", "open"])
        let live = try lab.start("mesh/client", Programs.live, [far, "7001"])
        try lab.apply(namespace("crowd", "ambient"))
        var files: [String] = []
        for batch in 0..<10 {
            let pods = (0..<20).map { number in
                SharedLab.pod("crowd", "p\(batch)-\(number)", "node-\(number % 2 + 1)")
            }
            files.append(try lab.write("crowd-\(batch).yaml", pods.joined(separator: "\n")).path)
            try lab.lab(["apply", files[batch]])
            // Three batches are there at a time: addresses are used again.
            if batch >= 3 { try lab.lab(["delete", files[batch - 3]]) }
        }
        try settle(lab, crowd: 60)
        for file in files.suffix(3) { try lab.lab(["delete", file]) }
        try settle(lab, crowd: 0)
        #expect(Date().timeIntervalSince(began) < 60)
        let done = try Load(load.finish())
        #expect(done.bad == 0 && done.good > 500, "\(done.errors)")
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        live.stop()
    }

    private struct Dump: Decodable {
        struct Workload: Decodable { let namespace: String }
        struct Local: Decodable {
            struct Info: Decodable { let namespace: String }
            let info: Info
        }
        let workloads: [Workload]
        let workloadState: [String: Local]
    }

    /// Waits until both nodes know so many pods of the crowd, and each captured its half of them.
    private func settle(_ lab: TestLab, crowd count: Int) throws {
        for node in ["node-1", "node-2"] {
            try lab.eventually("\(node) knows \(count) pods of the crowd", within: 20) {
                let text = try lab.lab(["admin", node, "/config_dump"])
                let dump = try JSONDecoder().decode(Dump.self, from: Data(text.utf8))
                let known = dump.workloads.filter { $0.namespace == "crowd" }.count
                let here = dump.workloadState.values.filter { $0.info.namespace == "crowd" }.count
                return known == count && here == count / 2
            }
        }
    }
}
