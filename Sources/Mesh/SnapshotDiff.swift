/// What differs between two snapshots, as far as open connections and pooled tunnels care.
///
/// Costs as much as the change that made the later one.
package struct SnapshotDiff: Sendable {
    /// Uids that exist no more.
    package private(set) var departed: Set<String> = []
    /// Uids that are new.
    package private(set) var arrived: Set<String> = []
    /// Uids whose workload, or a policy that applies to it, changed: re-check their connections.
    package private(set) var changed: Set<String> = []
    /// Addresses that belong to another workload, another identity or nobody now.
    ///
    /// Tunnels to them must not be used again.
    package private(set) var vacated: Set<NetworkAddress> = []
    /// Addresses that a workload has now and had not before, on whatever network.
    package private(set) var claimed: Set<IPAddress> = []
    /// Whether any policy was added, removed or changed.
    package let policiesChanged: Bool
    /// Whether any service or the endpoints of one changed.
    package let servicesChanged: Bool
    /// The records of the earlier snapshot that the later one does not have.
    package private(set) var retiredWorkloads: [WorkloadRecord] = []
    /// The services' records of the earlier snapshot that the later one does not have.
    package let retiredServices: [ServiceRecord]
    /// The records that the later snapshot has and the earlier one had not.
    package private(set) var newWorkloads: [WorkloadRecord] = []

    /// Looks at the workloads that were touched between two snapshots, each once.
    init(
        from old: Snapshot,
        to new: Snapshot,
        workloads: [(old: WorkloadRecord?, new: WorkloadRecord?)],
        retiredServices: [ServiceRecord],
        servicesChanged: Bool,
        policiesChanged: Bool
    ) {
        self.retiredServices = retiredServices
        self.servicesChanged = servicesChanged
        self.policiesChanged = policiesChanged
        for (before, after) in workloads {
            note(before, after)
            if let before { noteVacated(before, from: old, to: new) }
            if let after { noteTaken(by: after, from: old, to: new) }
        }
    }

    /// Whether a connection to the workload with this uid has to be looked at again.
    ///
    /// `address` is the one it was made to, which may be somebody else's now.
    package func concerns(uid: String, at address: IPAddress) -> Bool {
        changed.contains(uid) || departed.contains(uid) || claimed.contains(address)
    }

    /// Whether there can be connections that have to be looked at again.
    package var concernsAnybody: Bool {
        !changed.isEmpty || !departed.isEmpty || !claimed.isEmpty
    }

    private mutating func note(_ before: WorkloadRecord?, _ after: WorkloadRecord?) {
        if let before { retiredWorkloads.append(before) }
        if let after { newWorkloads.append(after) }
        for address in after?.workload.addresses ?? []
        where before?.workload.addresses.contains(address) != true {
            claimed.insert(address)
        }
        switch (before, after) {
        case (let before?, let after?):
            let isSame =
                after.workload == before.workload
                && after.policies.hasSameRecords(as: before.policies)
            if !isSame { changed.insert(before.workload.uid) }
        case (let before?, nil): departed.insert(before.workload.uid)
        case (nil, let after?): arrived.insert(after.workload.uid)
        case (nil, nil): break
        }
    }

    /// Addresses of workloads that did not change themselves but are another's now.
    private mutating func noteTaken(
        by after: WorkloadRecord,
        from old: Snapshot,
        to new: Snapshot
    ) {
        let network = after.workload.network
        for address in after.workload.addresses {
            guard let before = old.workload(address: address, network: network),
                before.workload.uid != after.workload.uid,
                new.workload(address: address, network: network) === after
            else { continue }
            vacated.insert(NetworkAddress(network: network, address: address))
        }
    }

    private mutating func noteVacated(
        _ before: WorkloadRecord,
        from old: Snapshot,
        to new: Snapshot
    ) {
        let network = before.workload.network
        for address in before.workload.addresses {
            guard old.workload(address: address, network: network) === before else { continue }
            let now = new.workload(address: address, network: network)
            let isSameOwner =
                now?.workload.uid == before.workload.uid && now?.identity == before.identity
            if !isSameOwner {
                vacated.insert(NetworkAddress(network: network, address: address))
            }
        }
    }
}
