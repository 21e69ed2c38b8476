/// Numbers in rows and columns, for a terminal or for Markdown.
package struct ResultTable: Sendable {
    package let header: [String]
    package let rows: [[String]]

    /// Every quantity by contender, with Ambit's ratios to others at the end.
    package init(_ medians: Medians, ratiosTo others: [ContenderName]) {
        let shown = others.filter { medians.contenders.contains($0) }
        let ours = medians.contenders.contains(.ambit) ? shown : []
        header =
            ["", ""] + medians.contenders.map(\.title)
            + ours.map { "Ambit / \($0.title)" }
        rows = medians.quantities.compactMap { quantity in
            if quantity.figure == .errors,
                medians.contenders.allSatisfy({ (medians[quantity, $0] ?? 0) == 0 })
            {
                return nil
            }
            return [quantity.metric.title, quantity.figure.rawValue]
                + medians.contenders.map { Self.number(medians[quantity, $0]) }
                + ours.map { Self.ratio(medians.ratio(quantity, .ambit, to: $0)) }
        }
    }

    package init(header: [String], rows: [[String]]) {
        self.header = header
        self.rows = rows
    }

    /// The bars and what became of them.
    package init(verdicts: [Bar.Verdict]) {
        header = ["", "", "against", "value", "bar", ""]
        rows = verdicts.map { verdict in
            let bar = verdict.bar
            let sign = bar.isAtLeast ? "≥" : "≤"
            let (against, unit) =
                switch bar.reference {
                case .contender(let name): (name.title, "×")
                case .metric(let metric): (metric.title, "×")
                case .figure(let figure): (figure.rawValue, "×")
                case .absolute: ("", "")
                }
            return [
                bar.quantity.metric.title, bar.quantity.figure.rawValue, against,
                Self.ratio(verdict.value) + unit, "\(sign) \(Self.ratio(bar.limit))\(unit)",
                verdict.isMet ? "pass" : "FAIL",
            ]
        }
    }

    /// Columns side by side, as a terminal shows them.
    package func text() -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, cell in
                let fill = String(repeating: " ", count: widths[column] - cell.count)
                return column < 2 ? cell + fill : fill + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n") + "\n"
    }

    /// The table in Markdown.
    package func markdown() -> String {
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
        let rule = header.indices.map { $0 < 2 ? "---" : "---:" }
        return line(header) + line(rule) + rows.map(line).joined()
    }

    /// A number with as many digits as it is worth.
    package static func number(_ value: Double?) -> String {
        guard let value else { return "–" }
        switch abs(value) {
        case 1000...: return grouped(Int(value.rounded()))
        case 100..<1000: return String(Int(value.rounded()))
        case 10..<100: return fixed(value, 1)
        case 0: return "0"
        default: return fixed(value, 2)
        }
    }

    /// A ratio with the digits that tell small ones apart.
    package static func ratio(_ value: Double?) -> String {
        guard let value else { return "–" }
        return fixed(value, abs(value) < 0.1 ? 3 : 2)
    }

    /// A number with one digit after the point.
    package static func tenths(_ value: Double) -> String { fixed(value, 1) }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = digits == 1 ? 10.0 : digits == 2 ? 100 : 1000
        let scaled = Int((abs(value) * scale).rounded())
        let whole = scaled / Int(scale)
        let fraction = String(scaled % Int(scale))
        let fill = String(repeating: "0", count: digits - fraction.count)
        return (value < 0 ? "-" : "") + "\(whole)." + fill + fraction
    }

    private static func grouped(_ value: Int) -> String {
        var text = ""
        for (index, digit) in String(abs(value)).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }
}
