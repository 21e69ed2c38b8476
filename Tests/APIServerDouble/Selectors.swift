import Foundation
import Kubernetes

/// Which objects a request is about.
struct Selectors: Sendable {
    private enum Test: Sendable {
        case equals(String, String)
        case differs(String, String)
        case within(String, [String])
        case without(String, [String])
        case exists(String)
        case isAbsent(String)
    }

    private var fields: [Test] = []
    private var labels: [Test] = []
    let namespace: String?

    /// Reads `fieldSelector` and `labelSelector`.
    init(namespace: String?, fields: String, labels: String) {
        self.namespace = namespace
        self.fields = fields.split(separator: ",").map { Self.test(String($0)) }
        self.labels = Self.split(labels).map(Self.test)
    }

    func selects(_ object: Value) -> Bool {
        if let namespace, object["metadata"]["namespace"].stringValue != namespace { return false }
        return fields.allSatisfy { Self.holds($0) { Self.field($0, of: object) } }
            && labels.allSatisfy {
                Self.holds($0) { object["metadata"]["labels"][$0].stringValue }
            }
    }

    private static func field(_ path: String, of object: Value) -> String? {
        var value = object
        for name in path.split(separator: ".") { value = value[String(name)] }
        switch value {
        case .string(let text): return text
        case .bool(let truth): return "\(truth)"
        case .integer(let number): return "\(number)"
        // A field that is not set is empty text, as for the API server.
        case .null, .number, .list, .map: return ""
        }
    }

    private static func holds(_ test: Test, _ value: (String) -> String?) -> Bool {
        switch test {
        case .equals(let name, let text): value(name) == text
        case .differs(let name, let text): value(name) != text
        case .within(let name, let texts): value(name).map(texts.contains) ?? false
        case .without(let name, let texts): !(value(name).map(texts.contains) ?? false)
        case .exists(let name): value(name) != nil
        case .isAbsent(let name): value(name) == nil
        }
    }

    // At commas outside parentheses.
    private static func split(_ text: String) -> [String] {
        var parts: [String] = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func test(_ text: String) -> Test {
        for (word, isWithin) in [(" notin ", false), (" in ", true)] {
            guard let range = text.range(of: word) else { continue }
            let name = String(text[..<range.lowerBound])
            let values = text[range.upperBound...].trimmingCharacters(
                in: .init(charactersIn: "() ")
            )
            .split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            return isWithin ? .within(name, values) : .without(name, values)
        }
        for (sign, isEqual) in [("!=", false), ("==", true), ("=", true)] {
            guard let range = text.range(of: sign) else { continue }
            let name = String(text[..<range.lowerBound])
            let value = String(text[range.upperBound...])
            return isEqual ? .equals(name, value) : .differs(name, value)
        }
        return text.hasPrefix("!") ? .isAbsent(String(text.dropFirst())) : .exists(text)
    }
}
