/// Finds the service behind a virtual address, exact ones and blocks.
struct VirtualAddressIndex: Sendable {
    private struct Block: Hashable {
        let network: String
        let prefix: IPPrefix
    }

    private struct Space: Hashable {
        let network: String
        let family: IPAddress.Family
    }

    private let hosts: [NetworkAddress: [ServiceRecord]]
    private let blocks: [Block: [ServiceRecord]]
    /// The prefix lengths in use, longest first: at most 129 reads answer a lookup.
    private let lengths: [Space: [UInt8]]

    init(_ services: [ServiceRecord]) {
        var hosts: [NetworkAddress: [ServiceRecord]] = [:]
        var blocks: [Block: [ServiceRecord]] = [:]
        var lengths: [Space: Set<UInt8>] = [:]
        for record in services {
            for virtual in record.service.addresses {
                let prefix = virtual.prefix
                if prefix.isHost {
                    let key = NetworkAddress(network: virtual.network, address: prefix.address)
                    hosts[key, default: []].append(record)
                } else {
                    let block = Block(network: virtual.network, prefix: prefix)
                    blocks[block, default: []].append(record)
                    let space = Space(network: virtual.network, family: prefix.address.family)
                    lengths[space, default: []].insert(prefix.length)
                }
            }
        }
        self.hosts = hosts
        self.blocks = blocks
        self.lengths = lengths.mapValues { $0.sorted(by: >) }
    }

    func service(_ wanted: NetworkAddress, clientNamespace: String) -> ServiceRecord? {
        if let candidates = hosts[wanted],
            let service = Self.best(of: candidates, clientNamespace: clientNamespace)
        {
            return service
        }
        guard !blocks.isEmpty else { return nil }
        let space = Space(network: wanted.network, family: wanted.address.family)
        var fallback: ServiceRecord?
        for length in lengths[space] ?? [] {
            guard let prefix = IPPrefix(wanted.address, length: length),
                let candidates = blocks[Block(network: wanted.network, prefix: prefix)],
                let service = Self.best(of: candidates, clientNamespace: clientNamespace)
            else { continue }
            // The client's own namespace goes before a longer prefix.
            if service.service.namespace == clientNamespace { return service }
            fallback = fallback ?? service
        }
        return fallback
    }

    private static func best(
        of candidates: [ServiceRecord],
        clientNamespace: String
    ) -> ServiceRecord? {
        var best: ServiceRecord?
        for candidate in candidates where candidate.isVisible(to: clientNamespace) {
            guard let current = best else {
                best = candidate
                continue
            }
            if candidate.preference(of: clientNamespace)
                > current.preference(of: clientNamespace)
            {
                best = candidate
            }
        }
        return best
    }
}
