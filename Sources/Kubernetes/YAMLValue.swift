internal import Yams

/// Reading one YAML document into a value, within bounds.
///
/// Yams expands aliases while it composes, hashing every key on the way, so what aliases could
/// grow a document to is bounded before it is parsed.
extension Value {
    /// What one document may ask of the parser.
    package enum YAMLLimit {
        /// Levels of lists and maps; no object that is read here has more than some 20.
        package static let depthMax = 64
        /// Brackets open at once, quoted ones included, before the parser is let near the text.
        package static let bracketsMax = 256
        /// The size that aliases may expand a document to.
        package static let expandedBytesMax = 64 << 20
    }

    /// Parses one document; a document without content is null.
    package init(yaml text: String) throws(YAMLError) {
        try Value.checkBounds(Array(text.utf8))
        let root: Yams.Node?
        do {
            root = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as Yams.YamlError {
            throw YAMLError(error)
        } catch {
            throw YAMLError(reason: "\(error)")
        }
        guard let root else {
            self = .null
            return
        }
        try self.init(node: root, depth: 1)
    }

    private init(node: Yams.Node, depth: Int) throws(YAMLError) {
        guard depth <= YAMLLimit.depthMax else {
            throw YAMLError(
                line: node.mark?.line,
                reason: "lists and maps are nested deeper than \(YAMLLimit.depthMax)"
            )
        }
        switch node {
        case .scalar(let scalar):
            self = Value.scalar(scalar)
        case .sequence(let sequence):
            var list: [Value] = []
            list.reserveCapacity(sequence.count)
            for element in sequence {
                list.append(try Value(node: element, depth: depth + 1))
            }
            self = .list(list)
        case .mapping(let mapping):
            var map: [String: Value] = [:]
            map.reserveCapacity(mapping.count)
            for (key, element) in mapping {
                let name = try Value.key(key)
                let value = try Value(node: element, depth: depth + 1)
                guard map.updateValue(value, forKey: name) == nil else {
                    throw YAMLError(line: key.mark?.line, reason: "the key \"\(name)\" is repeated")
                }
            }
            self = .map(map)
        case .alias:
            throw YAMLError(line: node.mark?.line, reason: "an alias was not resolved")
        }
    }

    private static func scalar(_ scalar: Yams.Node.Scalar) -> Value {
        // A quoted scalar has the tag `str`; a plain one has none unless the author wrote it.
        let isText = scalar.style != .plain || scalar.tag.description == Tag.Name.str.rawValue
        return isText ? .string(scalar.string) : Value(plainScalar: scalar.string)
    }

    private static func key(_ node: Yams.Node) throws(YAMLError) -> String {
        guard case .scalar(let scalar) = node else {
            throw YAMLError(line: node.mark?.line, reason: "a key must be a single word or string")
        }
        guard scalar.string != "<<" || scalar.style != .plain else {
            throw YAMLError(line: node.mark?.line, reason: "merge keys (<<) are not supported")
        }
        return scalar.string
    }

    // One pass over the text without a parser. It may count marks inside quotes and comments, so
    // both bounds leave room for what honest files hold.
    private static func checkBounds(_ text: [UInt8]) throws(YAMLError) {
        var brackets = 0
        var aliases = 0
        var anchors = 0
        var previous = UInt8(ascii: "\n")
        for (position, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                brackets += 1
                guard brackets <= YAMLLimit.bracketsMax else {
                    throw YAMLError(reason: "more than \(YAMLLimit.bracketsMax) open brackets")
                }
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                brackets = max(0, brackets - 1)
            case UInt8(ascii: "&"), UInt8(ascii: "*"):
                let next = position + 1 < text.count ? text[position + 1] : 0
                guard canPrecedeToken(previous), isAnchorName(next) else { break }
                if byte == UInt8(ascii: "*") { aliases += 1 } else { anchors += 1 }
            default:
                break
            }
            previous = byte
        }
        guard anchors > 0, aliases > 0 else { return }
        // Splitting n aliases into levels of three, each repeating the last, grows a text most.
        let levels = (aliases + 2) / 3
        var bytes = text.count
        for _ in 0..<levels where bytes <= YAMLLimit.expandedBytesMax {
            bytes *= 3
        }
        guard bytes <= YAMLLimit.expandedBytesMax else {
            throw YAMLError(
                reason: "\(aliases) aliases could expand the document beyond "
                    + "\(YAMLLimit.expandedBytesMax >> 20) MiB; write the values out"
            )
        }
    }

    private static func canPrecedeToken(_ byte: UInt8) -> Bool {
        byte >= 0x80 || " \t\r\n,[{:?".utf8.contains(byte)
    }

    private static func isAnchorName(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || "-_".utf8.contains(byte)
    }
}

extension YAMLError {
    // Only the facts: Yams' own description repeats the text around the mark.
    fileprivate init(_ error: Yams.YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, yaml: _),
            .parser(let context, let problem, let mark, yaml: _),
            .composer(let context, let problem, let mark, yaml: _):
            let prefix = context.map { $0.text + ": " } ?? ""
            self.init(line: mark.line, reason: prefix + problem)
        case .reader(let problem, offset: _, value: _, yaml: _):
            self.init(reason: problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(line: context.mark.line, reason: "the key \(keys) is repeated")
        case .memory:
            self.init(reason: "the document is nested too deeply")
        case .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            self.init(reason: "the document cannot be read: \(error)")
        }
    }
}
