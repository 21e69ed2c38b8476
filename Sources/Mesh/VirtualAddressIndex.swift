internal import HashTreeCollections

/// Finds the service behind a virtual address, exact ones and blocks.
///
/// Persistent as `WorkloadIndex` is.
struct VirtualAddressIndex: Sendable {
    private struct Block: Hashable {
        let network: String
        let prefix: IPPrefix
    }

    private struct Space: Hashable {
        let network: String
        let family: IPAddress.Family
    }

    /// A prefix length and how many addresses of services have it.
    private struct LengthUse {
        let length: UInt8
        var uses: Int
    }

    private var hosts = SlotIndex()
    private var blocks: TreeDictionary<Block, [UInt32]> = [:]
    /// The prefix lengths in use, longest first: at most 129 reads answer a lookup.
    private var lengths: TreeDictionary<Space, [LengthUse]> = [:]

    /// Gives a service's slot other addresses.
    mutating func exchange(
        _ slot: UInt32,
        _ old: [Service.VirtualAddress],
        _ new: [Service.VirtualAddress]
    ) {
        guard old != new else { return }
        for address in Set(old) { remove(slot, address) }
        for address in Set(new) { insert(slot, address) }
    }

    private mutating func insert(_ slot: UInt32, _ virtual: Service.VirtualAddress) {
        let prefix = virtual.prefix
        guard !prefix.isHost else {
            return hosts.insert(slot, SlotIndex.hash(virtual.network, prefix.address))
        }
        blocks[Block(network: virtual.network, prefix: prefix), default: []].append(slot)
        count(prefix, 1, virtual.network)
    }

    private mutating func remove(_ slot: UInt32, _ virtual: Service.VirtualAddress) {
        let prefix = virtual.prefix
        guard !prefix.isHost else {
            return hosts.remove(slot, SlotIndex.hash(virtual.network, prefix.address))
        }
        let block = Block(network: virtual.network, prefix: prefix)
        blocks[block]?.removeAll { $0 == slot }
        if blocks[block]?.isEmpty == true { blocks[block] = nil }
        count(prefix, -1, virtual.network)
    }

    private mutating func count(_ prefix: IPPrefix, _ difference: Int, _ network: String) {
        let space = Space(network: network, family: prefix.address.family)
        var used = lengths[space] ?? []
        let index = used.firstIndex { $0.length <= prefix.length } ?? used.count
        if used.indices.contains(index), used[index].length == prefix.length {
            used[index].uses += difference
            if used[index].uses <= 0 { used.remove(at: index) }
        } else if difference > 0 {
            used.insert(LengthUse(length: prefix.length, uses: difference), at: index)
        }
        lengths[space] = used.isEmpty ? nil : used
    }

    /// The service behind an address; `services` has the records of the slots.
    func service(
        _ wanted: NetworkAddress,
        clientNamespace: String,
        in services: SlotVector<ServiceRecord>
    ) -> ServiceRecord? {
        var best = Best(clientNamespace: clientNamespace)
        hosts.search(SlotIndex.hash(wanted.network, wanted.address)) { slot in
            if let record = services[slot], record.answers(to: wanted) { best.consider(record) }
            return true
        }
        if let service = best.service { return service }
        guard !blocks.isEmpty else { return nil }
        let space = Space(network: wanted.network, family: wanted.address.family)
        var fallback: ServiceRecord?
        for used in lengths[space] ?? [] {
            guard let prefix = IPPrefix(wanted.address, length: used.length),
                let slots = blocks[Block(network: wanted.network, prefix: prefix)]
            else { continue }
            var best = Best(clientNamespace: clientNamespace)
            for slot in slots { if let record = services[slot] { best.consider(record) } }
            guard let service = best.service else { continue }
            // The client's own namespace goes before a longer prefix.
            if service.service.namespace == clientNamespace { return service }
            fallback = fallback ?? service
        }
        return fallback
    }

    /// The best service of one address for a client; of equals the one with the smaller key.
    private struct Best {
        let clientNamespace: String
        private(set) var service: ServiceRecord?

        init(clientNamespace: String) {
            self.clientNamespace = clientNamespace
        }

        mutating func consider(_ candidate: ServiceRecord) {
            guard candidate.isVisible(to: clientNamespace) else { return }
            guard let current = service else {
                service = candidate
                return
            }
            let rank = candidate.preference(of: clientNamespace)
            let currentRank = current.preference(of: clientNamespace)
            if rank > currentRank || (rank == currentRank && candidate.key < current.key) {
                service = candidate
            }
        }
    }
}

extension ServiceRecord {
    /// Whether the address is one of its exact ones.
    fileprivate func answers(to wanted: NetworkAddress) -> Bool {
        service.addresses.contains { virtual in
            virtual.prefix.isHost && virtual.prefix.address == wanted.address
                && virtual.network == wanted.network
        }
    }
}
