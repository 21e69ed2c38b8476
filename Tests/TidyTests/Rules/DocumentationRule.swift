/// What other modules see says what it is.
///
/// Left to the comment of their type are stored properties, whose names say it, and initialisers
/// that only store what they are given.
enum DocumentationRule {
    static func findings(in file: SourceFile) -> [Finding] {
        guard file.isSwift, file.module != nil else { return [] }
        return file.code.indices.compactMap { index in
            let words = DeclarationWords(file.code[index])
            guard let keyword = words.keyword, words.modifiers.contains("package"),
                keyword != "import", keyword != "extension",
                !isDocumented(index, in: file), !isEvident(keyword, index, in: file)
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
            let name = sides[0].hasPrefix("self.") ? sides[0].dropFirst(5) : sides[0]
            return name == sides[1] || name == sides[1] + "?"
        }
    }
}
