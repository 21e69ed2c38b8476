internal import Bench
internal import Foundation

/// A node with many enrolled pods that do nothing: what its proxy does all the same.
struct IdleNode {
    static let pods = 250
    /// Processor time is told in hundredths of a second: long enough for those to be fine.
    private static let secondsMin = 30

    let plan: Plan
    let files: ProgramFiles

    /// Builds the lab, measures the node in each round, and ends it.
    func measure() throws -> [Sample] {
        let script = try files.nodeScript("idle-node", running: files.ambitNode)
        let testbed = try Testbed(
            "bench-idle",
            manifest: Manifest.idleNode(pods: Self.pods),
            nodeBinary: script,
            files
        )
        defer { testbed.down() }
        guard let node = try testbed.nodeProcesses()[Manifest.clientNode] else {
            throw BenchFailure("the lab has no \(Manifest.clientNode)")
        }
        try Rest.wait(for: [node])
        return try (1...plan.rounds).map { round in
            let start = (used: try used(node), time: ProcessInfo.processInfo.systemUptime)
            let seconds = Double(max(Self.secondsMin, plan.seconds))
            try Waiting.until("the idle node was watched", within: seconds + 10, every: 0.5) {
                ProcessInfo.processInfo.systemUptime - start.time >= seconds
            }
            let time = ProcessInfo.processInfo.systemUptime - start.time
            let sample = Sample(
                round: round,
                contender: .ambit,
                metric: .idle250,
                figures: [.idlePercent: (try used(node) - start.used) / time * 100]
            )
            Rounds.tell(sample, of: plan)
            return sample
        }
    }

    /// Seconds the process has run, threads that ended among them.
    private func used(_ process: Int32) throws -> Double {
        guard let times = ProcessFiles.text("/proc/\(process)/stat").flatMap(CPUTimes.process)
        else {
            throw BenchFailure("cannot read the processor time of process \(process)")
        }
        return times.seconds
    }
}
