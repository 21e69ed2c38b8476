/// Why a field of an object was refused.
package struct FieldError: Error, Hashable, CustomStringConvertible {
    /// The path from the object's root, such as `spec.ports[0].port`; empty for the root.
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// The path and the reason, as a person reads them.
    package var description: String { path.isEmpty ? reason : path + ": " + reason }

    /// Text from a file as it may stand in an error: in quotes, printable, cut at 80 characters.
    package static func quoted(_ text: String) -> String { "\"\(printable(text))\"" }

    /// Text from a file with what a terminal would act on replaced, cut at 80 characters.
    package static func printable(_ text: String) -> String {
        let shown = String.UnicodeScalarView(
            text.unicodeScalars.prefix(80).map { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse: "?"
                default: scalar
                }
            }
        )
        return text.unicodeScalars.count > 80 ? String(shown) + "…" : String(shown)
    }
}

/// A value and the way to it, from which typed objects read their fields.
///
/// A field that is absent and a field that is null are the same, as in Kubernetes.
package struct Field: Sendable {
    package let value: Value
    private let trail: Trail

    // The path, spelled out only when an error needs it.
    private indirect enum Trail: Sendable {
        case root
        case name(Trail, String)
        case index(Trail, Int)

        var path: String {
            switch self {
            case .root: ""
            case .name(.root, let name): FieldError.printable(name)
            case .name(let parent, let name): parent.path + "." + FieldError.printable(name)
            case .index(let parent, let index): parent.path + "[\(index)]"
            }
        }
    }

    /// Starts at the root of an object.
    package init(root value: Value) {
        self.value = value
        self.trail = .root
    }

    private init(value: Value, trail: Trail) {
        self.value = value
        self.trail = trail
    }

    /// The path from the object's root.
    package var path: String { trail.path }

    /// Makes the error that refuses this field.
    package func refused(_ reason: String) -> FieldError {
        FieldError(path: path, reason: reason)
    }

    /// Makes the error that refuses this field for the text it holds.
    package func refused(_ reason: String, found text: String) -> FieldError {
        refused("\(reason), found \(FieldError.quoted(text))")
    }

    /// The field of that name; nil when it is absent or null.
    package func field(_ name: String) throws(FieldError) -> Field? {
        guard let child = try map()[name], child != .null else { return nil }
        return Field(value: child, trail: .name(trail, name))
    }

    /// The field of that name, which must be there.
    package func required(_ name: String) throws(FieldError) -> Field {
        guard let child = try field(name) else {
            throw FieldError(
                path: Trail.name(trail, name).path,
                reason: "is required"
            )
        }
        return child
    }

    /// The names and fields of a map, sorted by name.
    package func entries() throws(FieldError) -> [(name: String, field: Field)] {
        try map().sorted { $0.key < $1.key }.map { name, value in
            (name, Field(value: value, trail: .name(trail, name)))
        }
    }

    /// The elements of a list.
    package func elements() throws(FieldError) -> [Field] {
        guard case .list(let values) = value else { throw mismatch("a list") }
        return values.enumerated().map { index, value in
            Field(value: value, trail: .index(trail, index))
        }
    }

    /// The field as text; a number or boolean is not text, as for the API server.
    package func string() throws(FieldError) -> String {
        switch value {
        case .string(let text): return text
        case .bool, .integer, .number:
            throw refused("must be a string, found \(value.kind); put it in quotes")
        case .null, .list, .map: throw mismatch("a string")
        }
    }

    /// The field as a truth value.
    package func bool() throws(FieldError) -> Bool {
        guard case .bool(let truth) = value else { throw mismatch("true or false") }
        return truth
    }

    /// The field as a whole number within bounds.
    package func integer(in range: ClosedRange<Int64>) throws(FieldError) -> Int64 {
        guard case .integer(let number) = value else { throw mismatch("a whole number") }
        guard range.contains(number) else {
            throw refused("must be \(range.lowerBound) to \(range.upperBound), found \(number)")
        }
        return number
    }

    private func map() throws(FieldError) -> [String: Value] {
        guard case .map(let fields) = value else { throw mismatch("a map") }
        return fields
    }

    private func mismatch(_ expected: String) -> FieldError {
        refused("must be \(expected), found \(value.kind)")
    }
}
