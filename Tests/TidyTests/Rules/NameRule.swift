/// Files and types are named for what they are.
enum NameRule {
    private static let empty = [
        "Util", "Utils", "Utilities", "Helper", "Helpers", "Common", "Manager", "Extras", "Misc",
    ]

    static func findings(in file: SourceFile) -> [Finding] {
        guard file.module != nil || file.testKind != nil else { return [] }
        var findings: [Finding] = []
        for part in file.path.split(separator: "/") {
            let stem = part.split(separator: ".").first ?? part
            if let word = emptyWord(in: String(stem)) {
                findings.append(
                    file.finding(0, "`\(word)` says nothing: name it for what it is")
                )
            }
        }
        guard file.isSwift else { return findings }
        for (index, line) in file.code.enumerated() {
            guard let name = typeName(line), let word = emptyWord(in: name) else { continue }
            findings.append(
                file.finding(index + 1, "`\(word)` in `\(name)` says nothing: name what it is")
            )
        }
        return findings
    }

    private static func typeName(_ line: String) -> String? {
        let keyword = DeclarationWords(line).keyword
        guard let keyword, ["struct", "class", "enum", "protocol", "actor"].contains(keyword),
            let range = line.firstRange(of: keyword + " ")
        else { return nil }
        return String(line[range.upperBound...].prefix { $0.isLetter || $0.isNumber })
    }

    // The word as a part of a name in camel case, such as `Manager` in `PoolManager`.
    private static func emptyWord(in name: String) -> String? {
        var words: [String] = []
        for character in name {
            if character.isUppercase || words.isEmpty {
                words.append(String(character))
            } else {
                words[words.count - 1].append(character)
            }
        }
        return words.first { word in empty.contains { $0.lowercased() == word.lowercased() } }
    }
}
