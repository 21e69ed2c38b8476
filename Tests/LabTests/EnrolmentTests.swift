import Foundation
import Testing

/// Pods that join the mesh and leave it while they talk, and many that come and go.
@Suite(.serialized) struct `Enrolment under traffic` {
    private func namespace(_ name: String, _ mode: String?) -> String {
        let labels = mode.map { ", labels: {ambit.dev/dataplane-mode: \($0)}" } ?? ""
        return "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(name)\(labels)}\n"
    }

    @Test func `of 200 pods that come and go within a minute leaves nothing behind`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let began = Date()
        let load = try lab.start("mesh/client", Programs.load, [far, "7001", "40"])
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
