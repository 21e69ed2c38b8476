internal import Bench
internal import Foundation

/// The memory of proxies before, during and a minute after a burst of connections.
struct BurstProbe {
    static let connections = 5000
    /// What warms up: code and tables are in memory, and next to nothing is held.
    private static let warmConnections = 100
    private static let secondsAfter = 60.0

    let plan: Plan
    let files: ProgramFiles

    /// Builds a lab of contenders that have carried nothing, and measures them.
    func measure() throws -> [Sample] {
        var plan = plan
        plan.contenders.removeAll { !$0.isMesh || $0 == .ambitB }
        plan.metrics.removeAll { $0.scene != .burst }
        plan.otherNode = nil
        let stage = try Stage(plan, files)
        defer { stage.end() }
        let bursts = try stage.contenders.map(burst)
        return try bursts.map(after)
    }

    private struct Burst {
        let contender: any Contender
        let end: Double
        var figures: [Figure: Double]
    }

    private func burst(_ contender: any Contender) throws -> Burst {
        let probe = MemoryProbe(files: files)
        func megabytes() throws -> Double { try probe.settled(contender.processes).resident / 1e6 }
        let idle = try megabytes()
        try probe.holding(Self.warmConnections, contender) {}
        let warm = try megabytes()
        var peak = 0.0
        try probe.holding(Self.connections, contender) { peak = try megabytes() }
        return Burst(
            contender: contender,
            end: ProcessInfo.processInfo.systemUptime,
            figures: [.idleMegabytes: idle, .warmMegabytes: warm, .peakMegabytes: peak]
        )
    }

    private func after(_ burst: Burst) throws -> Sample {
        try Waiting.until("a minute after the burst", within: 90, every: 0.25) {
            ProcessInfo.processInfo.systemUptime - burst.end >= Self.secondsAfter
        }
        let memory = try ProcessFiles.memory(of: burst.contender.processes)
        var figures = burst.figures
        figures[.afterMegabytes] = memory.resident / 1e6
        let sample = Sample(
            round: 1,
            contender: burst.contender.name,
            metric: .burst,
            figures: figures
        )
        Rounds.tell(sample, of: plan)
        return sample
    }
}
