internal import Bench
internal import Foundation

/// A node with many pods: one Ambit for all of them, against an Envoy in each.
struct FullNode {
    static let pods = 50

    let plan: Plan
    let files: ProgramFiles

    /// Starts both, one after the other, and takes their memory.
    func measure() throws -> [Sample] {
        let script = try files.nodeScript("full-node", running: files.ambitNode)
        let testbed = try Testbed(
            "bench-full",
            manifest: Manifest.fullNode(pods: Self.pods),
            nodeBinary: script,
            files
        )
        defer { testbed.down() }
        let probe = MemoryProbe(files: files)
        var samples: [Sample] = []
        func add(_ name: ContenderName, _ processes: [Int32]) throws {
            let memory = try probe.settled(processes)
            samples.append(
                Sample(
                    round: 1,
                    contender: name,
                    metric: .node50,
                    figures: [
                        .nodeMegabytes: memory.resident / 1e6,
                        .nodeProportionalMegabytes: memory.proportional / 1e6,
                    ]
                )
            )
        }
        if plan.contenders.contains(.ambit) {
            let node = try testbed.nodeProcesses()[Manifest.clientNode]
            try add(.ambit, [node].compactMap { $0 })
        }
        if plan.contenders.contains(.envoyL4) {
            let sidecars = try startSidecars(try testbed.places())
            defer { sidecars.forEach { $0.stop() } }
            try add(.envoyL4, sidecars.map(\.pid))
        }
        return samples
    }

    private func startSidecars(_ places: [String: Place]) throws -> [Program] {
        let certificates = try Certificates(in: files)
        let form = EnvoyConfiguration.sidecar(certificates)
        let programs = try Manifest.fullNodePlainPods(pods: Self.pods).map { name in
            guard let place = places[name] else { throw BenchFailure("no pod \(name)") }
            return try SidecarPath.start(place, form, files)
        }
        for program in programs {
            try Waiting.until("an Envoy listens", within: 120) {
                guard program.isRunning else { throw BenchFailure(program.complaint) }
                // Port 15006 in the state LISTEN.
                let sockets = ProcessFiles.text("/proc/\(program.pid)/net/tcp") ?? ""
                return sockets.contains(":3A9E 00000000:0000 0A")
            }
        }
        return programs
    }
}
