/// The whole mesh as one node sees it, immutable, shared by all workers.
///
/// Made off the data path from the one before and what changed; that costs the same in a mesh of
/// any size. Lookups read a few nodes of a hash tree and never grow with what a connection does
/// not touch. Records that did not change are taken over from the previous snapshot, so that `===`
/// finds what did.
package final class Snapshot: Sendable {
    /// Counts up with each accepted state.
    package let version: UInt64
    let workloadIndex: WorkloadIndex
    let serviceIndex: ServiceIndex
    let policyIndex: PolicyIndex

    init(
        version: UInt64,
        workloads: WorkloadIndex,
        services: ServiceIndex,
        policies: PolicyIndex
    ) {
        self.version = version
        workloadIndex = workloads
        serviceIndex = services
        policyIndex = policies
    }

    /// Makes the snapshot of a state from nothing.
    ///
    /// Where two entries share a key the later one wins; `MeshState` refuses such states.
    package convenience init(
        version: UInt64,
        workloads: [Workload],
        services: [Service],
        policies: [Policy]
    ) {
        var change = MeshChange()
        change.workloads = workloads
        change.services = services
        change.policies = policies
        var edit = SnapshotEdit(.empty)
        edit.apply(change)
        self.init(
            version: version,
            workloads: edit.workloads,
            services: edit.services,
            policies: edit.policies
        )
    }

    /// A mesh without anything in it.
    package static let empty = Snapshot(
        version: 0,
        workloads: WorkloadIndex(),
        services: ServiceIndex(),
        policies: PolicyIndex()
    )

    /// The next snapshot, and how it differs; costs what the change does, not what the mesh holds.
    ///
    /// A policy's change costs as much as it has workloads, for each gets another record.
    package func applying(
        _ change: MeshChange,
        version: UInt64
    ) -> (snapshot: Snapshot, diff: SnapshotDiff) {
        var edit = SnapshotEdit(self)
        edit.apply(change)
        let next = Snapshot(
            version: version,
            workloads: edit.workloads,
            services: edit.services,
            policies: edit.policies
        )
        return (next, edit.diff(to: next))
    }

    /// All workloads in the order of their uids; sorts the mesh, so for people and tests only.
    package var workloads: [WorkloadRecord] {
        workloadIndex.all.sorted { $0.workload.uid < $1.workload.uid }
    }

    /// All services in the order of their keys; sorts them, so for people and tests only.
    package var services: [ServiceRecord] {
        serviceIndex.all.sorted { $0.key < $1.key }
    }

    /// All policies in the order of their keys; sorts them, so for people and tests only.
    package var policies: [PolicyRecord] {
        policyIndex.all.sorted { $0.key < $1.key }
    }

    /// How many workloads there are.
    package var workloadCount: Int { workloadIndex.count }
    /// How many services there are.
    package var serviceCount: Int { serviceIndex.count }
    /// How many policies there are.
    package var policyCount: Int { policyIndex.count }

    /// The workload with this uid.
    package func workload(uid: String) -> WorkloadRecord? { workloadIndex.workload(uid: uid) }

    /// The workload that answers to an address; never one on its node's network.
    package func workload(address: IPAddress, network: String) -> WorkloadRecord? {
        workloadIndex.workload(address: address, network: network)
    }

    /// The workload of this namespace and name, a pod if there is one.
    package func workload(namespace: String, name: String) -> WorkloadRecord? {
        workloadIndex.workload(namespace: namespace, name: name)
    }

    /// The workloads of a namespace, in no order; costs as much as there are.
    package func workloads(namespace: String) -> [WorkloadRecord] {
        workloadIndex.workloads(namespace: namespace)
    }

    /// The service with this key, `ns/hostname`.
    package func service(key: String) -> ServiceRecord? { serviceIndex.service(key: key) }

    /// The policy with this key, `ns/name`.
    package func policy(key: String) -> PolicyRecord? { policyIndex.policy(key: key) }

    /// The service behind a virtual address, as a client of `clientNamespace` sees it.
    ///
    /// An exact address goes before a block. Ties (PROTOCOL.md §4.3): the client's namespace, then
    /// (for blocks) the longest prefix, then the canonical one, then the first by key.
    package func service(
        address: IPAddress,
        network: String,
        clientNamespace: String
    ) -> ServiceRecord? {
        serviceIndex.service(
            NetworkAddress(network: network, address: address),
            clientNamespace: clientNamespace
        )
    }

    /// The services of a hostname that a client of `clientNamespace` sees, the best one first.
    ///
    /// `hostname` is in lower case without a trailing dot. The order is: the client's namespace,
    /// the canonical ones, the others by their keys.
    package func services(hostname: String, clientNamespace: String) -> [ServiceRecord] {
        let visible = serviceIndex.services(hostname: hostname)
            .filter { $0.isVisible(to: clientNamespace) }
        guard visible.count > 1 else { return visible }
        return visible.enumerated().sorted { left, right in
            let leftRank = left.element.preference(of: clientNamespace)
            let rightRank = right.element.preference(of: clientNamespace)
            return leftRank == rightRank ? left.offset < right.offset : leftRank > rightRank
        }.map(\.element)
    }

    /// The members of a service; empty when it is not known.
    package func endpoints(of serviceKey: String) -> EndpointList {
        service(key: serviceKey)?.endpoints ?? EndpointList()
    }
}
