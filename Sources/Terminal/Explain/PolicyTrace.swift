internal import Authorization
internal import Mesh

/// The verdict of policy on one flow, and what in which rule made it.
///
/// Everything is decided by `authorize`: a single clause by asking it of a workload that has a
/// policy of that clause alone.
struct PolicyTrace {
    let isAllowed: Bool
    /// The key of the policy that decided; empty when none did.
    let policy: String
    let reasons: [String]

    init(_ flow: Flow, _ workload: WorkloadRecord) {
        var reasons: [String] = []
        let notes: [String]
        switch authorize(flow, to: workload) {
        case .permitted(let permit):
            isAllowed = true
            policy = permit.policy ?? ""
            notes = permit.dryRun
            if let key = permit.policy {
                reasons.append("\(key) allows it" + Self.rule(permit.rule, of: key, workload))
            } else {
                reasons.append("no ALLOW policy is for this workload, and no DENY policy matches")
            }
        case .denied(let denial):
            isAllowed = false
            policy = denial.policy ?? ""
            notes = denial.dryRun
            if let key = denial.policy, let rule = denial.rule {
                reasons.append("\(key) denies it" + Self.rule(rule, of: key, workload))
            } else {
                reasons.append(denial.reason)
                reasons += Self.nearMisses(flow, workload)
            }
        }
        self.reasons = reasons + notes.map { "dry run: \($0)" }
    }

    private static func rule(_ index: Int?, of key: String, _ workload: WorkloadRecord) -> String {
        let records = workload.policies.groups.flatMap { $0.deny + $0.allow }
        guard let index, let record = records.first(where: { $0.key == key }),
            record.policy.rules.indices.contains(index)
        else { return "" }
        return " by rules[\(index)]: \(RuleText.text(of: record.policy.rules[index]))"
    }

    // For each ALLOW rule what of it does not hold.
    private static func nearMisses(_ flow: Flow, _ workload: WorkloadRecord) -> [String] {
        var lines: [String] = []
        for record in workload.policies.groups.flatMap(\.allow) {
            if record.policy.rules.isEmpty { lines.append("\(record.key) has no rules") }
            for (index, rule) in record.policy.rules.enumerated() {
                let missing = rule.clauses.filter { !holds($0, flow, workload.workload) }
                guard !missing.isEmpty else { continue }
                let words = missing.map { RuleText.text(of: $0) }.joined(separator: "; and ")
                lines.append("\(record.key) rules[\(index)] does not match: needs \(words)")
            }
        }
        if !lines.isEmpty {
            let identity = flow.identity?.principal ?? "none"
            lines.append("the client is \(identity) from \(flow.source)")
        }
        return lines
    }

    private static func holds(_ clause: Policy.Clause, _ flow: Flow, _ workload: Workload) -> Bool {
        var policy = Policy(
            name: "clause",
            namespace: workload.namespace,
            scope: .workloadSelector,
            action: .allow
        )
        policy.rules = [Policy.Rule(clauses: [clause])]
        var alone = workload
        alone.authorizationPolicies = [policy.key]
        let snapshot = Snapshot(version: 0, workloads: [alone], services: [], policies: [policy])
        guard let record = snapshot.workload(uid: alone.uid) else { return false }
        switch authorize(flow, to: record) {
        case .permitted: return true
        case .denied: return false
        }
    }
}
