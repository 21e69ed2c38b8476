/// The whole mesh as one node sees it, immutable, shared by all workers.
///
/// Built off the data path from the last accepted state; lookups are dictionary reads and never
/// grow with what a connection does not touch.
package final class Snapshot: Sendable {
    /// Counts up with each accepted state.
    package let version: UInt64
    package let workloads: [Workload]
    package let services: [Service]
    package let policies: [Policy]

    /// Builds the indexes over a state that was checked before.
    package init(
        version: UInt64,
        workloads: [Workload],
        services: [Service],
        policies: [Policy]
    ) {
        self.version = version
        self.workloads = workloads
        self.services = services
        self.policies = policies
    }

    /// A mesh without anything in it.
    package static let empty = Snapshot(version: 0, workloads: [], services: [], policies: [])
}
