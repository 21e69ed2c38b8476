import Foundation

/// A text file of the repository by lines, and what of it is code.
struct SourceFile {
    /// The path from the repository's top, such as `Sources/Mesh/Policy.swift`.
    let path: String
    /// The lines as they stand, without their newlines.
    let lines: [String]
    /// The lines with comments and the contents of literals blanked out; only of Swift and C.
    let code: [String]
    /// The lines with everything but comments blanked out; only of Swift and C.
    let comments: [String]
    /// All code and all comments at once, to look whether a word is there at all.
    let codeBytes: Data
    let commentBytes: Data

    init(path: String, text: String) {
        self.path = path
        self.lines = Self.split(Array(text.utf8))
        let isCode = [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
        if isCode {
            var lexer = SourceLexer(text: Array(text.utf8), isSwift: path.hasSuffix(".swift"))
            lexer.run()
            self.code = Self.split(lexer.code)
            self.comments = Self.split(lexer.comments)
            self.codeBytes = Data(lexer.code)
            self.commentBytes = Data(lexer.comments)
        } else {
            self.code = []
            self.comments = []
            self.codeBytes = Data()
            self.commentBytes = Data()
        }
    }

    private static func split(_ bytes: [UInt8]) -> [String] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// The module under Sources or bench, or nil elsewhere and for what a generator wrote.
    var module: String? {
        if path.contains("/Generated/") { return nil }
        return folder(under: "Sources") ?? folder(under: "bench").flatMap { ModuleTable.bench[$0] }
    }

    /// The kind of test under Tests, or nil elsewhere.
    var testKind: String? {
        folder(under: "Tests").map { ModuleTable.testPrograms[$0] ?? $0 }
    }

    /// The last part of the path.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    private func folder(under top: String) -> String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == top ? String(parts[1]) : nil
    }

    func finding(_ line: Int, _ reason: String) -> Finding {
        Finding(path: path, line: line, reason: reason)
    }
}

/// Tells code, comments and literals apart, byte by byte.
struct SourceLexer {
    private enum Mode {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// `hashes` is how many stand before the quote; `isLong` for three quotes.
        case string(isLong: Bool, hashes: Int)
        /// Code inside a literal, up to the parenthesis that closes it.
        case interpolation(depth: Int)
    }

    private let text: [UInt8]
    private let isSwift: Bool
    private var position = 0
    private var modes: [Mode] = [.code]
    private(set) var code: [UInt8] = []
    private(set) var comments: [UInt8] = []

    init(text: [UInt8], isSwift: Bool) {
        self.text = text
        self.isSwift = isSwift
    }

    mutating func run() {
        while position < text.count {
            switch modes.last ?? .code {
            case .code: codeByte(depth: nil)
            case .interpolation(let depth): codeByte(depth: depth)
            case .lineComment:
                take(text[position...].prefix { $0 != newline }.count, isCode: false)
                modes.removeLast()
            case .blockComment(let depth): blockComment(depth: depth)
            case .string(let isLong, let hashes): stringByte(isLong: isLong, hashes: hashes)
            }
        }
    }

    private let newline = UInt8(ascii: "\n")
    private let space = UInt8(ascii: " ")

    // Moves on, keeping the byte on one side, on the other, or on neither.
    private mutating func take(_ count: Int = 1, isCode: Bool?) {
        for byte in text[position..<min(position + count, text.count)] {
            let isBlank = byte == newline
            code.append(isBlank || isCode == true ? byte : space)
            comments.append(isBlank || isCode == false ? byte : space)
        }
        position += count
    }

    private func starts(with word: String) -> Bool {
        text[position...].starts(with: word.utf8)
    }

    // Bytes that neither begin nor end anything in code.
    private func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), space, newline:
            true
        default: false
        }
    }

    private mutating func codeByte(depth: Int?) {
        if isPlain(text[position]) {
            let run = text[position...].prefix(while: isPlain).count
            take(run, isCode: true)
        } else if starts(with: "//") {
            modes.append(.lineComment)
            take(2, isCode: false)
        } else if starts(with: "/*") {
            modes.append(.blockComment(depth: 1))
            take(2, isCode: false)
        } else if let opening = openingQuote() {
            modes.append(.string(isLong: opening.isLong, hashes: opening.hashes))
            take(opening.hashes + (opening.isLong ? 3 : 1), isCode: true)
        } else if !isSwift, starts(with: "'") {
            characterLiteral()
        } else if isSwift, starts(with: "`") {
            rawIdentifier()
        } else {
            if let depth { parenthesis(depth: depth) }
            take(isCode: true)
        }
    }

    private mutating func parenthesis(depth: Int) {
        if starts(with: "(") {
            modes[modes.count - 1] = .interpolation(depth: depth + 1)
        } else if starts(with: ")") {
            if depth == 1 {
                modes.removeLast()
            } else {
                modes[modes.count - 1] = .interpolation(depth: depth - 1)
            }
        }
    }

    private func openingQuote() -> (isLong: Bool, hashes: Int)? {
        let hashes = isSwift ? text[position...].prefix { $0 == UInt8(ascii: "#") }.count : 0
        let rest = text[(position + hashes)...]
        if isSwift, rest.starts(with: "\"\"\"".utf8) { return (true, hashes) }
        return rest.first == UInt8(ascii: "\"") ? (false, hashes) : nil
    }

    private mutating func characterLiteral() {
        take(isCode: true)
        while position < text.count, !starts(with: "'"), text[position] != newline {
            take(starts(with: "\\") ? 2 : 1, isCode: nil)
        }
        if position < text.count { take(isCode: true) }
    }

    private mutating func rawIdentifier() {
        take(isCode: true)
        while position < text.count, !starts(with: "`"), text[position] != newline {
            take(isCode: nil)
        }
        if position < text.count { take(isCode: true) }
    }

    private mutating func blockComment(depth: Int) {
        if isSwift, starts(with: "/*") {
            modes[modes.count - 1] = .blockComment(depth: depth + 1)
            take(2, isCode: false)
        } else if starts(with: "*/") {
            if depth == 1 {
                modes.removeLast()
            } else {
                modes[modes.count - 1] = .blockComment(depth: depth - 1)
            }
            take(2, isCode: false)
        } else {
            take(isCode: false)
        }
    }

    private mutating func stringByte(isLong: Bool, hashes: Int) {
        let marks = String(repeating: "#", count: hashes)
        let closing = (isLong ? "\"\"\"" : "\"") + marks
        if starts(with: closing) {
            modes.removeLast()
            take(closing.utf8.count, isCode: true)
        } else if isSwift, starts(with: "\\" + marks + "(") {
            modes.append(.interpolation(depth: 1))
            take(2 + hashes, isCode: nil)
        } else if starts(with: "\\" + marks) {
            take(2 + hashes, isCode: nil)
        } else {
            // An unclosed literal is the compiler's to report: go on after the line.
            if text[position] == newline, !isLong { modes.removeLast() }
            take(isCode: nil)
        }
    }
}
