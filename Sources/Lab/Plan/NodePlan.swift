package import Mesh

/// What the lab makes of a Node: its addresses and those of its pods.
package struct NodePlan: Sendable, Equatable {
    package var name: String
    /// One address for each family of `podPrefixes`, on the network between nodes.
    package var addresses: [IPAddress]
    /// The blocks its pods have addresses from, at most one of a family.
    package var podPrefixes: [IPPrefix]

    package init(name: String, addresses: [IPAddress], podPrefixes: [IPPrefix]) {
        self.name = name
        self.addresses = addresses
        self.podPrefixes = podPrefixes
    }

    /// The node's address of a family.
    package func address(_ family: IPAddress.Family) -> IPAddress? {
        addresses.first { $0.family == family }
    }

    /// The addresses its pods send to for everything else: the first of each block.
    package var gateways: [IPAddress] {
        podPrefixes.compactMap { $0.address(at: 1) }
    }
}

extension IPPrefix {
    /// The address so many after the block's first; nil when it lies outside.
    package func address(at offset: UInt64) -> IPAddress? {
        let found: IPAddress
        switch address.family {
        case .v4:
            let (low, overflow) = address.low.addingReportingOverflow(offset)
            guard !overflow, let bits = UInt32(exactly: low) else { return nil }
            found = IPAddress(v4: bits)
        case .v6:
            let (low, overflow) = address.low.addingReportingOverflow(offset)
            guard !overflow else { return nil }
            found = IPAddress(v6High: address.high, low: low)
        }
        return contains(found) ? found : nil
    }
}
