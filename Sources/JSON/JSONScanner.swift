/// Reads a JSON text (RFC 8259) once, from start to end, for whoever builds something of it.
///
/// A reader asks for a `value`; of a list it then asks `hasElement` before each element, of a map
/// for each member's `name`, and reads or skips the value after it. Refused beyond the RFC: nesting
/// over `depthMax`, text that is not UTF-8, numbers no `Double` holds. That a name comes twice is
/// for the reader to see. After an error nothing more can be read.
package struct JSONScanner {
    /// A value, or the beginning of one.
    package enum Token: Sendable, Equatable {
        case null
        case bool(Bool)
        /// A number without fraction or exponent that fits.
        case integer(Int64)
        /// Any other number; always finite.
        case number(Double)
        case string(String)
        /// Its elements come next.
        case list
        /// Its members come next.
        case map
    }

    private let bytes: [UInt8]
    private let depthMax: Int
    private var position = 0
    // Lists and maps that are open.
    private var depth = 0
    // Whether the innermost of them was just opened.
    private var isFresh = false

    /// Starts before the only value; fails when the text is over `bytesMax`.
    package init(_ bytes: [UInt8], depthMax: Int, bytesMax: Int) throws(JSON.Failure) {
        guard bytes.count <= bytesMax else {
            throw JSON.Failure(
                line: 1,
                column: 1,
                reason: "\(bytes.count) bytes are over the limit of \(bytesMax)"
            )
        }
        self.bytes = bytes
        self.depthMax = depthMax
    }

    /// Reads a value, or into one.
    package mutating func value() throws(JSON.Failure) -> Token {
        skipSpace()
        guard let byte = current else { throw failure("the text ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < depthMax else { throw failure("nested deeper than \(depthMax)") }
            position += 1
            depth += 1
            isFresh = true
            return byte == UInt8(ascii: "{") ? .map : .list
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

    /// Whether the list goes on; its next element is then to be read.
    package mutating func hasElement() throws(JSON.Failure) -> Bool {
        skipSpace()
        if current == UInt8(ascii: "]") {
            close()
            return false
        }
        if !isFresh {
            guard current == UInt8(ascii: ",") else { throw failure("expected , or ] in an array") }
            position += 1
        }
        isFresh = false
        return true
    }

    /// The name of the map's next member, whose value is then to be read; nil at its end.
    package mutating func name() throws(JSON.Failure) -> String? {
        skipSpace()
        if current == UInt8(ascii: "}") {
            close()
            return nil
        }
        if !isFresh {
            guard current == UInt8(ascii: ",") else {
                throw failure("expected , or } in an object")
            }
            position += 1
            skipSpace()
        }
        isFresh = false
        guard current == UInt8(ascii: "\"") else { throw failure("expected a member name") }
        let name = try string()
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw failure("expected : after a name") }
        position += 1
        return name
    }

    /// Goes past a value without looking closer than it takes to find its end: brackets are
    /// counted, not matched, and nothing in it is refused.
    package mutating func skip() throws(JSON.Failure) {
        skipSpace()
        guard let first = current, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            _ = try value()
            return
        }
        var open = 0
        repeat {
            guard let byte = current else { throw failure("the text ends inside a value") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): try skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            default: break
            }
        } while open > 0
    }

    /// Fails unless nothing but white space follows.
    package mutating func end() throws(JSON.Failure) {
        skipSpace()
        guard current == nil else { throw failure("text after the value") }
    }

    /// An error at the place reached.
    package func failure(_ reason: String) -> JSON.Failure {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSON.Failure(line: line, column: before.count - lineStart + 1, reason: reason)
    }

    /// An error for a name that the map had before.
    package func repeated(_ name: String) -> JSON.Failure {
        let quoted = JSON.string(String(name.prefix(64))).compact()
        return failure("the member \(String(decoding: quoted, as: UTF8.self)) comes twice")
    }

    // MARK: every read is checked against the end

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current,
            byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
        {
            position += 1
        }
    }

    private mutating func close() {
        position += 1
        depth -= 1
        isFresh = false
    }

    private mutating func literal(_ text: String, _ value: Token) throws(JSON.Failure) -> Token {
        for expected in text.utf8 {
            guard current == expected else { throw failure("expected \(text)") }
            position += 1
        }
        return value
    }

    private mutating func number() throws(JSON.Failure) -> Token {
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

extension JSONScanner {
    private mutating func string() throws(JSON.Failure) -> String {
        position += 1
        let start = position
        // Most strings have no escape: find the end and take the bytes as they are.
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure("a control character in a string") }
            position += 1
        }
        guard current == UInt8(ascii: "\"") else {
            return try escapedString(Array(bytes[start..<position]))
        }
        guard let text = text(start..<position) else {
            throw failure("the string before this is not UTF-8")
        }
        position += 1
        return text
    }

    private func text(_ range: Range<Int>) -> String? {
        guard let text = try? UTF8Span(validating: bytes.span.extracting(range)) else { return nil }
        return String(copying: text)
    }

    // The quote that begins it is read.
    private mutating func skipString() throws(JSON.Failure) {
        while let byte = current {
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return }
        }
        throw failure("the text ends inside a string")
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
}
