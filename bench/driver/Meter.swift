internal import Bench
internal import Foundation

/// Takes processor time before and after a load, and tells whether others used the machine.
struct Meter {
    /// What others may take of the machine before a measurement is made again.
    static let outsideMax = 0.03
    /// How often a disturbed measurement is made again.
    static let repeatsMax = 2

    let load: Load
    let hostProcesses: String

    /// Measures; again when disturbed, as often as is allowed.
    ///
    /// The load is that of the metric, or of another one for a metric that is about what is around.
    func measure(
        _ contender: any Contender,
        _ metric: Metric,
        round: Int,
        load other: Metric? = nil
    ) throws -> Sample {
        var attempts = 0
        while true {
            attempts += 1
            var sample = try once(contender, metric, other ?? metric, round)
            sample.attempts = attempts
            if !sample.isDisturbed || attempts > Self.repeatsMax { return sample }
        }
    }

    private struct Reading {
        let time = ProcessInfo.processInfo.systemUptime
        let proxies: Double
        let machine: (idle: Double, stolen: Double)
        let outside: Double
    }

    private func read(_ contender: any Contender) throws -> Reading {
        Reading(
            proxies: ProcessFiles.seconds(of: contender.processes),
            machine: try ProcessFiles.machine(),
            outside: ProcessFiles.secondsOutside(hostProcesses)
        )
    }

    private func once(
        _ contender: any Contender,
        _ metric: Metric,
        _ kind: Metric,
        _ round: Int
    ) throws -> Sample {
        let before = try read(contender)
        let result = try load.run(kind, on: contender)
        let after = try read(contender)
        let proxies = after.proxies - before.proxies
        // Bytes that go past the proxies would make every other figure a lie.
        if contender.name.hasProxies, proxies < 0.001 * (after.time - before.time) {
            throw BenchFailure("\(contender.name.title) carried nothing of \(metric.rawValue)")
        }
        let capacity =
            (after.time - before.time) * Double(ProcessInfo.processInfo.activeProcessorCount)
        let stolen = after.machine.stolen - before.machine.stolen
        let machine = capacity - stolen - (after.machine.idle - before.machine.idle)
        var figures = result.figures
        switch result.work {
        case .gigabytes(let count):
            figures[.proxySecondsPerGigabyte] = proxies / count
            figures[.machineSecondsPerGigabyte] = machine / count
        case .requests(let count):
            figures[.proxyMicrosecondsPerRequest] = proxies / count * 1e6
            figures[.machineMicrosecondsPerRequest] = machine / count * 1e6
        case .connections(let count):
            figures[.proxyMicrosecondsPerConnection] = proxies / count * 1e6
            figures[.machineMicrosecondsPerConnection] = machine / count * 1e6
        case .mixed: break
        }
        if !contender.name.hasProxies {
            for figure in [
                Figure.proxySecondsPerGigabyte, .proxyMicrosecondsPerRequest,
                .proxyMicrosecondsPerConnection,
            ] { figures[figure] = nil }
        }
        let outside = max(0, (after.outside - before.outside + stolen) / capacity)
        return Sample(
            round: round,
            contender: contender.name,
            metric: metric,
            figures: figures,
            outside: outside,
            isDisturbed: outside > Self.outsideMax
        )
    }
}
