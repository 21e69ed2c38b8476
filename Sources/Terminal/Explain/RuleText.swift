internal import Mesh

/// Policy rules in words.
enum RuleText {
    /// One rule: its clauses, all of which must hold.
    static func text(of rule: Policy.Rule) -> String {
        let clauses = rule.clauses.map(text).filter { !$0.isEmpty }
        return clauses.isEmpty ? "everything" : clauses.joined(separator: " and ")
    }

    /// One clause: its alternatives.
    static func text(of clause: Policy.Clause) -> String {
        let matches = clause.matches.map(text).filter { !$0.isEmpty }
        guard matches.count > 1 else { return matches.first ?? "" }
        return "(" + matches.joined(separator: " or ") + ")"
    }

    /// One alternative: its fields, all of which must hold.
    static func text(of match: Policy.Match) -> String {
        let fields = [
            field(
                "port",
                match.destinationPorts.map { "\($0)" },
                match.notDestinationPorts.map { "\($0)" }
            ),
            principals(match),
            field("namespace", match.namespaces.map(text), match.notNamespaces.map(text)),
            field(
                "service account",
                match.serviceAccounts.map { "\($0.namespace)/\($0.serviceAccount)" },
                match.notServiceAccounts.map { "\($0.namespace)/\($0.serviceAccount)" }
            ),
            field(
                "source address",
                match.sourceIPs.map(\.description),
                match.notSourceIPs.map(\.description)
            ),
            field(
                "destination address",
                match.destinationIPs.map(\.description),
                match.notDestinationIPs.map(\.description)
            ),
        ]
        return fields.compactMap(\.self).joined(separator: " and ")
    }

    // A client without an identity is what a policy of STRICT looks for.
    private static func principals(_ match: Policy.Match) -> String? {
        guard match.notPrincipals == [.presence] else {
            return field("principal", match.principals.map(text), match.notPrincipals.map(text))
        }
        let rest = field("principal", match.principals.map(text), [])
        return "the client is not in the mesh" + (rest.map { " and " + $0 } ?? "")
    }

    private static func field(_ name: String, _ yes: [String], _ no: [String]) -> String? {
        var parts: [String] = []
        if !yes.isEmpty { parts.append("\(name) is \(list(yes))") }
        if !no.isEmpty { parts.append("\(name) is not \(list(no))") }
        return parts.isEmpty ? nil : parts.joined(separator: " and ")
    }

    private static func list(_ texts: [String]) -> String {
        let shown = texts.prefix(4).joined(separator: ", ")
        return texts.count > 4 ? "\(shown) or \(texts.count - 4) more" : shown
    }

    static func text(of match: Policy.StringMatch) -> String {
        switch match {
        case .exact(let text): text
        case .prefix(let text): text + "*"
        case .suffix(let text): "*" + text
        case .presence: "anyone in the mesh"
        }
    }
}
