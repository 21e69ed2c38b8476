/// What changed in the mesh: the vocabulary from the controller's objects to a node's snapshot.
///
/// The controller's index emits it, discovery carries it, the node's snapshot applies it. Setting
/// an entry that exists replaces it whole; removing one that does not exist does nothing.
package struct MeshChange: Sendable, Equatable {
    /// Added or changed, keyed by `uid`.
    package var workloads: [Workload] = []
    /// Added or changed, keyed by `key` (`ns/hostname`).
    package var services: [Service] = []
    /// Added or changed, keyed by `key` (`ns/name`).
    package var policies: [Policy] = []
    /// Uids.
    package var removedWorkloads: [String] = []
    /// Keys `ns/hostname`.
    package var removedServices: [String] = []
    /// Keys `ns/name`.
    package var removedPolicies: [String] = []

    /// Nothing changed.
    package init() {}

    /// Whether there is nothing in it.
    package var isEmpty: Bool {
        workloads.isEmpty && services.isEmpty && policies.isEmpty && removedWorkloads.isEmpty
            && removedServices.isEmpty && removedPolicies.isEmpty
    }
}

extension MeshChange {
    /// The change that makes the mesh of a snapshot the given one.
    ///
    /// Compares everything there is, so for whole states only.
    package init(from snapshot: Snapshot, to state: MeshState) {
        workloads = state.workloads.filter { snapshot.workload(uid: $0.uid)?.workload != $0 }
        services = state.services.filter { snapshot.service(key: $0.key)?.service != $0 }
        policies = state.policies.filter { snapshot.policy(key: $0.key)?.policy != $0 }
        removedWorkloads = Self.missing(
            from: state.workloads.lazy.map(\.uid),
            of: snapshot.workloads.lazy.map(\.workload.uid)
        )
        removedServices = Self.missing(
            from: state.services.lazy.map(\.key),
            of: snapshot.services.lazy.map(\.key)
        )
        removedPolicies = Self.missing(
            from: state.policies.lazy.map(\.key),
            of: snapshot.policies.lazy.map(\.key)
        )
    }

    private static func missing(
        from kept: some Sequence<String>,
        of keys: some Sequence<String>
    ) -> [String] {
        let kept = Set(kept)
        return keys.filter { !kept.contains($0) }
    }
}
