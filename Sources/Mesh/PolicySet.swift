/// One policy of a snapshot, shared by every workload it applies to.
///
/// The same object stands in successive snapshots for as long as the policy does not change.
package final class PolicyRecord: Sendable {
    package let policy: Policy
    /// The policy's key `ns/name`.
    package let key: String
    /// The matches of each clause of each rule, boxed: asking them copies no lists.
    package let rules: [[[MatchRecord]]]

    init(_ policy: Policy) {
        self.policy = policy
        self.key = policy.key
        self.rules = policy.rules.map { rule in
            rule.clauses.map { clause in clause.matches.map { MatchRecord($0) } }
        }
    }
}

/// One match of a policy, with its fields noted so that absent ones cost nothing.
package final class MatchRecord: Sendable {
    package let match: Policy.Match
    /// Whether any field is there; a match without one never holds.
    package let hasField: Bool
    /// Whether it looks at the source's identity: principal, namespace or service account.
    package let looksAtIdentity: Bool
    /// Whether it looks at an address.
    package let looksAtAddress: Bool

    init(_ match: Policy.Match) {
        self.match = match
        looksAtIdentity =
            !(match.namespaces.isEmpty && match.notNamespaces.isEmpty
            && match.principals.isEmpty && match.notPrincipals.isEmpty
            && match.serviceAccounts.isEmpty && match.notServiceAccounts.isEmpty)
        looksAtAddress =
            !(match.sourceIPs.isEmpty && match.notSourceIPs.isEmpty
            && match.destinationIPs.isEmpty && match.notDestinationIPs.isEmpty)
        hasField =
            looksAtIdentity || looksAtAddress || !match.destinationPorts.isEmpty
            || !match.notDestinationPorts.isEmpty
    }
}

/// Policies of one origin (the whole mesh, a namespace, a workload's selectors) by what they do.
package final class PolicyGroup: Sendable {
    package let deny: [PolicyRecord]
    package let allow: [PolicyRecord]
    package let dryRunDeny: [PolicyRecord]
    package let dryRunAllow: [PolicyRecord]

    init(_ records: [PolicyRecord]) {
        deny = records.filter { !$0.policy.dryRun && $0.policy.action == .deny }
        allow = records.filter { !$0.policy.dryRun && $0.policy.action == .allow }
        dryRunDeny = records.filter { $0.policy.dryRun && $0.policy.action == .deny }
        dryRunAllow = records.filter { $0.policy.dryRun && $0.policy.action == .allow }
    }

    static let empty = PolicyGroup([])

    /// All of them, in the order of their keys.
    var records: [PolicyRecord] {
        (deny + allow + dryRunDeny + dryRunAllow).sorted { $0.key < $1.key }
    }

    var isEmpty: Bool {
        deny.isEmpty && allow.isEmpty && dryRunDeny.isEmpty && dryRunAllow.isEmpty
    }

    func hasSameRecords(as other: PolicyGroup) -> Bool {
        let isSame = { (one: PolicyRecord, two: PolicyRecord) in
            one === two || one.policy == two.policy
        }
        return deny.elementsEqual(other.deny, by: isSame)
            && allow.elementsEqual(other.allow, by: isSame)
            && dryRunDeny.elementsEqual(other.dryRunDeny, by: isSame)
            && dryRunAllow.elementsEqual(other.dryRunAllow, by: isSame)
    }
}

/// The policies that apply to a workload: of the mesh, of its namespace, and those it names.
///
/// One object serves all workloads of a namespace that name the same policies.
package final class PolicySet: Sendable {
    /// In the order they are evaluated: global, namespace, named by the workload.
    package let groups: [PolicyGroup]
    /// Keys the workload names that no policy of the snapshot has.
    package let unknown: [String]

    init(groups: [PolicyGroup], unknown: [String]) {
        self.groups = groups
        self.unknown = unknown
    }

    /// No policy at all.
    package static let empty = PolicySet(groups: [], unknown: [])

    func hasSameRecords(as other: PolicySet) -> Bool {
        unknown == other.unknown
            && groups.elementsEqual(other.groups) { $0 === $1 || $0.hasSameRecords(as: $1) }
    }
}
