internal import Bench
internal import Foundation

/// Measures every contender by every metric, interleaved, round after round.
struct Rounds {
    private let plan: Plan
    private let files: ProgramFiles
    private let meter: Meter

    init(_ plan: Plan, _ files: ProgramFiles) {
        self.plan = plan
        self.files = files
        meter = Meter(
            load: Load(folder: files.folder, seconds: plan.seconds),
            hostProcesses: files.hostProcesses
        )
    }

    func run(_ stage: Stage) throws -> [Sample] {
        var samples: [Sample] = []
        if plan.metrics.contains(.memory) {
            // First of all: what has carried load keeps memory from it.
            let probe = MemoryProbe(files: files)
            for contender in stage.contenders where contender.name.hasProxies {
                samples.append(try probe.measure(contender))
                samples.last.map { Self.tell($0, of: plan) }
            }
        }
        for contender in stage.contenders + stage.sameNode { try meter.load.warmUp(contender) }
        for round in 1...plan.rounds {
            for metric in plan.metrics where metric.scene == .contest && metric != .memory {
                let all = metric == .sameNode ? stage.sameNode : stage.contenders
                // Nobody is always first, or always after the same other.
                for index in all.indices {
                    let contender = all[(index + round - 1) % all.count]
                    let sample = try meter.measure(contender, metric, round: round)
                    samples.append(sample)
                    Self.tell(sample, of: plan)
                }
            }
        }
        return samples
    }

    /// Says what was measured, as it comes.
    static func tell(_ sample: Sample, of plan: Plan) {
        let figures = Figure.allCases.compactMap { figure in
            sample[figure].map { "\(ResultTable.number($0)) \(figure.rawValue)" }
        }
        var line = "\(sample.round)/\(plan.rounds) \(sample.metric.rawValue) "
        line += "\(sample.contender.rawValue): " + figures.joined(separator: ", ")
        if sample.attempts > 1 || sample.isDisturbed {
            let part = ResultTable.number(sample.outside * 100)
            line += " (\(sample.attempts) attempts, others took \(part) % of the machine)"
        }
        Terminal.tell(line)
    }
}
