/// Changes that wait to be applied together: of each key what the last of them said.
package struct PendingChange: Sendable {
    // One change alone, as it mostly is, is kept as it came.
    private var only: MeshChange?
    private var workloads: [String: Workload?] = [:]
    private var services: [String: Service?] = [:]
    private var policies: [String: Policy?] = [:]

    /// Nothing waits.
    package init() {}

    /// Whether nothing waits.
    package var isEmpty: Bool {
        only == nil && workloads.isEmpty && services.isEmpty && policies.isEmpty
    }

    /// Adds a change that comes after all before; it may name a key again.
    package mutating func add(_ change: MeshChange) {
        guard !change.isEmpty else { return }
        guard !isEmpty else {
            only = change
            return
        }
        if let only {
            merge(only)
            self.only = nil
        }
        merge(change)
    }

    /// Takes all that waits, as one change.
    package mutating func take() -> MeshChange {
        defer { self = PendingChange() }
        if let only { return only }
        var change = MeshChange()
        Self.split(workloads, &change.workloads, &change.removedWorkloads)
        Self.split(services, &change.services, &change.removedServices)
        Self.split(policies, &change.policies, &change.removedPolicies)
        return change
    }

    private mutating func merge(_ change: MeshChange) {
        for uid in change.removedWorkloads { workloads.updateValue(nil, forKey: uid) }
        for key in change.removedServices { services.updateValue(nil, forKey: key) }
        for key in change.removedPolicies { policies.updateValue(nil, forKey: key) }
        for workload in change.workloads { workloads.updateValue(workload, forKey: workload.uid) }
        for service in change.services { services.updateValue(service, forKey: service.key) }
        for policy in change.policies { policies.updateValue(policy, forKey: policy.key) }
    }

    private static func split<Entry>(
        _ merged: [String: Entry?],
        _ entries: inout [Entry],
        _ removed: inout [String]
    ) {
        for (key, entry) in merged {
            if let entry { entries.append(entry) } else { removed.append(key) }
        }
    }
}
