import Foundation
import Testing

/// What is counted.
enum CostUnit: String, CaseIterable, Sendable {
    case instructions
    case systemCalls = "system calls"

    /// How many per cent a figure may be above the one on file.
    ///
    /// Repeated, on an idle machine and on one with all processors busy, figures stay within 1 %.
    /// Two hang on wake-ups more than others: how many of 16 streams' frames share one moves the
    /// system calls by 4 %, and one node's bytes are spliced, so little else is left to count.
    func percentAbove(_ role: CountedRole, _ work: CountedWork) -> Double {
        switch (self, role, work) {
        case (.systemCalls, _, .requestOfSixteen): 6
        // How bytes meet reads is up to the scheduler: the loop yields its core after work.
        case (.systemCalls, _, .mebibyte): 25
        case (.systemCalls, _, .connection): 10
        case (.instructions, .sameNode, .mebibyte): 10
        default: 3
        }
    }
}

/// What the relay path may cost: the figures of `bench/thresholds.json`.
struct CostThresholds: Codable {
    /// A figure and what it may become.
    struct Figure: Codable {
        var measured: Double
        var percentAbove: Double

        var allowed: Double { measured * (1 + percentAbove / 100) }
    }

    /// The programs that counts depend on, as they were when the figures were taken.
    var measuredWith: [String: String] = [:]
    /// By unit, role and work.
    var figures: [String: [String: [String: Figure]]] = [:]

    /// Whether this run writes the figures instead of comparing them.
    static let isUpdate =
        !(ProcessInfo.processInfo.environment["AMBIT_UPDATE_THRESHOLDS"] ?? "").isEmpty

    // Tests/LabTests/CostThresholds.swift
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "bench/thresholds.json")

    private static let howToUpdate = """
        If that is meant, AMBIT_UPDATE_THRESHOLDS=1 deploy/test --filter 'The relay path' \
        writes bench/thresholds.json anew.
        """

    /// Counts and compares with the file; records an issue for each figure that is over.
    ///
    /// What is over is counted again, twice at most, and the lowest holds: a disturbance only adds.
    static func check(_ unit: CostUnit, _ count: () throws -> RelayCosts) throws {
        var thresholds =
            FileManager.default.fileExists(atPath: file.path)
            ? try JSONDecoder().decode(Self.self, from: Data(contentsOf: file)) : Self()
        var costs = try count()
        for _ in 0..<2 where !isUpdate && thresholds.isExceeded(unit, costs) {
            costs = costs.lower(try count())
        }
        let versions = try versions()
        costs.forEach { role, work, cost in
            let name = "\(role.rawValue), \(unit.rawValue) per \(work.rawValue)"
            print("\(name): \(shown(cost))")
            if isUpdate {
                thresholds.set(unit, role, work, cost)
            } else {
                let figure = thresholds.figure(unit, role, work)
                compare(name, cost, figure, thresholds.measuredWith, versions)
            }
        }
        guard isUpdate else { return }
        thresholds.measuredWith = versions
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try (encoder.encode(thresholds) + Data("\n".utf8)).write(to: file)
    }

    private func figure(_ unit: CostUnit, _ role: CountedRole, _ work: CountedWork) -> Figure? {
        figures[unit.rawValue]?[role.rawValue]?[work.rawValue]
    }

    private func isExceeded(_ unit: CostUnit, _ costs: RelayCosts) -> Bool {
        var isExceeded = false
        costs.forEach { role, work, cost in
            if let figure = figure(unit, role, work), cost > figure.allowed { isExceeded = true }
        }
        return isExceeded
    }

    private mutating func set(
        _ unit: CostUnit,
        _ role: CountedRole,
        _ work: CountedWork,
        _ cost: Double
    ) {
        let figure = Figure(
            measured: cost < 1000 ? (cost * 1000).rounded() / 1000 : cost.rounded(),
            percentAbove: unit.percentAbove(role, work)
        )
        figures[unit.rawValue, default: [:]][role.rawValue, default: [:]][work.rawValue] = figure
    }

    private static func compare(
        _ name: String,
        _ cost: Double,
        _ figure: Figure?,
        _ then: [String: String],
        _ now: [String: String]
    ) {
        guard let figure else {
            Issue.record("\(name): \(shown(cost)), and there is no threshold. \(howToUpdate)")
            return
        }
        let against =
            "measured \(shown(cost)), on file \(shown(figure.measured)), "
            + "allowed \(shown(figure.allowed)) (+\(shown(figure.percentAbove)) %)"
        if cost > figure.allowed {
            let changed = now.filter { then[$0.key] != $0.value }
                .map { "\($0.key) is \($0.value), was \(then[$0.key] ?? "not there")" }.sorted()
            let cause =
                changed.isEmpty ? "" : " Counted with others: \(changed.joined(separator: "; "))."
            Issue.record("\(name): \(against).\(cause) \(howToUpdate)")
        } else if cost < figure.measured * (1 - figure.percentAbove / 100) {
            Issue.record(
                "\(name) has become cheaper: \(against). To keep it so: \(howToUpdate)",
                severity: .warning
            )
        }
    }

    private static func shown(_ value: Double) -> String {
        value < 1000 ? "\((value * 100).rounded() / 100)" : "\(Int(value.rounded()))"
    }

    /// The programs that counts depend on.
    private static func versions() throws -> [String: String] {
        func firstLine(_ words: String...) throws -> String {
            let done = try Command("/usr/bin/env", words).run(20)
            return String(done.output.split(separator: "\n").first ?? "")
        }
        return [
            "openssl": try firstLine("openssl", "version"),
            "swift": try firstLine("swift", "--version"),
            "valgrind": try firstLine("valgrind", "--version"),
            "strace": try firstLine("strace", "--version"),
            "libc": try firstLine("ldd", "--version"),
        ]
    }
}
