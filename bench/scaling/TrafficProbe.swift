internal import Bench
internal import Foundation

/// Real traffic between two nodes that hold the whole mesh, at rest and while it changes.
struct TrafficProbe {
    private static let requestsPerSecond = 2_000
    private let plan: ScalePlan
    private let tools: Tools

    init(_ plan: ScalePlan, _ tools: Tools) {
        self.plan = plan
        self.tools = tools
    }

    func measure(pods: Int) throws -> ScaleResult.Traffic {
        let lab = try LabPair(pods: pods, tools)
        defer { lab.down() }
        var traffic = ScaleResult.Traffic(pods: pods)
        // Both sizes are of nodes that have just started and carried something.
        let first = try LabPair.nodeNames.map { try lab.restart($0) }
        _ = try requests(lab, seconds: 1)
        let idle = try lab.usage()
        traffic.idleBytes = idle.values.map(\.bytes).max()
        traffic.startSeconds = first.max()
        try lab.order(isFull: true, changesPerSecond: 0)
        let simulated = SimulatedCluster(pods: pods)
        let expected = LabPair.nodeNames.count * (simulated.pods + simulated.services)
        var before = -1
        try lab.wait("the nodes have all of \(pods) pods", seconds: 180) {
            guard let pushed = lab.pushedResources else { return false }
            defer { before = pushed }
            Thread.sleep(forTimeInterval: 1)
            return pushed >= expected && pushed == before
        }
        traffic.fullStartSeconds = try LabPair.nodeNames.map { try lab.restart($0) }.max()
        _ = try requests(lab, seconds: 1)
        Thread.sleep(forTimeInterval: 2)
        traffic.heldBytes = try lab.usage().values.map(\.bytes).max()
        for round in 0..<plan.rounds {
            // In turn, so that what drifts is the same for both.
            for isBusy in round % 2 == 0 ? [false, true] : [true, false] {
                try run(lab, isBusy, &traffic)
            }
        }
        try lab.order(isFull: true, changesPerSecond: 0)
        traffic.busyBytes = try lab.usage().values.map(\.bytes).max()
        return traffic
    }

    private func run(
        _ lab: LabPair,
        _ isBusy: Bool,
        _ traffic: inout ScaleResult.Traffic
    ) throws {
        let rate = isBusy ? ScalePlan.changesPerSecond : 0
        try lab.order(isFull: true, changesPerSecond: rate)
        // What was changed before is through, and what is ordered now has begun.
        Thread.sleep(forTimeInterval: 0.5)
        let pushed = lab.pushedResources ?? 0
        let before = try lab.usage()
        let begun = Gauge.moment
        let log = try requests(lab, seconds: plan.roundSeconds)
        let seconds = Gauge.moment - begun
        let after = try lab.usage()
        guard log.errors == 0, let p50 = Medians.percentile(0.5, of: log.microseconds),
            let p99 = Medians.percentile(0.99, of: log.microseconds)
        else { throw ScaleFailure("\(log.errors) requests failed") }
        let processors = LabPair.nodeNames.map { node in
            ((after[node]?.seconds ?? 0) - (before[node]?.seconds ?? 0)) / seconds
        }
        let round = ScaleResult.Round(
            p50Microseconds: p50,
            p99Microseconds: p99,
            nodeProcessors: processors.reduce(0, +) / Double(processors.count),
            changesPerSecond: Double((lab.pushedResources ?? 0) - pushed)
                / Double(LabPair.nodeNames.count) / seconds
        )
        if isBusy { traffic.busy.append(round) } else { traffic.quiet.append(round) }
    }

    private func requests(_ lab: LabPair, seconds: Int) throws -> RequestLog {
        RequestLog(try lab.requests(perSecond: Self.requestsPerSecond, seconds: seconds))
    }
}
