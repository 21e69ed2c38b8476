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

/// Finds the policies of each workload while a snapshot is built.
struct PolicyIndex {
    struct SetKey: Hashable, Sendable {
        let namespace: String
        let named: [String]
    }

    let records: [PolicyRecord]
    private let byKey: [String: PolicyRecord]
    private let global: PolicyGroup
    private let byNamespace: [String: PolicyGroup]
    private let formerSets: [SetKey: PolicySet]
    private(set) var sets: [SetKey: PolicySet] = [:]

    /// Indexes `policies`, taking over the records and sets of before that did not change.
    init(
        _ policies: [Policy],
        previous: [PolicyRecord],
        previousSets: [SetKey: PolicySet]
    ) {
        formerSets = previousSets
        let former = Dictionary(previous.map { ($0.key, $0) }) { _, last in last }
        let records = policies.map { policy in
            if let record = former[policy.key], record.policy == policy { return record }
            return PolicyRecord(policy)
        }
        self.records = records
        byKey = Dictionary(records.map { ($0.key, $0) }) { _, last in last }
        global = PolicyGroup(records.filter { $0.policy.scope == .global })
        byNamespace = Dictionary(
            grouping: records.filter { $0.policy.scope == .namespace },
            by: \.policy.namespace
        ).mapValues { PolicyGroup($0) }
    }

    /// The policies of a workload; the object of before where it says the same.
    mutating func set(for workload: Workload) -> PolicySet {
        let key = SetKey(namespace: workload.namespace, named: workload.authorizationPolicies)
        if let known = sets[key] { return known }
        var set = makeSet(key)
        if let former = formerSets[key], former.hasSameRecords(as: set) { set = former }
        sets[key] = set
        return set
    }

    private func makeSet(_ key: SetKey) -> PolicySet {
        var named: [PolicyRecord] = []
        var unknown: [String] = []
        for name in key.named {
            guard let record = byKey[name] else {
                unknown.append(name)
                continue
            }
            let isCovered =
                switch record.policy.scope {
                case .global: true
                case .namespace: record.policy.namespace == key.namespace
                case .workloadSelector: false
                }
            if !isCovered, !named.contains(where: { $0 === record }) { named.append(record) }
        }
        return PolicySet(
            groups: [
                global, byNamespace[key.namespace] ?? .empty,
                named.isEmpty ? .empty : PolicyGroup(named),
            ],
            unknown: unknown
        )
    }
}
