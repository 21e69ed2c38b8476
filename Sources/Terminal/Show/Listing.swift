internal import JSON
package import Kubernetes

/// One answer: a table for people, and the same as a value for programs.
package struct Listing: Sendable {
    /// How an answer is written.
    package enum Format: String, Sendable, CaseIterable {
        case table, json, yaml
    }

    package var table: Table
    package var value: Value
    /// Stands below the table.
    package var note = ""

    package init(table: Table, value: Value, note: String = "") {
        self.table = table
        self.value = value
        self.note = note
    }

    /// The answer as it is written.
    package func text(_ format: Format, _ style: Style = .plain) -> String {
        switch format {
        case .table:
            let body = table.rows.isEmpty ? "" : table.text(style)
            return body + (note.isEmpty ? "" : note + "\n")
        case .json: return String(decoding: value.json.pretty(), as: UTF8.self)
        case .yaml: return value.yaml
        }
    }
}
