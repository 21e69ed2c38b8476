/// How log lines are written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// Time, level, scope and message, a tab after each, then `key=value` parts between spaces.
    case text
    /// One JSON object a line.
    case json
}

/// The value of a field in a log line.
package enum LogValue: Sendable, Hashable, ExpressibleByStringInterpolation,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    /// Any text; quoted and escaped, so that it cannot end the line or forge a field.
    case text(String)
    /// A whole number.
    case number(Int64)
    /// True or false.
    case flag(Bool)

    /// Makes a text.
    package init(stringLiteral value: String) { self = .text(value) }
    /// Makes a number.
    package init(integerLiteral value: Int64) { self = .number(value) }
    /// Makes a flag.
    package init(booleanLiteral value: Bool) { self = .flag(value) }
    /// Makes a number from any whole one; beyond 64 bits with sign it is clamped.
    package init(_ value: some BinaryInteger) { self = .number(Int64(clamping: value)) }
    /// Makes a text of anything that describes itself.
    package init(_ value: some CustomStringConvertible) { self = .text(value.description) }
}

/// Builds the bytes of one log line, ended by exactly one newline.
///
/// Whatever a value holds, the line stays one line and its fields stay apart: control characters,
/// and those that reorder text on a terminal, are escaped as in JSON. Long values are cut.
struct LogLine: ~Copyable {
    /// The most bytes of one value before escaping; the longest identity, 2048 bytes, fits.
    static let valueBytesMax = 2048

    private let format: LogFormat
    private var bytes: [UInt8] = []
    private var hasFields = false

    init(
        format: LogFormat,
        time: UInt64,
        level: LogLevel,
        scope: LogScope,
        message: String
    ) {
        self.format = format
        bytes.reserveCapacity(512)
        switch format {
        case .text:
            Timestamp(nanoseconds: time).append(to: &bytes)
            append("\t")
            append(level.name)
            append("\t")
            append(scope.name)
            append("\t")
            appendEscaped(message, isQuoted: false)
        case .json:
            append("{\"level\":\"")
            append(level.name)
            append("\",\"time\":\"")
            Timestamp(nanoseconds: time).append(to: &bytes)
            append("\",\"scope\":\"")
            append(scope.name)
            append("\",\"message\":\"")
            appendEscaped(message, isQuoted: true)
            append("\"")
        }
    }

    /// Adds a field whose value is quoted.
    mutating func add(_ key: StaticString, _ value: String) {
        begin(key)
        append("\"")
        appendEscaped(value, isQuoted: true)
        append("\"")
    }

    /// Adds a field when there is a value.
    mutating func add(_ key: StaticString, optional value: String?) {
        guard let value, !value.isEmpty else { return }
        add(key, value)
    }

    /// Adds a number.
    mutating func add(_ key: StaticString, _ number: some BinaryInteger) {
        begin(key)
        append("\(number)")
    }

    /// Adds true or false.
    mutating func add(_ key: StaticString, _ flag: Bool) {
        begin(key)
        append(flag ? "true" : "false")
    }

    /// Adds a value that needs no quotes in text, such as an address.
    mutating func add(_ key: StaticString, bare value: String) {
        switch format {
        case .text:
            begin(key)
            append(value)
        case .json:
            add(key, value)
        }
    }

    /// Adds a field of any kind.
    mutating func add(_ key: StaticString, value: LogValue) {
        switch value {
        case .text(let text): add(key, text)
        case .number(let number): add(key, number)
        case .flag(let flag): add(key, flag)
        }
    }

    /// Ends the line and gives its bytes.
    consuming func finished() -> [UInt8] {
        switch format {
        case .text: append("\n")
        case .json: append("}\n")
        }
        return bytes
    }

    private mutating func begin(_ key: StaticString) {
        switch format {
        case .text:
            append(hasFields ? " " : "\t")
            hasFields = true
            append(key.description)
            append("=")
        case .json:
            append(",\"")
            append(key.description)
            append("\":")
        }
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    // Walks scalars, not bytes: what must be escaped beyond ASCII is known by its scalar.
    private mutating func appendEscaped(_ text: String, isQuoted: Bool) {
        let isPlain = text.utf8.allSatisfy { byte in
            byte >= 0x20 && byte < 0x7F && byte != 0x5C && !(isQuoted && byte == 0x22)
        }
        if isPlain, text.utf8.count <= Self.valueBytesMax { return append(text) }
        var room = Self.valueBytesMax
        for scalar in text.unicodeScalars {
            let value = scalar.value
            room -= scalar.utf8.count
            guard room >= 0 else {
                append("…")
                return
            }
            switch value {
            case 0x22 where isQuoted: append("\\\"")
            case 0x5C: append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20, 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF:
                appendEscape(value)
            case 0..<0x80: bytes.append(UInt8(truncatingIfNeeded: value))
            default: bytes.append(contentsOf: scalar.utf8)
            }
        }
    }

    private mutating func appendEscape(_ value: UInt32) {
        append("\\u")
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: value >> shift & 0xF)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
