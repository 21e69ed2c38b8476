/// What differs between two snapshots, as far as open connections and pooled tunnels care.
///
/// Costs one pass over the workloads of both; records taken over unchanged cost one comparison of
/// references each.
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
    /// Whether any policy was added, removed or changed.
    package let policiesChanged: Bool
    /// Whether any service or the endpoints of one changed.
    package let servicesChanged: Bool

    /// Compares two snapshots.
    package init(from old: Snapshot, to new: Snapshot) {
        policiesChanged = !old.policies.elementsEqual(new.policies, by: Self.isSamePolicy)
        servicesChanged = !old.services.elementsEqual(new.services, by: Self.isSameService)
        for before in old.workloads {
            let uid = before.workload.uid
            guard let after = new.workload(uid: uid) else {
                departed.insert(uid)
                noteVacated(before, from: old, to: new)
                continue
            }
            guard after !== before else { continue }
            if after.workload != before.workload
                || !after.policies.hasSameRecords(as: before.policies)
            {
                changed.insert(uid)
            }
            noteVacated(before, from: old, to: new)
        }
        for after in new.workloads {
            let before = old.workload(uid: after.workload.uid)
            if before == nil { arrived.insert(after.workload.uid) }
            if before !== after { noteTaken(by: after, from: old, to: new) }
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

    private static func isSamePolicy(_ old: PolicyRecord, _ new: PolicyRecord) -> Bool {
        old === new || old.policy == new.policy
    }

    private static func isSameService(_ old: ServiceRecord, _ new: ServiceRecord) -> Bool {
        old === new
            || (old.service == new.service
                && old.endpoints.elementsEqual(new.endpoints) {
                    $0.ports == $1.ports && $0.workload.workload == $1.workload.workload
                })
    }
}
