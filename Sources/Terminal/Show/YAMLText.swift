internal import JSON
package import Kubernetes

extension Value {
    /// The value as YAML, members in the order of their names but those that name an object first.
    package var yaml: String {
        var text = ""
        Self.write(self, indent: 0, into: &text)
        return text
    }

    private static let leading = ["apiVersion", "kind", "metadata", "name", "namespace"]

    private static func write(_ value: Value, indent: Int, into text: inout String) {
        switch value {
        case .map(let fields) where !fields.isEmpty:
            for (name, field) in ordered(fields) {
                text += pad(indent) + scalar(.string(name)) + ":"
                writeNested(field, indent: indent, into: &text)
            }
        case .list(let elements) where !elements.isEmpty:
            for element in elements {
                var nested = ""
                write(element, indent: indent + 2, into: &nested)
                text += pad(indent) + "- " + nested.dropFirst(indent + 2)
            }
        default:
            text += pad(indent) + scalar(value) + "\n"
        }
    }

    private static func writeNested(_ value: Value, indent: Int, into text: inout String) {
        switch value {
        case .map(let fields) where !fields.isEmpty:
            text += "\n"
            write(value, indent: indent + 2, into: &text)
        case .list(let elements) where !elements.isEmpty:
            text += "\n"
            write(value, indent: indent, into: &text)
        default:
            text += " " + scalar(value) + "\n"
        }
    }

    private static func ordered(_ fields: [String: Value]) -> [(key: String, value: Value)] {
        fields.sorted { left, right in
            let places = (
                leading.firstIndex(of: left.key) ?? leading.count,
                leading.firstIndex(of: right.key) ?? leading.count
            )
            return places.0 == places.1 ? left.key < right.key : places.0 < places.1
        }
    }

    private static func pad(_ indent: Int) -> String { String(repeating: " ", count: indent) }

    private static func scalar(_ value: Value) -> String {
        if case .string(let text) = value, isPlain(text) { return text }
        // JSON is YAML.
        return String(decoding: value.json.compact(), as: UTF8.self)
    }

    // Text that no YAML reader takes for anything else.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x41...0x5A).contains(first & 0xDF) || first == 0x2F,
            text.utf8.allSatisfy({ isWord($0) }), text.utf8.last != UInt8(ascii: ":"),
            !text.contains(": "),
            case .string = Value(plainScalar: text)
        else { return false }
        return !["y", "n", "Y", "N", "null", "Null", "NULL", "nan", "inf"].contains(text)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte & 0xDF) || (0x30...0x39).contains(byte)
            || "_./@:-".utf8.contains(byte)
    }
}
