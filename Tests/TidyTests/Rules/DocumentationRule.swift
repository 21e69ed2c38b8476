/// What other modules see says what it is.
///
/// Left to the comment of their type are stored properties, whose names say it, and initialisers
/// that only store what they are given; to the comment of a protocol, what meets its requirements.
enum DocumentationRule {
    /// The names of functions that protocols ask for.
    static func requirements(in files: [SourceFile]) -> Set<String> {
        var names: Set<String> = ["description", "hash"]
        for file in files where file.isSwift {
            var isProtocol = false
            for line in file.code {
                let words = DeclarationWords(line)
                if words.keyword == "protocol" { isProtocol = !line.contains("}") }
                if line.hasPrefix("}") { isProtocol = false }
                if isProtocol, words.keyword == "func" { names.insert(name(of: line)) }
            }
        }
        return names
    }

    private static func name(of line: String) -> String {
        let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        guard let place = words.firstIndex(where: { $0 == "func" || $0 == "var" }),
            place + 1 < words.count
        else { return "" }
        return String(words[place + 1])
    }

    static func findings(in file: SourceFile, requirements: Set<String> = []) -> [Finding] {
        guard file.isSwift, file.module != nil else { return [] }
        return file.code.indices.compactMap { index in
            let words = DeclarationWords(file.code[index])
            guard let keyword = words.keyword, words.modifiers.contains("package"),
                keyword != "import", keyword != "extension",
                !isDocumented(index, in: file), !isEvident(keyword, index, in: file),
                !requirements.contains(name(of: file.code[index]))
            else { return nil }
            return file.finding(
                index + 1,
                "a package \(keyword) without a `///` sentence that says what it is"
            )
        }
    }

    private static func isDocumented(_ index: Int, in file: SourceFile) -> Bool {
        var line = index - 1
        while line >= 0, isAttribute(file.code[line]) { line -= 1 }
        return line >= 0 && file.lines[line].drop { $0 == " " }.hasPrefix("///")
    }

    private static func isAttribute(_ line: String) -> Bool {
        line.drop { $0 == " " }.hasPrefix("@")
    }

    private static func isEvident(_ keyword: String, _ index: Int, in file: SourceFile) -> Bool {
        switch keyword {
        case "let": return true
        case "var": return !hasBody(file.code[index])
        case "init": return onlyStores(index, in: file)
        default: return false
        }
    }

    private static func hasBody(_ line: String) -> Bool {
        guard let brace = line.firstIndex(of: "{") else { return false }
        // A stored property with a default that is a closure, or one that is observed.
        return !line[..<brace].contains("=")
    }

    private static func onlyStores(_ index: Int, in file: SourceFile) -> Bool {
        guard let body = SwiftFunction.function(at: index, in: file.code) else { return false }
        let text = file.code[(body.lowerBound - 1)...(body.upperBound - 1)].joined(separator: "\n")
        guard let open = text.firstIndex(of: "{"), let close = text.lastIndex(of: "}") else {
            return false
        }
        let statements = text[text.index(after: open)..<close]
            .split(whereSeparator: { $0 == "\n" || $0 == ";" })
            .map { $0.filter { $0 != " " } }
            .filter { !$0.isEmpty }
        return statements.allSatisfy { statement in
            let sides = statement.split(separator: "=")
            guard sides.count == 2 else { return false }
            // A name on the left, and on the right nothing that is worked out.
            return !sides[0].contains("(") && !sides[1].contains { "({+-*/?!".contains($0) }
        }
    }
}
