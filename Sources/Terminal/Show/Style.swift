/// Colours, or none.
package struct Style: Sendable, Equatable {
    private let isColoured: Bool

    /// Text as it is.
    package static let plain = Style(isColoured: false)
    /// With the escape sequences of ECMA-48 for colours.
    package static let coloured = Style(isColoured: true)

    private init(isColoured: Bool) { self.isColoured = isColoured }

    /// Colours only on a terminal that takes them, and not against the user's will (NO_COLOR).
    package init(isTerminal: Bool, environment: [String: String]) {
        let isUnwanted = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        isColoured = isTerminal && !isUnwanted && environment["TERM"] != "dumb"
    }

    /// Text that stands out.
    package func bold(_ text: String) -> String { wrapped(text, "1") }
    /// What is good.
    package func good(_ text: String) -> String { wrapped(text, "32") }
    /// What wants a look.
    package func warning(_ text: String) -> String { wrapped(text, "33") }
    /// What is bad.
    package func bad(_ text: String) -> String { wrapped(text, "31") }

    private static let badWords = ["Unavailable", "Unhealthy", "NotReady", "DENY"]

    // A row that says something bad stands out as a whole, so that columns keep their places.
    func judged(_ line: String) -> String {
        guard isColoured else { return line }
        let words = line.split { " :".contains($0) }
        return words.contains { Self.badWords.contains(String($0)) } ? bad(line) : line
    }

    private func wrapped(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
