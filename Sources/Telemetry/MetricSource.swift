/// Something that writes one or more families of metrics.
protocol MetricSource: Sendable {
    /// The names it writes, without the suffixes of their kinds.
    var names: [String] { get }
    /// Writes its families whole.
    func write(to exposition: inout Exposition)
}

/// A value read when metrics are written out.
package struct Observation: Sendable {
    let labels: [String]
    let value: String

    /// A whole number.
    package init(_ value: Int64, labels: [String] = []) {
        self.labels = labels
        self.value = "\(value)"
    }

    /// A duration or point in time, given in nanoseconds, written in seconds.
    package init(nanoseconds: UInt64, labels: [String] = []) {
        self.labels = labels
        self.value = Exposition.seconds(nanoseconds: nanoseconds)
    }
}

/// The kinds of metric that can be read when they are written out.
package enum ObservedKind: Sendable {
    /// Only grows; `_total` is added to its name.
    case counter
    /// Goes up and down.
    case gauge
    /// Always 1, tells by its labels; `_info` is added to its name.
    case info

    var described: MetricDescription.Kind {
        switch self {
        case .counter: .counter
        case .gauge: .gauge
        case .info: .info
        }
    }
}

/// A metric that is read when it is written out.
struct ObservedMetric: MetricSource {
    let description: MetricDescription
    let read: @Sendable () -> [Observation]

    var names: [String] { [description.name] }

    func write(to exposition: inout Exposition) {
        exposition.begin(description)
        for observation in read() {
            let pairs = Array(zip(description.labelNames, observation.labels))
            exposition.sample(
                description,
                labels: Exposition.labels(pairs),
                value: observation.value
            )
        }
    }
}

extension MetricFamily: MetricSource where Instrument: SampledInstrument {
    var names: [String] { [description.name] }

    func write(to exposition: inout Exposition) {
        exposition.begin(description)
        for (values, instrument) in all() {
            let pairs = Array(zip(description.labelNames, values.map(labelValue)))
            instrument.write(to: &exposition, description, labels: pairs)
        }
    }
}

/// A metric with a state of its own.
protocol SampledInstrument: Sendable {
    /// Writes its lines.
    func write(
        to exposition: inout Exposition,
        _ description: MetricDescription,
        labels: [(String, String)]
    )
}

extension Counter: SampledInstrument {
    func write(
        to exposition: inout Exposition,
        _ description: MetricDescription,
        labels: [(String, String)]
    ) {
        exposition.sample(description, labels: Exposition.labels(labels), value: "\(value)")
    }
}

extension Gauge: SampledInstrument {
    func write(
        to exposition: inout Exposition,
        _ description: MetricDescription,
        labels: [(String, String)]
    ) {
        exposition.sample(description, labels: Exposition.labels(labels), value: "\(value)")
    }
}

extension Histogram: SampledInstrument {
    func write(
        to exposition: inout Exposition,
        _ description: MetricDescription,
        labels: [(String, String)]
    ) {
        exposition.sample(description, labels: labels, histogram: self)
    }
}

extension SeriesTable: MetricSource {
    private static let descriptions: [(MetricDescription, @Sendable (TCPSeries.Counts) -> UInt64)] =
        [
            (describe("connections_opened", "TCP connections opened."), { $0.opened }),
            (describe("connections_closed", "TCP connections closed."), { $0.closed }),
            (describe("received_bytes", "Bytes from the client to the server."), { $0.received }),
            (describe("sent_bytes", "Bytes from the server to the client."), { $0.sent }),
        ]

    private static let failed = describe("connections_failed", "TCP connections that failed.")

    private static func describe(_ name: String, _ help: String) -> MetricDescription {
        MetricDescription(name: "istio_tcp_" + name, help: help, kind: .counter, labelNames: [])
    }

    var names: [String] { Self.descriptions.map { $0.0.name } + [Self.failed.name] }

    func write(to exposition: inout Exposition) {
        let readings = all().map { labels, series in
            (labels: labels, text: Self.text(labels, .none), counts: series.counts)
        }
        .sorted { $0.text.lexicographicallyPrecedes($1.text) }
        for (description, value) in Self.descriptions {
            exposition.begin(description)
            for reading in readings {
                exposition.sample(
                    description,
                    labels: reading.text,
                    value: "\(value(reading.counts))"
                )
            }
        }
        exposition.begin(Self.failed)
        for reading in readings {
            for flag in ResponseFlag.allCases where reading.counts.failed(flag) > 0 {
                exposition.sample(
                    Self.failed,
                    labels: Self.text(reading.labels, flag),
                    value: "\(reading.counts.failed(flag))"
                )
            }
        }
    }

    private static func text(_ labels: ConnectionLabels, _ flag: ResponseFlag) -> [UInt8] {
        Exposition.labels(labels.pairs(flag: flag).map { ($0.0, labelValue($0.1)) })
    }
}

/// A label's value as it is written: what is missing is called so, what is long is cut.
private func labelValue(_ value: String) -> String {
    if value.isEmpty { return "unknown" }
    if value.utf8.count <= labelBytesMax { return value }
    return String(decoding: value.utf8.prefix(labelBytesMax), as: UTF8.self)
}

/// The longest identity a certificate may carry, 2048 bytes, must fit.
private let labelBytesMax = 2048
