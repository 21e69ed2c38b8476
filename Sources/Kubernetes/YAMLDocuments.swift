/// A file of YAML cut at its `---` lines, as kubectl cuts it.
///
/// Cutting before parsing lets one broken document be named without losing the ones after it: a
/// line that starts with `---` can be nothing else in YAML, whatever is around it.
package struct YAMLDocuments: Sendable {
    /// One document's text and where it starts.
    package struct Document: Sendable {
        /// Counts from 1, comments and blank documents left out.
        package let index: Int
        /// The line of the file it starts at, from 1.
        package let line: Int
        package let text: String
    }

    /// What one file may cost.
    package enum Limit {
        /// Room for some 100,000 objects.
        package static let fileBytesMax = 64 << 20
        /// An API server stores no object above 1.5 MiB.
        package static let documentBytesMax = 2 << 20
    }

    package let documents: [Document]

    /// Cuts a file; fails when it is too big or not UTF-8.
    package init(_ bytes: [UInt8]) throws(YAMLError) {
        guard bytes.count <= Limit.fileBytesMax else {
            throw YAMLError(reason: "the file is above \(Limit.fileBytesMax >> 20) MiB")
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let content = bytes.starts(with: byteOrderMark) ? bytes[3...] : bytes[...]
        var documents: [Document] = []
        var start = content.startIndex
        var startLine = 1
        var line = 1
        var lineStart = content.startIndex
        func finish(at end: Int) throws(YAMLError) {
            let piece = content[start..<end]
            guard Self.hasContent(piece) else { return }
            guard piece.count <= Limit.documentBytesMax else {
                throw YAMLError(
                    line: startLine,
                    reason: "a document is above \(Limit.documentBytesMax >> 20) MiB"
                )
            }
            guard let text = String(validating: piece, as: UTF8.self) else {
                throw YAMLError(line: startLine, reason: "the text is not UTF-8")
            }
            documents.append(Document(index: documents.count + 1, line: startLine, text: text))
        }
        while lineStart < content.endIndex {
            if Self.isSeparator(content[lineStart...]) {
                try finish(at: lineStart)
                start = lineStart
                startLine = line
            }
            let newline = content[lineStart...].firstIndex(of: UInt8(ascii: "\n"))
            lineStart = newline.map { $0 + 1 } ?? content.endIndex
            line += 1
        }
        try finish(at: content.endIndex)
        self.documents = documents
    }

    private static func isSeparator(_ line: ArraySlice<UInt8>) -> Bool {
        guard line.starts(with: "---".utf8) else { return false }
        guard let next = line.dropFirst(3).first else { return true }
        return " \t\r\n".utf8.contains(next)
    }

    // Whether anything but comments, directives and separators is in it.
    private static func hasContent(_ piece: ArraySlice<UInt8>) -> Bool {
        for line in piece.split(separator: UInt8(ascii: "\n")) {
            var rest = isSeparator(line) ? line.dropFirst(3) : line
            if rest.first == UInt8(ascii: "%") || rest.elementsEqual("...".utf8) { continue }
            rest = rest.drop { " \t\r".utf8.contains($0) }
            if let first = rest.first, first != UInt8(ascii: "#") { return true }
        }
        return false
    }
}

/// Why a text is not the YAML that is read here.
package struct YAMLError: Error, Hashable {
    /// The line of the text it concerns, from 1; nil when there is none.
    package var line: Int?
    package var reason: String

    package init(line: Int? = nil, reason: String) {
        self.line = line
        self.reason = reason
    }
}
