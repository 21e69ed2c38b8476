/// A text with parts between markers that a program writes: `<!-- begin NAME -->` and its end.
package struct MarkedText: Sendable {
    package private(set) var text: String

    package init(_ text: String) { self.text = text }

    /// Puts a new text between the markers of a name; false when the text has no such markers.
    package mutating func replace(_ name: String, with new: String) -> Bool {
        let begin = "<!-- begin \(name) -->\n"
        let end = "<!-- end \(name) -->"
        guard let start = text.firstRange(of: begin),
            let stop = text[start.upperBound...].firstRange(of: end)
        else { return false }
        text.replaceSubrange(start.upperBound..<stop.lowerBound, with: "\n" + new + "\n")
        return true
    }
}
