internal import HashTreeCollections

/// The services of a snapshot by everything they are looked up by, and their members.
///
/// Persistent as `WorkloadIndex` is. A service that workloads name before it is known has a record
/// too, which holds its members and is found by nobody.
struct ServiceIndex: Sendable {
    private var slots = SlotVector<ServiceRecord>()
    private var keys = SlotIndex()
    /// By hostname in lower case.
    private var hostnames = SlotIndex()
    private var virtualAddresses = VirtualAddressIndex()
    /// How many services are known.
    private(set) var count = 0

    /// All services that are known, in no order.
    var all: [ServiceRecord] { slots.all.filter(\.isKnown) }

    /// The service of a key, if it is known.
    func service(key: String) -> ServiceRecord? {
        guard let record = find(key)?.record, record.isKnown else { return nil }
        return record
    }

    /// The record of a key, known or only a holder of members.
    func record(key: String) -> ServiceRecord? { find(key)?.record }

    /// The services of a hostname in lower case, in the order of their keys.
    func services(hostname: String) -> [ServiceRecord] {
        var found: [ServiceRecord] = []
        hostnames.search(SlotIndex.hash(hostname)) { slot in
            guard let record = slots[slot], record.hostname == hostname else { return true }
            found.append(record)
            return true
        }
        if found.count > 1 { found.sort { $0.key < $1.key } }
        return found
    }

    /// The service behind an address, as a client of a namespace sees it.
    func service(_ address: NetworkAddress, clientNamespace: String) -> ServiceRecord? {
        virtualAddresses.service(address, clientNamespace: clientNamespace, in: slots)
    }

    private func find(_ key: String) -> (slot: UInt32, record: ServiceRecord)? {
        var found: (UInt32, ServiceRecord)?
        keys.search(SlotIndex.hash(key)) { slot in
            guard let record = slots[slot], record.key == key else { return true }
            found = (slot, record)
            return false
        }
        return found
    }

    /// Puts a record in the place of the one with its key, if there is one.
    ///
    /// One that is neither known nor has members is taken out instead.
    mutating func set(_ new: ServiceRecord) {
        let isKept = new.isKnown || !new.endpoints.isEmpty
        let slot: UInt32
        let old: ServiceRecord?
        if let found = find(new.key) {
            (slot, old) = (found.slot, found.record)
            if isKept {
                slots.replace(slot, with: new)
            } else {
                slots.remove(slot)
                keys.remove(slot, SlotIndex.hash(new.key))
            }
        } else {
            guard isKept else { return }
            slot = slots.insert(new)
            old = nil
            keys.insert(slot, SlotIndex.hash(new.key))
        }
        let former = old.flatMap { $0.isKnown ? $0 : nil }
        let current = new.isKnown ? new : nil
        count += (current == nil ? 0 : 1) - (former == nil ? 0 : 1)
        exchangeHostname(slot, former?.hostname, current?.hostname)
        virtualAddresses.exchange(
            slot,
            former?.service.addresses ?? [],
            current?.service.addresses ?? []
        )
    }

    private mutating func exchangeHostname(_ slot: UInt32, _ old: String?, _ new: String?) {
        guard old != new else { return }
        if let old { hostnames.remove(slot, SlotIndex.hash(old)) }
        if let new { hostnames.insert(slot, SlotIndex.hash(new)) }
    }
}
