/// Files, functions and lines that can be read at a glance.
enum SizeRule {
    static let fileLinesMax = 600
    static let fileLinesWarning = 400
    static let functionLinesMax = 70
    static let lineColumnsMax = 100

    static func findings(in file: SourceFile) -> [Finding] {
        fileLines(file) + lineColumns(file) + functionLines(file)
    }

    /// Files that are allowed but should be parted soon.
    static func warnings(in file: SourceFile) -> [Finding] {
        guard !file.code.isEmpty, file.lines.count > fileLinesWarning,
            file.lines.count <= fileLinesMax
        else { return [] }
        return [
            file.finding(0, "\(file.lines.count) lines; part a file over \(fileLinesWarning)")
        ]
    }

    private static func fileLines(_ file: SourceFile) -> [Finding] {
        guard !file.code.isEmpty, file.lines.count > fileLinesMax else { return [] }
        return [file.finding(0, "\(file.lines.count) lines; at most \(fileLinesMax): part it")]
    }

    private static func lineColumns(_ file: SourceFile) -> [Finding] {
        // A row of a table in Markdown is one line, however long.
        let isText = file.path.hasPrefix("deploy/") && !file.path.hasSuffix(".md")
        guard !file.code.isEmpty || isText else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            if isLiteral(index, in: file) { return nil }
            guard line.utf8.count > lineColumnsMax, line.count > lineColumnsMax else { return nil }
            return file.finding(
                index + 1,
                "\(line.count) columns; at most \(lineColumnsMax)"
            )
        }
    }

    // What a test holds of other programs' texts is as wide as those write it; what the terminal
    // holds of deploy/ was judged there.
    private static func isLiteral(_ index: Int, in file: SourceFile) -> Bool {
        let isManifest = file.path.hasPrefix("Sources/Terminal/Manifests/")
        guard file.testKind != nil || isManifest, index < file.code.count else { return false }
        return file.code[index].allSatisfy { $0 == " " }
            && file.comments[index].allSatisfy { $0 == " " }
    }

    private static func functionLines(_ file: SourceFile) -> [Finding] {
        let functions =
            file.isSwift ? SwiftFunction.all(in: file.code) : CFunction.all(in: file.code)
        return functions.compactMap { lines in
            guard lines.count > functionLinesMax else { return nil }
            return file.finding(
                lines.lowerBound,
                "a function of \(lines.count) lines; at most \(functionLinesMax): name its steps"
            )
        }
    }
}

/// Where the functions of a C file begin and end, by line from 1.
enum CFunction {
    // A body opens at the end of a line that begins in the first column, and closes in it.
    static func all(in code: [String]) -> [ClosedRange<Int>] {
        var functions: [ClosedRange<Int>] = []
        var start: Int?
        for (index, line) in code.enumerated() {
            if let first = line.first, first.isLetter, line.contains("("), start == nil {
                start = index + 1
            }
            if line.hasPrefix("}"), let begin = start {
                functions.append(begin...(index + 1))
                start = nil
            } else if line.hasSuffix(";"), line.first?.isWhitespace == false {
                start = nil
            }
        }
        return functions
    }
}

/// Where the functions of a Swift file begin and end, by line from 1.
enum SwiftFunction {
    static func all(in code: [String]) -> [ClosedRange<Int>] {
        code.indices.compactMap { function(at: $0, in: code) }
    }

    /// The function that the line of this index declares, if it does and has a body.
    static func function(at index: Int, in code: [String]) -> ClosedRange<Int>? {
        guard declaresFunction(code[index]), let end = end(of: index, in: code) else { return nil }
        return (index + 1)...(end + 1)
    }

    private static func declaresFunction(_ line: String) -> Bool {
        let words = DeclarationWords(line)
        switch words.keyword {
        case "func", "init", "deinit", "subscript": return true
        case "var": return line.contains("{") && !line.contains("=")
        default: return false
        }
    }

    // The line of the brace that closes the body; nil for a requirement without one.
    private static func end(of start: Int, in code: [String]) -> Int? {
        var parentheses = 0
        var braces = 0
        for index in start..<code.count {
            if index > start, parentheses == 0, braces == 0, beginsAnew(code[index]) { return nil }
            for character in code[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{": braces += 1
                case "}":
                    braces -= 1
                    if braces == 0 { return index }
                    // The end of the protocol that a requirement stands in.
                    if braces < 0 { return nil }
                default: break
                }
            }
        }
        return nil
    }

    private static func beginsAnew(_ line: String) -> Bool {
        let trimmed = line.drop { $0 == " " }
        if trimmed.isEmpty || trimmed.hasPrefix("}") || trimmed.hasPrefix("@") { return true }
        return DeclarationWords(line).keyword != nil
    }
}

/// The words that begin a declaration, attributes left out.
struct DeclarationWords {
    /// Such as `package` and `static`, in order.
    let modifiers: [String]
    /// Such as `func`; nil when the line declares nothing.
    let keyword: String?

    private static let keywords: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let", "struct", "enum", "class", "protocol",
        "actor", "extension", "typealias", "associatedtype", "case", "import", "macro",
    ]
    private static let modifierWords: Set<String> = [
        "package", "public", "private", "fileprivate", "internal", "open", "static", "final",
        "mutating", "nonmutating", "consuming", "borrowing", "convenience", "required", "override",
        "indirect", "nonisolated", "lazy", "weak", "unowned", "isolated", "unsafe", "sending",
        "prefix", "postfix", "infix", "dynamic", "optional", "class", "distributed",
    ]

    init(_ line: String) {
        guard let first = line.utf8.first(where: { $0 != UInt8(ascii: " ") }),
            first == UInt8(ascii: "@") || first >= UInt8(ascii: "a") && first <= UInt8(ascii: "w")
        else {
            self.modifiers = []
            self.keyword = nil
            return
        }
        var modifiers: [String] = []
        var keyword: String?
        for word in line.split(separator: " ") {
            if word.hasPrefix("@") { continue }
            let bare = String(word.prefix { $0.isLetter })
            let rest = word.dropFirst(bare.count)
            let isClassModifier = bare == "class" && keyword == nil && modifiers.contains("static")
            if Self.keywords.contains(bare), !isClassModifier,
                rest.isEmpty || bare == "init" || bare == "subscript" || bare == "deinit"
            {
                keyword = bare
                break
            }
            guard Self.modifierWords.contains(bare) else { break }
            modifiers.append(String(word))
        }
        self.modifiers = modifiers
        self.keyword = keyword
    }
}
