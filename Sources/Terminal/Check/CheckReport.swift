package import Kubernetes

/// What was looked at and how it stands.
package struct CheckReport: Sendable, Equatable {
    /// How one thing stands.
    package enum Outcome: String, Sendable {
        case pass, warning, failure
    }

    /// One thing that was looked at.
    package struct Item: Sendable, Equatable {
        package let group: String
        package let title: String
        package let outcome: Outcome
        /// Why it is not as it should be; empty when it is.
        package let cause: String
        /// The command that mends it or tells more; empty when there is none.
        package let remedy: String
    }

    package private(set) var items: [Item] = []
    private var group = ""

    package init() {}

    /// What follows belongs under this title.
    package mutating func begin(_ group: String) { self.group = group }

    /// Notes what is as it should be.
    package mutating func pass(_ title: String) { add(title, .pass, "", "") }

    /// Notes what may be trouble.
    package mutating func warn(_ title: String, cause: String, remedy: String) {
        add(title, .warning, cause, remedy)
    }

    /// Notes what is wrong.
    package mutating func fail(_ title: String, cause: String, remedy: String) {
        add(title, .failure, cause, remedy)
    }

    private mutating func add(
        _ title: String,
        _ outcome: Outcome,
        _ cause: String,
        _ remedy: String
    ) {
        items.append(
            Item(group: group, title: title, outcome: outcome, cause: cause, remedy: remedy)
        )
    }

    /// How many things are wrong.
    package var failures: Int { items.count { $0.outcome == .failure } }
    /// How many things may be trouble.
    package var warnings: Int { items.count { $0.outcome == .warning } }

    /// Numbered lines under their groups, each failure with its cause and what mends it.
    package func text(_ style: Style = .plain) -> String {
        var lines: [String] = []
        var group = ""
        for (index, item) in items.enumerated() {
            if item.group != group {
                if !lines.isEmpty { lines.append("") }
                lines.append(style.bold(item.group))
                group = item.group
            }
            let mark =
                switch item.outcome {
                case .pass: style.good("ok  ")
                case .warning: style.warning("warn")
                case .failure: style.bad("FAIL")
                }
            let number = String(repeating: " ", count: index < 9 ? 1 : 0) + "\(index + 1)"
            lines.append("  \(number). \(mark)  \(Terminal.printable(item.title))")
            if !item.cause.isEmpty {
                lines.append("            because: \(Terminal.printable(item.cause))")
            }
            if !item.remedy.isEmpty { lines.append("            do:      \(item.remedy)") }
        }
        return (lines + ["", "\(verdict(style)), \(items.count) checked."])
            .joined(separator: "\n") + "\n"
    }

    private func verdict(_ style: Style) -> String {
        let warned = warnings == 1 ? "1 warning" : "\(warnings) warnings"
        if failures > 0 { return style.bad("\(failures) failed") + ", \(warned)" }
        return warnings > 0 ? style.warning("No failure, \(warned)") : style.good("All good")
    }

    /// The report for a program.
    package var value: Value {
        [
            "failures": .integer(Int64(failures)),
            "warnings": .integer(Int64(warnings)),
            "checks": .list(
                items.enumerated().map { index, item in
                    [
                        "number": .integer(Int64(index + 1)),
                        "group": .string(item.group),
                        "title": .string(item.title),
                        "outcome": .string(item.outcome.rawValue),
                        "cause": .string(item.cause),
                        "remedy": .string(item.remedy),
                    ]
                }
            ),
        ]
    }
}
