/// Rows of text under column titles, as a person reads them.
package struct Table: Sendable, Equatable {
    package let columns: [String]
    package private(set) var rows: [[String]] = []

    package init(_ columns: [String]) { self.columns = columns }

    /// Adds a row; cells that are missing are empty, cells too many are left out.
    package mutating func add(_ cells: [String]) {
        let row = cells.prefix(columns.count).map { Terminal.printable($0.isEmpty ? "-" : $0) }
        rows.append(row + Array(repeating: "-", count: columns.count - row.count))
    }

    /// The lines, columns as wide as their widest cell, two spaces between, no trailing space.
    package func text(_ style: Style = .plain) -> String {
        var widths = columns.map(\.count)
        for row in rows {
            for (index, cell) in row.enumerated() where cell.count > widths[index] {
                widths[index] = cell.count
            }
        }
        func line(_ cells: [String]) -> String {
            var text = ""
            for (index, cell) in cells.enumerated() {
                let isLast = index == cells.count - 1
                let room = isLast ? 0 : widths[index] - cell.count + 2
                text += cell + String(repeating: " ", count: max(0, room))
            }
            return text
        }
        let head = style.bold(line(columns))
        return ([head] + rows.map { style.judged(line($0)) }).joined(separator: "\n") + "\n"
    }
}

/// What a person's terminal may be told.
package enum Terminal {
    /// Text that cannot move a cursor or change a colour: control characters become `?`.
    package static func printable(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !isControl($0) }
        guard !isPlain else { return text }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || isControl($0) ? "?" : $0 }
            )
        )
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        // DEL, C1, and the marks that turn the direction of text.
        (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value)
    }
}
