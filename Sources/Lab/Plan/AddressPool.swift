package import Mesh

/// The addresses in use in one block, the lowest free one given out first.
package struct AddressPool: Sendable {
    /// How far into a large block addresses are looked for.
    static let offsetMax: UInt64 = 65_535

    private let prefix: IPPrefix
    private let first: UInt64
    private var used: Set<IPAddress>

    /// Makes a pool that gives out addresses from an offset on.
    package init(_ prefix: IPPrefix, from first: UInt64, used: Set<IPAddress>) {
        self.prefix = prefix
        self.first = first
        self.used = used
    }

    /// Takes the lowest free address; nil when the block is full.
    package mutating func take() -> IPAddress? {
        for offset in first...Self.offsetMax {
            guard let address = prefix.address(at: offset) else { return nil }
            // The last address of an IPv4 block is its broadcast address.
            if address.family == .v4, prefix.length < 31, prefix.address(at: offset + 1) == nil {
                return nil
            }
            if used.insert(address).inserted { return address }
        }
        return nil
    }
}
