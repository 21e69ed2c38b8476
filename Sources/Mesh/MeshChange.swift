/// What changed in the mesh: the one vocabulary from the controller's objects to the node's snapshot.
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
