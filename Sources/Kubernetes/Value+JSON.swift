package import JSON

/// Values as the API server's JSON.
extension Value {
    /// What one JSON document may ask of the parser.
    package enum JSONLimit {
        /// Levels of lists and maps; an API server takes no custom object deeper than that.
        package static let depthMax = 128
        /// Room for a page of 500 objects of the largest size an API server stores by default
        /// would be 750 MiB; what is seen in practice is some 10 MiB.
        package static let bytesMax = 256 << 20
    }

    /// The same value out of parsed JSON.
    package init(_ json: JSON) {
        switch json {
        case .null: self = .null
        case .bool(let truth): self = .bool(truth)
        case .integer(let number): self = .integer(number)
        case .number(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .list(elements.map { Value($0) })
        case .object(let members):
            self = .map(Dictionary(members.map { ($0.0, Value($0.1)) }) { $1 })
        }
    }

    /// Parses one JSON document without what is to be left out; fails with the place when it is too
    /// big, too deep or no JSON.
    package init(
        json bytes: [UInt8],
        omitting omission: Omission = .nothing,
        bytesMax: Int = JSONLimit.bytesMax
    ) throws(JSON.Failure) {
        var scanner = try JSONScanner(bytes, depthMax: JSONLimit.depthMax, bytesMax: bytesMax)
        try self.init(&scanner, omission)
        try scanner.end()
    }

    private init(_ scanner: inout JSONScanner, _ omission: Omission) throws(JSON.Failure) {
        switch try scanner.value() {
        case .null: self = .null
        case .bool(let truth): self = .bool(truth)
        case .integer(let number): self = .integer(number)
        case .number(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .list:
            var elements: [Value] = []
            while try scanner.hasElement() { elements.append(try Value(&scanner, omission)) }
            self = .list(elements)
        case .map:
            var fields: [String: Value] = [:]
            while let name = try scanner.name() {
                let inside = omission[name]
                if inside?.isWhole == true {
                    try scanner.skip()
                } else {
                    let field = try Value(&scanner, inside ?? .nothing)
                    guard fields.updateValue(field, forKey: name) == nil else {
                        throw scanner.repeated(name)
                    }
                }
            }
            self = .map(fields)
        }
    }

    /// The value as JSON, the members of maps in the order of their names.
    package var json: JSON {
        switch self {
        case .null: .null
        case .bool(let truth): .bool(truth)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .string(let text): .string(text)
        case .list(let elements): .array(elements.map(\.json))
        case .map(let fields):
            .object(fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) })
        }
    }

    /// The value as compact JSON text; equal values make equal bytes.
    package func jsonBytes() -> [UInt8] { json.compact() }
}
