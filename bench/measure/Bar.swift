/// A promise about a ratio, or about one number, that a run keeps or breaks.
package struct Bar: Sendable {
    /// Whom a value is held against.
    package enum Reference: Sendable {
        case contender(ContenderName)
        /// What the same contender gives of the same figure in another metric.
        case metric(Metric)
        /// Another figure of the same metric and contender.
        case figure(Figure)
        /// The value itself.
        case absolute
    }

    package let quantity: Quantity
    package let reference: Reference
    package let limit: Double

    /// Whether more than the limit is asked for.
    package var isAtLeast: Bool { quantity.figure.isGain }

    /// A limit on what a metric gives, held against a reference.
    package init(_ metric: Metric, _ figure: Figure, _ reference: Reference, _ limit: Double) {
        quantity = Quantity(metric, figure)
        self.reference = reference
        self.limit = limit
    }

    /// What became of a bar.
    package struct Verdict: Sendable {
        package let bar: Bar
        package let value: Double
        package let isMet: Bool
    }

    /// The verdict on a contender of ours, nil when something needed was not measured.
    package func verdict(_ medians: Medians, for contender: ContenderName = .ambit) -> Verdict? {
        let value: Double?
        switch reference {
        case .contender(let other): value = medians.ratio(quantity, contender, to: other)
        case .metric(let other):
            let base = Quantity(other, quantity.figure)
            value = medians.ratio(quantity, to: base, contender)
        case .figure(let other):
            value = medians.ratio(quantity, to: Quantity(quantity.metric, other), contender)
        case .absolute: value = medians[quantity, contender]
        }
        guard let value else { return nil }
        return Verdict(bar: self, value: value, isMet: isAtLeast ? value >= limit : value <= limit)
    }

    /// All of them, in the order they are told.
    package static let all: [Bar] = throughput + requests + connections + memory + growth

    private static let throughput: [Bar] = [Metric.throughput1, .throughput8].flatMap { metric in
        [
            Bar(metric, .gigabitsPerSecond, .contender(.envoyL4), 1.4),
            Bar(metric, .gigabitsPerSecond, .contender(.copy), 0.7),
            Bar(metric, .proxySecondsPerGigabyte, .contender(.envoyL4), 0.6),
            Bar(metric, .proxySecondsPerGigabyte, .contender(.copy), 1.4),
        ]
    }

    private static let requests: [Bar] = [
        Bar(.requests16, .requestsPerSecond, .contender(.envoyL4), 1.8),
        Bar(.requests16, .requestsPerSecond, .contender(.envoyL7), 3),
        Bar(.requests16, .proxyMicrosecondsPerRequest, .contender(.envoyL4), 0.5),
        Bar(.requests16, .proxyMicrosecondsPerRequest, .contender(.envoyL7), 0.25),
        Bar(.requests64, .requestsPerSecond, .contender(.envoyL4), 2.2),
        Bar(.requests64, .requestsPerSecond, .contender(.envoyL7), 3),
        Bar(.requests64, .proxyMicrosecondsPerRequest, .contender(.envoyL4), 0.5),
        Bar(.requests64, .proxyMicrosecondsPerRequest, .contender(.envoyL7), 0.25),
        Bar(.rate2000, .p50Microseconds, .contender(.envoyL4), 1),
        Bar(.rate2000, .p50Microseconds, .contender(.envoyL7), 0.5),
        Bar(.rate2000, .p99Microseconds, .contender(.envoyL4), 1),
        Bar(.rate2000, .p99Microseconds, .contender(.envoyL7), 0.5),
    ]

    private static let connections: [Bar] = [
        Bar(.connections, .connectionsPerSecond, .contender(.envoyL4), 5),
        Bar(.connections, .connectionsPerSecond, .contender(.envoyL7), 1.4),
        Bar(.sameNode, .gigabitsPerSecond, .contender(.splice), 0.9),
        Bar(.sameNode, .proxySecondsPerGigabyte, .contender(.splice), 1.2),
    ]

    private static let memory: [Bar] = [
        Bar(.node50, .nodeMegabytes, .contender(.envoyL4), 1.0 / 40),
        Bar(.memory, .kilobytesPerConnection, .absolute, 4),
        Bar(.burst, .afterMegabytes, .figure(.idleMegabytes), 1.1),
    ]

    /// What a connection does not touch does not slow it, and nothing is done for idle pods.
    private static let growth: [Bar] =
        [Metric.mesh1000, .mesh100000, .policies1000].flatMap { metric in
            [
                Bar(metric, .requestsPerSecond, .metric(.mesh10), 0.95),
                Bar(metric, .connectionsPerSecond, .metric(.mesh10), 0.95),
            ]
        } + [
            Bar(.besideBulk, .p99Microseconds, .metric(.rate2000), 2),
            Bar(.idle250, .idlePercent, .absolute, 0.5),
        ]
}
