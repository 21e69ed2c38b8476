/// Writes the Prometheus text format 0.0.4, or OpenMetrics 1.0 when asked for.
///
/// Families come one after another, each written whole before the next.
struct Exposition: ~Copyable {
    let openMetrics: Bool
    private(set) var bytes: [UInt8] = []

    init(openMetrics: Bool) {
        self.openMetrics = openMetrics
    }

    /// Begins a family: the lines that tell its help and kind.
    mutating func begin(_ description: MetricDescription) {
        let name = familyName(description)
        append("# HELP ")
        append(name)
        append(" ")
        appendEscaped(description.help, quotes: openMetrics)
        append("\n# TYPE ")
        append(name)
        append(" ")
        append(kindName(description.kind))
        append("\n")
    }

    /// Writes one sample of a number.
    mutating func sample(_ description: MetricDescription, labels: [UInt8], value: String) {
        append(description.name)
        append(suffix(description.kind))
        finish(labels: labels, value: value)
    }

    /// Writes the samples of a histogram in seconds.
    mutating func sample(
        _ description: MetricDescription,
        labels: [(String, String)],
        histogram: Histogram
    ) {
        let cumulative = histogram.cumulative
        let bounds = histogram.boundsMicroseconds.map { Self.seconds(microseconds: $0) } + ["+Inf"]
        for (bound, count) in zip(bounds, cumulative) {
            append(description.name)
            append("_bucket")
            finish(labels: Self.labels(labels + [("le", bound)]), value: "\(count)")
        }
        let plain = Self.labels(labels)
        append(description.name)
        append("_sum")
        finish(labels: plain, value: Self.seconds(nanoseconds: histogram.sumNanoseconds))
        append(description.name)
        append("_count")
        finish(labels: plain, value: "\(cumulative.last ?? 0)")
    }

    /// Ends the exposition and gives its bytes.
    consuming func finished() -> [UInt8] {
        if openMetrics { append("# EOF\n") }
        return bytes
    }

    private mutating func finish(labels: [UInt8], value: String) {
        bytes.append(contentsOf: labels)
        append(" ")
        append(value)
        append("\n")
    }

    /// The label part of a line, braces included, an empty value as it is; nothing for none.
    static func labels(_ pairs: [(String, String)]) -> [UInt8] {
        guard !pairs.isEmpty else { return [] }
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, pair) in pairs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: pair.0.utf8)
            bytes.append(contentsOf: "=\"".utf8)
            appendEscaped(pair.1, quotes: true, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// A whole number of nanoseconds as decimal seconds, exactly.
    static func seconds(nanoseconds: UInt64) -> String {
        decimal(whole: nanoseconds / 1_000_000_000, part: nanoseconds % 1_000_000_000, digits: 9)
    }

    private static func seconds(microseconds: UInt64) -> String {
        decimal(whole: microseconds / 1_000_000, part: microseconds % 1_000_000, digits: 6)
    }

    private static func decimal(whole: UInt64, part: UInt64, digits: Int) -> String {
        let text = "\(part)"
        var fraction = String(repeating: "0", count: max(0, digits - text.count)) + text
        while fraction.count > 1, fraction.last == "0" { fraction.removeLast() }
        return "\(whole).\(fraction)"
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        Self.appendEscaped(text, quotes: quotes, to: &bytes)
    }

    // A carriage return needs no escape by the format, but no reader is to see a line end there.
    private static func appendEscaped(_ text: String, quotes: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\"") where quotes: bytes.append(contentsOf: "\\\"".utf8)
            case 0: bytes.append(UInt8(ascii: "?"))
            default: bytes.append(byte)
            }
        }
    }

    // OpenMetrics names a counter's family without the suffix, the older format with it.
    private func familyName(_ description: MetricDescription) -> String {
        openMetrics ? description.name : description.name + suffix(description.kind)
    }

    private func suffix(_ kind: MetricDescription.Kind) -> String {
        switch kind {
        case .counter: "_total"
        case .gauge, .histogram: ""
        case .info: "_info"
        }
    }

    private func kindName(_ kind: MetricDescription.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        case .info: openMetrics ? "info" : "gauge"
        }
    }
}
