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
    /// Refused beyond RFC 8259: nesting over `depthMax`, input over `bytesMax`, an object with the
    /// same name twice, text that is not UTF-8, numbers no `Double` holds.
    package static func parse(
        _ bytes: [UInt8],
        depthMax: Int = 64,
        bytesMax: Int = 256 << 20
    ) throws(Failure) -> JSON {
        guard bytes.count <= bytesMax else {
            throw Failure(
                line: 1,
                column: 1,
                reason: "\(bytes.count) bytes are over the limit of \(bytesMax)"
            )
        }
        var parser = JSONParser(bytes: bytes, depthMax: depthMax)
        return try parser.document()
    }
}

/// A cursor over the text; every read is checked against its end.
private struct JSONParser {
    let bytes: [UInt8]
    let depthMax: Int
    var position = 0

    init(bytes: [UInt8], depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    func failure(_ reason: String) -> JSON.Failure {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSON.Failure(line: line, column: before.count - lineStart + 1, reason: reason)
    }

    mutating func document() throws(JSON.Failure) -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        guard current == nil else { throw failure("text after the value") }
        return value
    }

    private mutating func skipSpace() {
        while let byte = current,
            byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
        {
            position += 1
        }
    }

    private mutating func value(depth: Int) throws(JSON.Failure) -> JSON {
        skipSpace()
        guard let byte = current else { throw failure("the text ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < depthMax else { throw failure("nested deeper than \(depthMax)") }
            position += 1
            return byte == UInt8(ascii: "{")
                ? try object(depth: depth + 1) : try array(depth: depth + 1)
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try number()
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw failure("no value starts like this")
        }
    }

    private mutating func literal(_ text: String, _ value: JSON) throws(JSON.Failure) -> JSON {
        for expected in text.utf8 {
            guard current == expected else { throw failure("expected \(text)") }
            position += 1
        }
        return value
    }

    private mutating func array(depth: Int) throws(JSON.Failure) -> JSON {
        var elements: [JSON] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw failure("expected , or ] in an array")
            }
        }
    }

    private mutating func object(depth: Int) throws(JSON.Failure) -> JSON {
        var members: [(String, JSON)] = []
        var names: Set<String> = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("expected a member name") }
            let name = try string()
            // Most objects are small: a set is made only when comparing all would get slow.
            if members.count == 16 { names = Set(members.map(\.0)) }
            let isNew =
                members.count < 16
                ? !members.contains { $0.0 == name } : names.insert(name).inserted
            guard isNew else { throw failure("the member \(quoted(name)) comes twice") }
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw failure("expected : after a name") }
            position += 1
            members.append((name, try value(depth: depth)))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(members)
            default: throw failure("expected , or } in an object")
            }
        }
    }

    private func quoted(_ name: String) -> String {
        String(decoding: JSON.string(String(name.prefix(64))).compact(), as: UTF8.self)
    }
}

extension JSONParser {
    private mutating func string() throws(JSON.Failure) -> String {
        position += 1
        let start = position
        // Most strings have no escape: find the end and take the bytes as they are.
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure("a control character in a string") }
            position += 1
        }
        if current == UInt8(ascii: "\"") {
            let text = String(validating: bytes[start..<position], as: UTF8.self)
            guard let text else { throw failure("the string before this is not UTF-8") }
            position += 1
            return text
        }
        return try escapedString(Array(bytes[start..<position]))
    }

    private mutating func escapedString(_ begun: [UInt8]) throws(JSON.Failure) -> String {
        var buffer = begun
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: buffer, as: UTF8.self) else {
                    throw failure("the string before this is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &buffer)
            case 0..<0x20:
                throw failure("a control character in a string")
            default:
                buffer.append(byte)
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(JSON.Failure) {
        guard let byte = current else { throw failure("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                guard current == UInt8(ascii: "\\") else { throw failure("half a surrogate pair") }
                position += 1
                guard current == UInt8(ascii: "u") else { throw failure("half a surrogate pair") }
                position += 1
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw failure("half a surrogate pair")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            buffer.append(contentsOf: String(Character(scalar)).utf8)
        default: throw failure("an unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws(JSON.Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else {
                throw failure("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private mutating func number() throws(JSON.Failure) -> JSON {
        let start = position
        var isWhole = true
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw failure("a number that is too large")
        }
        return .number(number)
    }

    private mutating func digits() throws(JSON.Failure) {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        guard position > start else { throw failure("expected a digit") }
    }
}
