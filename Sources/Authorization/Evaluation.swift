import Mesh

/// One flow held against policies; the facts that need work are worked out once.
struct Evaluation {
    enum Decision {
        case allowed(policy: String?, rule: Int?, dryRun: [String])
        case denied(Denial)
    }

    private let flow: Flow
    private let namespace: String?
    private let principal: String?

    init(_ flow: Flow) {
        self.flow = flow
        namespace = flow.identity?.namespace
        principal = flow.identity?.principal
    }

    func decide(_ policies: PolicySet) -> Decision {
        var notes: [String] = []
        for group in policies.groups {
            for record in group.dryRunDeny where matchingRule(record) != nil {
                note("would be denied by \(record.key)", in: &notes)
            }
        }
        if let (record, rule) = firstMatch(policies, \.deny) {
            return .denied(
                Denial(
                    policy: record.key,
                    rule: rule,
                    reason: "explicitly denied by: \(record.key)",
                    dryRun: notes
                )
            )
        }
        let allowed = firstMatch(policies, \.allow)
        noteDryRunAllow(policies, isAllowed: allowed != nil, in: &notes)
        if let missing = policies.unknown.first {
            return denied("policy \(missing) is not known yet", notes)
        }
        if let (record, rule) = allowed {
            return .allowed(policy: record.key, rule: rule, dryRun: notes)
        }
        guard policies.groups.allSatisfy(\.allow.isEmpty) else {
            return denied("allow policies exist, but none allowed", notes)
        }
        return .allowed(policy: nil, rule: nil, dryRun: notes)
    }

    private func denied(_ reason: String, _ notes: [String]) -> Decision {
        .denied(Denial(policy: nil, rule: nil, reason: reason, dryRun: notes))
    }

    private func note(_ text: String, in notes: inout [String]) {
        if notes.count < dryRunNotesMax { notes.append(text) }
    }

    private func firstMatch(
        _ policies: PolicySet,
        _ kind: (PolicyGroup) -> [PolicyRecord]
    ) -> (PolicyRecord, Int)? {
        for group in policies.groups {
            for record in kind(group) {
                if let rule = matchingRule(record) { return (record, rule) }
            }
        }
        return nil
    }

    /// Says what dry-run ALLOW policies would change if they were enforced.
    private func noteDryRunAllow(
        _ policies: PolicySet,
        isAllowed: Bool,
        in notes: inout [String]
    ) {
        guard !policies.groups.allSatisfy(\.dryRunAllow.isEmpty) else { return }
        if let (record, _) = firstMatch(policies, \.dryRunAllow) {
            note("would be allowed by \(record.key)", in: &notes)
        } else if !isAllowed {
            note("would be denied: dry-run allow policies exist, but none allowed", in: &notes)
        }
    }

    /// The index of the first rule that matches: any rule, all its clauses.
    private func matchingRule(_ record: PolicyRecord) -> Int? {
        record.policy.rules.firstIndex { rule in
            rule.clauses.allSatisfy { clause in
                clause.matches.isEmpty || clause.matches.contains { holds($0) }
            }
        }
    }

    /// All fields of the match, and at least one must be there.
    private func holds(_ match: Policy.Match) -> Bool {
        match.hasField
            && field(match.destinationPorts, not: match.notDestinationPorts) {
                $0 == flow.destination.port
            }
            && field(match.sourceIPs, not: match.notSourceIPs) { $0.contains(flow.source) }
            && field(match.destinationIPs, not: match.notDestinationIPs) {
                $0.contains(flow.destination.ip)
            }
            && field(match.principals, not: match.notPrincipals) { $0.holds(for: principal) }
            && field(match.namespaces, not: match.notNamespaces) { $0.holds(for: namespace) }
            && field(match.serviceAccounts, not: match.notServiceAccounts) { account in
                guard let identity = flow.identity else { return false }
                return account.namespace == identity.namespace
                    && account.serviceAccount == identity.serviceAccount
            }
    }

    /// Any of the positive tests, unless there are none, and none of the negative ones.
    private func field<Test>(
        _ positive: [Test],
        not negative: [Test],
        _ holds: (Test) -> Bool
    ) -> Bool {
        (positive.isEmpty || positive.contains(where: holds)) && !negative.contains(where: holds)
    }
}

extension Policy.Match {
    fileprivate var hasField: Bool {
        !(namespaces.isEmpty && notNamespaces.isEmpty && principals.isEmpty
            && notPrincipals.isEmpty && sourceIPs.isEmpty && notSourceIPs.isEmpty
            && destinationIPs.isEmpty && notDestinationIPs.isEmpty && destinationPorts.isEmpty
            && notDestinationPorts.isEmpty && serviceAccounts.isEmpty
            && notServiceAccounts.isEmpty)
    }
}

extension Policy.StringMatch {
    /// Whether the test holds for a text; without one, as without an identity, none does.
    fileprivate func holds(for text: String?) -> Bool {
        guard let text, !text.isEmpty else { return false }
        return switch self {
        case .exact(let wanted): text.utf8.elementsEqual(wanted.utf8)
        case .prefix(let wanted): text.utf8.starts(with: wanted.utf8)
        case .suffix(let wanted):
            text.utf8.suffix(wanted.utf8.count).elementsEqual(wanted.utf8)
        case .presence: true
        }
    }
}
