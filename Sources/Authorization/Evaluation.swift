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
        if let (record, rule) = firstMatch(policies, { $0.deny }) {
            return .denied(
                Denial(
                    policy: record.key,
                    rule: rule,
                    reason: "explicitly denied by: \(record.key)",
                    dryRun: notes
                )
            )
        }
        let allowed = firstMatch(policies, { $0.allow })
        noteDryRunAllow(policies, isAllowed: allowed != nil, in: &notes)
        if let missing = policies.unknown.first {
            return denied("policy \(missing) is not known yet", notes)
        }
        if let (record, rule) = allowed {
            return .allowed(policy: record.key, rule: rule, dryRun: notes)
        }
        guard policies.groups.allSatisfy({ $0.allow.isEmpty }) else {
            // Whoever is refused wants to know by what: the first of them, by its key.
            let key = policies.groups.lazy.flatMap { $0.allow }.first?.key
            let reason = "allow policies exist, but none allowed"
            return .denied(Denial(policy: key, rule: nil, reason: reason, dryRun: notes))
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
        guard !policies.groups.allSatisfy({ $0.dryRunAllow.isEmpty }) else { return }
        if let (record, _) = firstMatch(policies, { $0.dryRunAllow }) {
            note("would be allowed by \(record.key)", in: &notes)
        } else if !isAllowed {
            note("would be denied: dry-run allow policies exist, but none allowed", in: &notes)
        }
    }

    /// The index of the first rule that matches: any rule, all its clauses.
    private func matchingRule(_ record: PolicyRecord) -> Int? {
        record.rules.firstIndex { clauses in
            clauses.allSatisfy { matches in
                matches.isEmpty || matches.contains { holds($0) }
            }
        }
    }

    /// All fields of the match, and at least one must be there.
    private func holds(_ record: MatchRecord) -> Bool {
        guard record.hasField else { return false }
        return holdsPort(record)
            && (!record.looksAtAddress || holdsAddress(record))
            && (!record.looksAtIdentity || holdsIdentity(record))
    }

    private func holdsPort(_ record: MatchRecord) -> Bool {
        field(record.match.destinationPorts, not: record.match.notDestinationPorts) {
            $0 == flow.destination.port
        }
    }

    private func holdsAddress(_ record: MatchRecord) -> Bool {
        field(record.match.sourceIPs, not: record.match.notSourceIPs) {
            $0.contains(flow.source)
        }
            && field(record.match.destinationIPs, not: record.match.notDestinationIPs) {
                $0.contains(flow.destination.ip)
            }
    }

    private func holdsIdentity(_ record: MatchRecord) -> Bool {
        field(record.match.principals, not: record.match.notPrincipals) {
            $0.holds(for: principal)
        }
            && field(record.match.namespaces, not: record.match.notNamespaces) {
                $0.holds(for: namespace)
            }
            && field(record.match.serviceAccounts, not: record.match.notServiceAccounts) {
                guard let identity = flow.identity else { return false }
                return $0.namespace == identity.namespace
                    && $0.serviceAccount == identity.serviceAccount
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

extension Policy.StringMatch {
    /// Whether the test holds for a text; without one, as without an identity, none does.
    ///
    /// Compares bytes: to `==` of two strings some non-ASCII letters equal ASCII ones.
    fileprivate func holds(for text: String?) -> Bool {
        guard let text, !text.isEmpty else { return false }
        let bytes = text.utf8Span.span
        switch self {
        case .exact(let wanted):
            return bytes.count == wanted.utf8.count && bytes.holds(wanted, at: 0)
        case .prefix(let wanted):
            return bytes.holds(wanted, at: 0)
        case .suffix(let wanted):
            return bytes.holds(wanted, at: bytes.count - wanted.utf8.count)
        case .presence:
            return true
        }
    }
}

extension Span<UInt8> {
    /// Whether the bytes of `text` stand at `offset`.
    fileprivate func holds(_ text: String, at offset: Int) -> Bool {
        let wanted = text.utf8Span.span
        guard offset >= 0, wanted.count <= count - offset else { return false }
        for index in wanted.indices where self[offset + index] != wanted[index] { return false }
        return true
    }
}
