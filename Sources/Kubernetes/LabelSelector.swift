/// The labels a workload must have for a policy to apply to it.
package struct LabelSelector: Sendable, Equatable {
    /// All of them must be there; an empty selector selects everything.
    package var matchLabels: [String: String]

    package init(matchLabels: [String: String]) {
        self.matchLabels = matchLabels
    }

    /// Reads a policy's selector, adding the paths of fields that are not known to `unknown`.
    package init(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(besides: ["matchLabels"])
        matchLabels = try field.stringMap("matchLabels")
    }

    /// Whether an object with these labels is selected.
    package func selects(_ labels: [String: String]) -> Bool {
        matchLabels.allSatisfy { labels[$0.key] == $0.value }
    }
}
