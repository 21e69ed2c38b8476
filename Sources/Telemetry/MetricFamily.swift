internal import Synchronization

/// What a metric's lines in the text format have in common.
struct MetricDescription: Sendable {
    /// The kinds of metric that the text formats tell apart.
    enum Kind: Sendable { case counter, gauge, histogram, info }

    /// The name without the suffix of its kind.
    let name: String
    let help: String
    let kind: Kind
    let labelNames: [String]
}

/// Metrics of one name, told apart by the values of their labels; bounded in number.
///
/// Values of labels must come from the configuration or a fixed list. When the bound is reached
/// every further combination shares one metric whose labels all say `other`.
package final class MetricFamily<Instrument: Sendable>: Sendable {
    let description: MetricDescription
    /// How many combinations of label values are kept.
    let combinationsMax: Int
    private let make: @Sendable () -> Instrument
    private let instruments = Mutex<[[String]: Instrument]>([:])

    init(
        _ description: MetricDescription,
        combinationsMax: Int,
        make: @escaping @Sendable () -> Instrument
    ) {
        self.description = description
        self.combinationsMax = combinationsMax
        self.make = make
    }

    /// Finds or makes the metric with these label values, as many as the family has names.
    ///
    /// It takes a lock: keep the result where it is used often.
    package func callAsFunction(_ values: String...) -> Instrument {
        precondition(
            values.count == description.labelNames.count,
            "\(description.name) has labels \(description.labelNames), not \(values)"
        )
        return instruments.withLock { instruments in
            if let found = instruments[values] { return found }
            let isFull = instruments.count >= combinationsMax
            let key = isFull ? values.map { _ in "other" } : values
            if let found = instruments[key] { return found }
            let made = make()
            instruments[key] = made
            return made
        }
    }

    /// Forgets the metrics whose label values are not wanted any more.
    package func keep(where isKept: ([String]) -> Bool) {
        instruments.withLock { instruments in
            instruments = instruments.filter { isKept($0.key) }
        }
    }

    /// All metrics of the family in the order of their label values.
    func all() -> [(values: [String], instrument: Instrument)] {
        instruments.withLock { instruments in
            instruments.map { (values: $0.key, instrument: $0.value) }
        }
        .sorted { $0.values.lexicographicallyPrecedes($1.values) }
    }
}
