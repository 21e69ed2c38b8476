import Kubernetes
import Testing

@Suite struct `A YAML file` {
    private func documents(_ text: String) throws -> [YAMLDocuments.Document] {
        try YAMLDocuments(Array(text.utf8)).documents
    }

    @Test(arguments: [
        ("", []),
        ("\n# nothing\n---\n---\n  \n...\n", []),
        ("a: 1", [1]),
        ("a: 1\n---\nb: 2\n", [1, 2]),
        ("---\na: 1\n---\nb: 2\n---\n", [1, 3]),
        ("# head\n\n---\n# only a comment\n---\nb: 2\n", [5]),
        ("a: 1\r\n---\r\nb: 2\r\n", [1, 2]),
        ("%YAML 1.2\n---\na: 1\n", [2]),
        ("--- {a: 1}\n--- {b: 2}", [1, 2]),
        ("a: |\n  ---\n  text\n---\nb: 1", [1, 4]),
        ("a: ----\n", [1]),
        ("----\n", [1]),
    ])
    func `is cut at its separators, blank pieces left out`(text: String, lines: [Int]) throws {
        let documents = try documents(text)
        #expect(documents.map(\.line) == lines)
        #expect(documents.map(\.index) == Array(1..<(lines.count + 1)))
    }

    @Test func `may start with a byte order mark`() throws {
        let documents = try YAMLDocuments([0xEF, 0xBB, 0xBF] + Array("a: 1".utf8)).documents
        #expect(documents.map(\.text) == ["a: 1"])
    }

    @Test func `is refused with the line when it is not UTF-8`() throws {
        let bytes = Array("a: 1\n---\nb: ".utf8) + [0xC3, 0x28]
        #expect(throws: YAMLError(line: 2, reason: "the text is not UTF-8")) {
            try YAMLDocuments(bytes)
        }
    }

    @Test func `is refused above its size`() {
        let big = [UInt8](repeating: UInt8(ascii: " "), count: YAMLDocuments.Limit.fileBytesMax + 1)
        #expect(throws: YAMLError.self) { try YAMLDocuments(big) }
        let document = [UInt8](
            repeating: UInt8(ascii: "a"),
            count: YAMLDocuments.Limit.documentBytesMax + 1
        )
        #expect(throws: YAMLError(line: 1, reason: "a document is above 2 MiB")) {
            try YAMLDocuments(document)
        }
        #expect(throws: Never.self) { try YAMLDocuments(Array(document.dropLast())) }
    }
}
