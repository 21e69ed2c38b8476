internal import HashTreeCollections

/// The policies of a snapshot and the sets in which they apply to workloads.
///
/// Persistent as `WorkloadIndex` is. Policies are evaluated in the order of their keys.
struct PolicyIndex: Sendable {
    /// What decides which policies apply to a workload.
    struct SetKey: Hashable, Sendable {
        let namespace: String
        let named: [String]

        init(_ workload: Workload) {
            namespace = workload.namespace
            named = workload.authorizationPolicies
        }
    }

    /// What changed of the policies: whose sets have to be made anew.
    struct Touched {
        var isGlobal = false
        var namespaces: Set<String> = []
        var keys: Set<String> = []
    }

    private struct SharedSet {
        var set: PolicySet
        /// How many workloads have it.
        var uses: Int
    }

    private var byKey: TreeDictionary<String, PolicyRecord> = [:]
    private var global = PolicyGroup.empty
    private var byNamespace: TreeDictionary<String, PolicyGroup> = [:]
    private var sets: TreeDictionary<SetKey, SharedSet> = [:]

    /// How many policies there are.
    var count: Int { byKey.count }

    /// All policies, in no order.
    var all: [PolicyRecord] { Array(byKey.values) }

    func policy(key: String) -> PolicyRecord? { byKey[key] }

    /// Sets and removes policies; those that say what they said before keep their records.
    mutating func apply(_ policies: [Policy], removed: [String]) -> Touched {
        var next: [String: Policy?] = [:]
        for key in removed { next[key] = .some(nil) }
        for policy in policies { next[policy.key] = policy }
        var touched = Touched()
        var globals: [String: PolicyRecord?] = [:]
        var namespaces: [String: [String: PolicyRecord?]] = [:]
        for (key, policy) in next {
            let old = byKey[key]
            guard old?.policy != policy else { continue }
            let new = policy.map { PolicyRecord($0) }
            byKey[key] = new
            touched.keys.insert(key)
            for record in [old, new] {
                guard let policy = record?.policy else { continue }
                switch policy.scope {
                case .global: globals[key] = .some(new)
                case .namespace: namespaces[policy.namespace, default: [:]][key] = .some(new)
                case .workloadSelector: break
                }
            }
        }
        if !globals.isEmpty {
            touched.isGlobal = true
            global = Self.edited(global, globals, scope: .global)
        }
        for (namespace, edits) in namespaces {
            touched.namespaces.insert(namespace)
            let group = Self.edited(byNamespace[namespace] ?? .empty, edits, scope: .namespace)
            byNamespace[namespace] = group.isEmpty ? nil : group
        }
        return touched
    }

    /// The group with some records replaced, of which those of another scope leave.
    private static func edited(
        _ group: PolicyGroup,
        _ edits: [String: PolicyRecord?],
        scope: Policy.Scope
    ) -> PolicyGroup {
        let kept = group.records.filter { edits[$0.key] == nil }
        let new = edits.values.compactMap { $0 }.filter { $0.policy.scope == scope }
        return PolicyGroup((kept + new).sorted { $0.key < $1.key })
    }

    /// The set of a workload as its record has it now, or a new one for it.
    func set(for key: SetKey) -> PolicySet { sets[key]?.set ?? makeSet(key) }

    /// Makes the set of a key anew, and returns the one of before where it says the same.
    mutating func refresh(_ key: SetKey) -> PolicySet {
        let made = makeSet(key)
        guard let shared = sets[key] else { return made }
        if shared.set.hasSameRecords(as: made) { return shared.set }
        sets[key]?.set = made
        return made
    }

    /// Counts one more workload that has the set.
    mutating func use(_ set: PolicySet, for key: SetKey) {
        sets[key, default: SharedSet(set: set, uses: 0)].uses += 1
    }

    /// Counts one workload less; a set that nobody has is forgotten.
    mutating func release(_ key: SetKey) {
        guard let uses = sets[key]?.uses, uses > 1 else {
            sets[key] = nil
            return
        }
        sets[key]?.uses = uses - 1
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
