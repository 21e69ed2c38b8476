package import Mesh

/// Reading optional children by name, with the zero value Kubernetes gives an absent field.
extension Field {
    /// A string; nil when absent.
    package func string(_ name: String) throws(FieldError) -> String? {
        try field(name)?.string()
    }

    /// A truth value; nil when absent.
    package func bool(_ name: String) throws(FieldError) -> Bool? {
        try field(name)?.bool()
    }

    /// A port number from 1 to 65535; nil when absent.
    package func port(_ name: String) throws(FieldError) -> UInt16? {
        try field(name)?.port()
    }

    /// The field as a port number from 1 to 65535.
    package func port() throws(FieldError) -> UInt16 {
        UInt16(try integer(in: 1...65535))
    }

    /// A list decoded element by element; empty when absent.
    package func list<Element>(
        _ name: String,
        _ decode: (Field) throws(FieldError) -> Element
    ) throws(FieldError) -> [Element] {
        guard let elements = try field(name)?.elements() else { return [] }
        var decoded: [Element] = []
        decoded.reserveCapacity(elements.count)
        for element in elements {
            decoded.append(try decode(element))
        }
        return decoded
    }

    /// A list of strings; empty when absent.
    package func strings(_ name: String) throws(FieldError) -> [String] {
        try list(name) { field throws(FieldError) in try field.string() }
    }

    /// A map of strings, such as labels; empty when absent.
    package func stringMap(_ name: String) throws(FieldError) -> [String: String] {
        guard let entries = try field(name)?.entries() else { return [:] }
        var decoded: [String: String] = [:]
        for (key, field) in entries {
            // An empty label value is often written as nothing at all: `key:`.
            decoded[key] = field.value == .null ? "" : try field.string()
        }
        return decoded
    }

    /// The name of another object; empty when absent.
    package func name(_ name: String, _ rule: ObjectName) throws(FieldError) -> String {
        guard let field = try field(name) else { return "" }
        let text = try field.string()
        guard text.isEmpty || rule.allows(text) else {
            throw field.refused(rule.rule, found: text)
        }
        return text
    }

    /// A list of IP addresses; empty when absent.
    package func addresses(_ name: String) throws(FieldError) -> [IPAddress] {
        try list(name) { field throws(FieldError) in try field.address() }
    }

    /// The field as an IP address.
    package func address() throws(FieldError) -> IPAddress {
        let text = try string()
        guard let address = IPAddress(text) else {
            throw refused("must be an IPv4 or IPv6 address", found: text)
        }
        return address
    }

    /// The names of children that are not in `known`, sorted, as paths.
    package func unknownChildren(besides known: Set<String>) throws(FieldError) -> [String] {
        try entries().filter { !known.contains($0.name) }.map(\.field.path)
    }
}
