/// A Kubernetes object before it is typed: what YAML and JSON documents have in common.
package enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case list([Value])
    case map([String: Value])

    /// What the value is, in the words of an error message.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "the boolean \(value)"
        case .integer(let value): "the number \(value)"
        case .number(let value): "the number \(value)"
        case .string: "a string"
        case .list: "a list"
        case .map: "a map"
        }
    }

    /// Types an unquoted YAML scalar as Kubernetes' own tools do (YAML 1.1, go-yaml).
    package init(plainScalar text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL":
            self = .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
            self = .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
            self = .bool(false)
        default:
            self = Value.number(plainScalar: text) ?? .string(text)
        }
    }

    private static func number(plainScalar text: String) -> Value? {
        guard let first = text.utf8.first, first != UInt8(ascii: "_"),
            (0x30...0x39).contains(first) || "+-.".utf8.contains(first)
        else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        let isSigned = isNegative || first == UInt8(ascii: "+")
        let digits = text.dropFirst(isSigned ? 1 : 0).filter { $0 != "_" }
        if let magnitude = integer(digits: digits) {
            return .integer(isNegative ? -magnitude : magnitude)
        }
        // A second sign is left for text such as `--flag`.
        guard digits.first != "+", digits.first != "-",
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || ".eE+-".utf8.contains($0) }),
            let number = Double(digits)
        else { return nil }
        return .number(isNegative ? -number : number)
    }

    // `digits` has no sign; a result is never negative, so that negating it cannot overflow.
    private static func integer(digits: String) -> Int64? {
        guard let first = digits.utf8.first, (0x30...0x39).contains(first) else { return nil }
        if digits.count > 1, first == UInt8(ascii: "0") {
            let radixes: [(prefix: String, radix: Int)] = [
                ("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2), ("0", 8),
            ]
            for (prefix, radix) in radixes where digits.hasPrefix(prefix) {
                let rest = digits.dropFirst(prefix.count)
                guard let start = rest.first, start != "+", start != "-" else { return nil }
                return Int64(rest, radix: radix)
            }
        }
        return Int64(digits)
    }
}
