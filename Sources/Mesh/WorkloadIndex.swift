internal import HashTreeCollections

/// The workloads of a snapshot by everything they are looked up by.
///
/// The tables are persistent: a copy shares all it does not change, and one workload's change
/// costs the same in a mesh of any size.
struct WorkloadIndex: Sendable {
    private var slots = SlotVector<WorkloadRecord>()
    private var uids = SlotIndex()
    private var names = SlotIndex()
    /// Without workloads on their node's network.
    private var addresses = SlotIndex()
    private var byNamespace: TreeDictionary<String, [UInt32]> = [:]
    /// The workloads that name a policy, by the policy's key.
    private var byNamedPolicy: TreeDictionary<String, [UInt32]> = [:]

    /// How many workloads there are.
    var count: Int { slots.count }

    /// All workloads, in no order.
    var all: [WorkloadRecord] { slots.all }

    func workload(uid: String) -> WorkloadRecord? { find(uid)?.record }

    func workload(address: IPAddress, network: String) -> WorkloadRecord? {
        preferred(addresses, SlotIndex.hash(network, address)) { record in
            record.workload.network == network && record.workload.addresses.contains(address)
        }
    }

    func workload(namespace: String, name: String) -> WorkloadRecord? {
        preferred(names, SlotIndex.hash(namespace, name)) { record in
            record.workload.name == name && record.workload.namespace == namespace
        }
    }

    /// Everybody in a namespace, in no order.
    func workloads(namespace: String) -> [WorkloadRecord] {
        (byNamespace[namespace] ?? []).compactMap { slots[$0] }
    }

    /// The workloads that name a policy, in no order.
    func workloads(naming policy: String) -> [WorkloadRecord] {
        (byNamedPolicy[policy] ?? []).compactMap { slots[$0] }
    }

    private func find(_ uid: String) -> (slot: UInt32, record: WorkloadRecord)? {
        var found: (UInt32, WorkloadRecord)?
        uids.search(SlotIndex.hash(uid)) { slot in
            guard let record = slots[slot], record.workload.uid == uid else { return true }
            found = (slot, record)
            return false
        }
        return found
    }

    /// Of those that share a key, the one it most likely means.
    private func preferred(
        _ index: SlotIndex,
        _ hash: UInt64,
        _ isMeant: (WorkloadRecord) -> Bool
    ) -> WorkloadRecord? {
        var best: WorkloadRecord?
        index.search(hash) { slot in
            guard let record = slots[slot], isMeant(record) else { return true }
            if let known = best, !record.isPreferred(to: known) { return true }
            best = record
            return true
        }
        return best
    }

    /// Puts `new` in the place of `old`, which has the same uid; either may be nobody.
    mutating func exchange(_ old: WorkloadRecord?, for new: WorkloadRecord?) {
        let slot: UInt32
        switch (old, new) {
        case (nil, nil): return
        case (nil, let new?):
            slot = slots.insert(new)
            uids.insert(slot, SlotIndex.hash(new.workload.uid))
        case (let old?, let new?):
            guard let found = find(old.workload.uid) else { return }
            slot = found.slot
            slots.replace(slot, with: new)
        case (let old?, nil):
            guard let found = find(old.workload.uid) else { return }
            slot = found.slot
            slots.remove(slot)
            uids.remove(slot, SlotIndex.hash(old.workload.uid))
        }
        exchangeName(slot, old?.workload, new?.workload)
        exchangeAddresses(slot, old?.workload, new?.workload)
        exchangePolicies(
            slot,
            old?.workload.authorizationPolicies ?? [],
            new?.workload.authorizationPolicies ?? []
        )
    }

    private mutating func exchangeName(_ slot: UInt32, _ old: Workload?, _ new: Workload?) {
        let isSameSpace = old?.namespace == new?.namespace
        if isSameSpace, old?.name == new?.name { return }
        if let old { names.remove(slot, SlotIndex.hash(old.namespace, old.name)) }
        if let new { names.insert(slot, SlotIndex.hash(new.namespace, new.name)) }
        guard !isSameSpace else { return }
        if let old { Self.remove(slot, from: &byNamespace[old.namespace]) }
        if let new { byNamespace[new.namespace, default: []].append(slot) }
    }

    private mutating func exchangeAddresses(_ slot: UInt32, _ old: Workload?, _ new: Workload?) {
        let former = old.map(Self.addresses) ?? []
        let current = new.map(Self.addresses) ?? []
        if old?.network == new?.network, former == current { return }
        for address in former {
            addresses.remove(slot, SlotIndex.hash(old?.network ?? "", address))
        }
        for address in current {
            addresses.insert(slot, SlotIndex.hash(new?.network ?? "", address))
        }
    }

    /// The addresses by which a workload is found; each once.
    private static func addresses(of workload: Workload) -> [IPAddress] {
        guard workload.networkMode == .standard else { return [] }
        guard workload.addresses.count > 1 else { return workload.addresses }
        var unique: [IPAddress] = []
        for address in workload.addresses where !unique.contains(address) {
            unique.append(address)
        }
        return unique
    }

    private mutating func exchangePolicies(_ slot: UInt32, _ old: [String], _ new: [String]) {
        guard old != new else { return }
        for key in Set(old) { Self.remove(slot, from: &byNamedPolicy[key]) }
        for key in Set(new) { byNamedPolicy[key, default: []].append(slot) }
    }

    private static func remove(_ slot: UInt32, from slots: inout [UInt32]?) {
        guard let place = slots?.firstIndex(of: slot) else { return }
        slots?.remove(at: place)
        if slots?.isEmpty == true { slots = nil }
    }
}
