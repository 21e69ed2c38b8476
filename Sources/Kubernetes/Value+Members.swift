/// Reaching into untyped objects, and writing them down in programs.
extension Value {
    /// The field of that name; null when it is absent or this is no map.
    ///
    /// Setting null removes the field; setting anything makes a map of what was none.
    package subscript(name: String) -> Value {
        get {
            guard case .map(let fields) = self else { return .null }
            return fields[name] ?? .null
        }
        set {
            var fields: [String: Value] = [:]
            if case .map(let old) = self { fields = old }
            // Leaves one owner of the fields, so that changing them copies nothing.
            self = .null
            fields[name] = newValue == .null ? nil : newValue
            self = .map(fields)
        }
    }

    /// The text, if it is one.
    package var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The truth value, if it is one.
    package var boolValue: Bool? {
        if case .bool(let truth) = self { truth } else { nil }
    }

    /// The whole number, if it is one.
    package var integerValue: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }

    /// The elements, if it is a list.
    package var listValue: [Value]? {
        if case .list(let elements) = self { elements } else { nil }
    }

    /// The fields, if it is a map.
    package var mapValue: [String: Value]? {
        if case .map(let fields) = self { fields } else { nil }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes text.
    package init(stringLiteral value: String) { self = .string(value) }
    /// Makes a truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes a whole number.
    package init(integerLiteral value: Int64) { self = .integer(value) }
    /// Makes a list.
    package init(arrayLiteral elements: Value...) { self = .list(elements) }
    /// Makes a map; of fields with the same name the last one stays.
    package init(dictionaryLiteral elements: (String, Value)...) {
        self = .map(Dictionary(elements) { $1 })
    }
}
