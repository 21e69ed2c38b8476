/// What one measurement of one contender gave.
package struct Sample: Codable, Sendable {
    package var round: Int
    package var contender: ContenderName
    package var metric: Metric
    /// By the raw value of `Figure`.
    package var figures: [String: Double]
    /// The part of the machine's time that programs outside the benchmark took.
    package var outside: Double
    /// Whether that was more than allowed each time it was tried.
    package var isDisturbed: Bool
    package var attempts: Int

    /// Takes figures by what they are; they are kept by name.
    package init(
        round: Int,
        contender: ContenderName,
        metric: Metric,
        figures: [Figure: Double],
        outside: Double = 0,
        isDisturbed: Bool = false,
        attempts: Int = 1
    ) {
        self.round = round
        self.contender = contender
        self.metric = metric
        self.figures = Dictionary(
            uniqueKeysWithValues: figures.map { ($0.key.rawValue, $0.value) }
        )
        self.outside = outside
        self.isDisturbed = isDisturbed
        self.attempts = attempts
    }

    /// Leaves out latencies: those of one kind of load are not to be mixed with another's.
    package mutating func forgetLatency() {
        for figure in [Figure.p50Microseconds, .p99Microseconds] { figures[figure.rawValue] = nil }
    }

    /// The value of a figure, if it was measured.
    package subscript(figure: Figure) -> Double? { figures[figure.rawValue] }
}
