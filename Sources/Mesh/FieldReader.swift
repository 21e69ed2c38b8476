import JSON

/// Why a state file is refused: the object, the field in it and the reason.
package struct MeshStateError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Such as `workloads[3] "cluster//Pod/shop/web"`; empty when the text is no JSON at all.
    package let object: String
    /// Such as `addresses[0]`; empty when the object as a whole is meant.
    package let field: String
    package let reason: String

    init(object: String, field: String, reason: String) {
        self.object = object
        self.field = field
        self.reason = reason
    }

    /// Object, field and reason, separated by colons.
    package var description: String {
        [object, field, reason].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// Takes the known fields out of a JSON object and refuses whatever is left.
///
/// Names are the lowerCamelCase of the proto fields; snake_case is taken for the same. Null counts
/// as absent, as in the JSON form of protobuf.
struct FieldReader {
    /// The longest text taken for a name or address, in bytes.
    static let textBytesMax = 2048
    /// No object has that many known fields.
    static let fieldsMax = 64

    private struct Field {
        /// In lowerCamelCase.
        let name: String
        /// As the text has it, for errors.
        let written: String
        let value: JSON
    }

    let object: String
    private let path: String
    /// What nobody took yet; objects are small, so a search beats a table.
    private var fields: [Field] = []

    init(_ value: JSON, object: String, path: String = "") throws(MeshStateError) {
        guard case .object(let members) = value else {
            throw MeshStateError(
                object: object,
                field: path,
                reason: "is \(value.kind), not an object"
            )
        }
        self.object = object
        self.path = path
        guard members.count <= Self.fieldsMax else {
            throw failure("", "has more than \(Self.fieldsMax) fields")
        }
        fields.reserveCapacity(members.count)
        for (written, member) in members {
            let name = Self.lowerCamel(written)
            guard !fields.contains(where: { $0.name == name }) else {
                throw failure(written, "is given twice")
            }
            fields.append(Field(name: name, written: written, value: member))
        }
    }

    private static func lowerCamel(_ name: String) -> String {
        guard name.utf8.contains(UInt8(ascii: "_")) else { return name }
        let parts = name.split(separator: "_", omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            index == 0 ? String(part) : part.prefix(1).uppercased() + part.dropFirst()
        }.joined()
    }

    func failure(_ field: String, _ reason: String) -> MeshStateError {
        let place = [path, field].filter { !$0.isEmpty }.joined(separator: ".")
        return MeshStateError(object: object, field: place, reason: reason)
    }

    /// The path of a field or element inside the object.
    func place(_ field: String) -> String { path.isEmpty ? field : path + "." + field }

    mutating func take(_ name: String) -> JSON? {
        guard let index = fields.firstIndex(where: { $0.name == name }) else { return nil }
        let value = fields.remove(at: index).value
        return value == .null ? nil : value
    }

    /// Refuses fields nobody took: a mistyped name must not pass for its absence.
    func finish() throws(MeshStateError) {
        guard let unknown = fields.first else { return }
        throw failure(String(unknown.written.prefix(128)), "is not a known field")
    }

    /// Drops fields of the protocol that mean nothing here.
    mutating func ignore(_ name: String) { _ = take(name) }

    /// A text without control characters; nil when absent.
    mutating func text(_ name: String) throws(MeshStateError) -> String? {
        guard let value = take(name) else { return nil }
        return try checkedText(value, name)
    }

    func checkedText(_ value: JSON, _ field: String) throws(MeshStateError) -> String {
        guard case .string(let text) = value else {
            throw failure(field, "is \(value.kind), not a string")
        }
        guard text.utf8.count <= Self.textBytesMax else {
            throw failure(field, "is longer than \(Self.textBytesMax) bytes")
        }
        // Names end up in logs and metrics: nothing there may start a line of its own.
        guard !text.unicodeScalars.contains(where: Self.isControl) else {
            throw failure(field, "has a control character")
        }
        return text
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    mutating func requiredText(_ name: String) throws(MeshStateError) -> String {
        guard let text = try text(name), !text.isEmpty else { throw failure(name, "is missing") }
        return text
    }

    /// A text that may stand in a SPIFFE id, and so in `ns/name` keys.
    mutating func requiredSegment(_ name: String) throws(MeshStateError) -> String {
        let text = try requiredText(name)
        guard SPIFFEID.isSegment(text) else {
            throw failure(name, "is not made of letters, digits, '-', '_' and '.' only")
        }
        return text
    }

    mutating func bool(_ name: String) throws(MeshStateError) -> Bool? {
        guard let value = take(name) else { return nil }
        guard case .bool(let flag) = value else {
            throw failure(name, "is \(value.kind), not a boolean")
        }
        return flag
    }

    mutating func unsigned(_ name: String) throws(MeshStateError) -> UInt32? {
        guard let value = take(name) else { return nil }
        return try checkedNumber(value, name)
    }

    mutating func port(_ name: String) throws(MeshStateError) -> UInt16? {
        guard let value = take(name) else { return nil }
        return try checkedPort(value, name)
    }

    func checkedPort(_ value: JSON, _ field: String) throws(MeshStateError) -> UInt16 {
        guard let port: UInt16 = try checkedNumber(value, field) else {
            throw failure(field, "is not a port number")
        }
        return port
    }

    private func checkedNumber<Number: FixedWidthInteger>(
        _ value: JSON,
        _ field: String
    ) throws(MeshStateError) -> Number? {
        guard case .integer(let number) = value else {
            throw failure(field, "is \(value.kind), not an integer")
        }
        guard let exact = Number(exactly: number) else {
            throw failure(field, "is \(number), not in 0...\(Number.max)")
        }
        return exact
    }

    /// The value an enum's name or number stands for; nil when absent.
    mutating func enumeration<Value>(
        _ name: String,
        _ table: EnumTable<Value>
    ) throws(MeshStateError) -> Value? {
        guard let value = take(name) else { return nil }
        return try checkedEnum(value, name, table)
    }

    func checkedEnum<Value>(
        _ value: JSON,
        _ field: String,
        _ table: EnumTable<Value>
    ) throws(MeshStateError) -> Value {
        let found =
            switch value {
            case .string(let text): table.cases.first { $0.name == text }
            case .integer(let number): table.cases.first { $0.number == number }
            case .null, .bool, .number, .array, .object:
                throw failure(field, "is \(value.kind), not the name of a value")
            }
        guard let found else {
            let names = table.cases.map(\.name).joined(separator: ", ")
            throw failure(field, "has an unknown value; known are \(names)")
        }
        return found.value
    }

    /// The elements of an array with their field names; empty when absent.
    mutating func list(_ name: String) throws(MeshStateError) -> [(field: String, value: JSON)] {
        guard let value = take(name) else { return [] }
        guard case .array(let elements) = value else {
            throw failure(name, "is \(value.kind), not an array")
        }
        return elements.enumerated().map { ("\(name)[\($0.offset)]", $0.element) }
    }

    /// Every element of an array turned into a value.
    mutating func map<Value>(
        _ name: String,
        _ decode: (FieldReader, JSON, String) throws(MeshStateError) -> Value
    ) throws(MeshStateError) -> [Value] {
        var values: [Value] = []
        for (field, value) in try list(name) { values.append(try decode(self, value, field)) }
        return values
    }

    /// A reader of an object inside this one.
    func nested(_ value: JSON, _ field: String) throws(MeshStateError) -> FieldReader {
        try FieldReader(value, object: object, path: place(field))
    }

    func checkedAddress(_ value: JSON, _ field: String) throws(MeshStateError) -> IPAddress {
        let text = try checkedText(value, field)
        guard let address = IPAddress(text) else { throw failure(field, "is not an IP address") }
        return address
    }
}

/// The names and numbers of a proto enum.
struct EnumTable<Value: Sendable & Equatable>: Sendable {
    struct Case: Sendable {
        let name: String
        let number: Int64
        let value: Value
    }

    let cases: [Case]

    /// Lists the values in the order of their numbers, from 0.
    init(_ cases: (String, Value)...) {
        self.cases = cases.enumerated().map {
            Case(name: $0.element.0, number: Int64($0.offset), value: $0.element.1)
        }
    }

    func name(of value: Value) -> JSON {
        cases.first { $0.value == value }.map { .string($0.name) } ?? .null
    }
}
