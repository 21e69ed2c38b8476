/// An ordered list of header fields, pseudo-headers included.
///
/// All names and values lie in one byte array, so that a list costs two allocations however many
/// fields it has. Names are lower case on the wire of HTTP/2; values are bytes and need not be
/// UTF-8. Lookups walk the list: it is short (at most `HTTP2Limits.headerFieldsMax`).
package struct HeaderFields: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        var start: UInt32
        var nameLength: UInt32
        var valueLength: UInt32

        var name: Range<Int> { Int(start)..<Int(start) + Int(nameLength) }
        var value: Range<Int> {
            let valueStart = Int(start) + Int(nameLength)
            return valueStart..<valueStart + Int(valueLength)
        }
    }

    private(set) var bytes: [UInt8] = []
    private(set) var entries: [Entry] = []

    /// Makes an empty list.
    package init() {}

    /// The number of fields.
    package var count: Int { entries.count }

    /// Whether there is no field.
    package var isEmpty: Bool { entries.isEmpty }

    /// The size RFC 9113 §6.5.2 counts: names, values and 32 bytes for each field.
    package var listBytes: Int { bytes.count + 32 * entries.count }

    /// Adds a field at the end; the name must be in lower case.
    package mutating func append(_ name: String, _ value: String) {
        append(name: name.utf8, value: value.utf8)
    }

    /// Adds a field given as bytes at the end; the name must be in lower case.
    package mutating func append(name: some Sequence<UInt8>, value: some Sequence<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: name)
        let nameEnd = bytes.count
        bytes.append(contentsOf: value)
        entries.append(
            Entry(
                start: UInt32(truncatingIfNeeded: start),
                nameLength: UInt32(truncatingIfNeeded: nameEnd - start),
                valueLength: UInt32(truncatingIfNeeded: bytes.count - nameEnd)
            )
        )
    }

    /// Makes room for that many fields and bytes at once.
    package mutating func reserve(fields: Int, bytes byteCount: Int) {
        entries.reserveCapacity(fields)
        bytes.reserveCapacity(byteCount)
    }

    /// The name of the field at a position below `count`.
    package func name(at position: Int) -> String {
        String(decoding: bytes[entries[position].name], as: UTF8.self)
    }

    /// The value of the field at a position below `count`; bytes that are no UTF-8 are repaired.
    package func value(at position: Int) -> String {
        String(decoding: bytes[entries[position].value], as: UTF8.self)
    }

    /// The bytes of the value at a position below `count`, as they came.
    package func valueBytes(at position: Int) -> ArraySlice<UInt8> {
        bytes[entries[position].value]
    }

    /// The value of the first field of that name, given in lower case.
    package subscript(name: String) -> String? {
        firstPosition(of: name).map(value(at:))
    }

    /// The values of all fields of that name, in order.
    package func values(of name: String) -> [String] {
        entries.indices.filter { isNamed($0, name) }.map(value(at:))
    }

    /// The position of the first field of that name.
    package func firstPosition(of name: String) -> Int? {
        entries.indices.first { isNamed($0, name) }
    }

    /// Whether the field at a position below `count` has that name.
    package func isNamed(_ position: Int, _ name: String) -> Bool {
        let range = entries[position].name
        return range.count == name.utf8.count && bytes[range].elementsEqual(name.utf8)
    }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
    /// Makes a list from pairs, keeping their order and repeated names.
    package init(dictionaryLiteral pairs: (String, String)...) {
        for (name, value) in pairs {
            append(name, value)
        }
    }
}

extension HeaderFields: CustomStringConvertible {
    /// One `name: value` line for each field, for tests and debugging.
    package var description: String {
        entries.indices.map { name(at: $0) + ": " + value(at: $0) }.joined(separator: "\n")
    }
}
