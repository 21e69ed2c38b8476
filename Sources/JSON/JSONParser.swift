extension JSON {
    /// Why a text is no JSON that we accept, and where.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// Counts from 1.
        package let line: Int
        /// Counts bytes from 1.
        package let column: Int
        package let reason: String

        /// Line, column and reason.
        package var description: String { "line \(line), column \(column): \(reason)" }
    }

    /// Parses one value with nothing but white space around it.
    ///
    /// Refused beyond what `JSONScanner` refuses: input over `bytesMax`, an object with the same
    /// name twice.
    package static func parse(
        _ bytes: [UInt8],
        depthMax: Int = 64,
        bytesMax: Int = 256 << 20
    ) throws(Failure) -> JSON {
        var scanner = try JSONScanner(bytes, depthMax: depthMax, bytesMax: bytesMax)
        let value = try JSON(&scanner)
        try scanner.end()
        return value
    }

    private init(_ scanner: inout JSONScanner) throws(Failure) {
        switch try scanner.value() {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .list:
            var elements: [JSON] = []
            while try scanner.hasElement() { elements.append(try JSON(&scanner)) }
            self = .array(elements)
        case .map:
            self = .object(try JSON.members(&scanner))
        }
    }

    private static func members(_ scanner: inout JSONScanner) throws(Failure) -> [(String, JSON)] {
        var members: [(String, JSON)] = []
        var names: Set<String> = []
        while let name = try scanner.name() {
            // Most objects are small: a set is made only when comparing all would get slow.
            if members.count == 16 { names = Set(members.map(\.0)) }
            let isNew =
                members.count < 16
                ? !members.contains { $0.0 == name } : names.insert(name).inserted
            guard isNew else { throw scanner.repeated(name) }
            members.append((name, try JSON(&scanner)))
        }
        return members
    }
}
