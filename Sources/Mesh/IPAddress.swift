/// An IPv4 or IPv6 address as a value of fixed size.
///
/// An IPv4-mapped IPv6 address is never stored as IPv6: initialisers turn it into IPv4, so that one
/// host has one key. Words are in host order: `high` holds the first eight bytes of an IPv6
/// address; an IPv4 address sits in the low 32 bits of `low`.
package struct IPAddress: Hashable, Sendable {
    /// The address family.
    package enum Family: UInt8, Sendable, Hashable { case v4 = 4, v6 = 6 }

    package let family: Family
    package let high: UInt64
    package let low: UInt64

    /// Makes an IPv4 address from its 32 bits in host order.
    package init(v4 bits: UInt32) {
        self.init(family: .v4, high: 0, low: UInt64(bits))
    }

    private init(family: Family, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    /// Makes an IPv6 address from its two halves in host order; a mapped one becomes IPv4.
    package init(v6High high: UInt64, low: UInt64) {
        if high == 0, low >> 32 == 0xFFFF {
            self.init(v4: UInt32(truncatingIfNeeded: low))
        } else {
            self.init(family: .v6, high: high, low: low)
        }
    }

    /// Makes an address from 4 or 16 bytes in network order; nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self.init(v4: bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        case 16:
            var high: UInt64 = 0
            var low: UInt64 = 0
            for (index, byte) in bytes.enumerated() {
                if index < 8 {
                    high = high << 8 | UInt64(byte)
                } else {
                    low = low << 8 | UInt64(byte)
                }
            }
            self.init(v6High: high, low: low)
        default:
            return nil
        }
    }

    /// The address in network order, 4 or 16 bytes.
    package var bytes: [UInt8] {
        switch family {
        case .v4:
            (0..<4).map { UInt8(truncatingIfNeeded: low >> (24 - 8 * UInt64($0))) }
        case .v6:
            (0..<16).map {
                $0 < 8
                    ? UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64($0)))
                    : UInt8(truncatingIfNeeded: low >> (120 - 8 * UInt64($0)))
            }
        }
    }

    /// Whether this is 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        switch family {
        case .v4: low >> 24 == 127
        case .v6: high == 0 && low == 1
        }
    }

    /// Whether this is 0.0.0.0 or ::.
    package var isUnspecified: Bool { high == 0 && low == 0 }
}

/// An address and a TCP or UDP port.
package struct SocketAddress: Hashable, Sendable {
    package var ip: IPAddress
    package var port: UInt16

    package init(_ ip: IPAddress, _ port: UInt16) {
        self.ip = ip
        self.port = port
    }
}

/// A block of addresses that share their first `length` bits; the rest of `address` is zero.
package struct IPPrefix: Hashable, Sendable {
    package let address: IPAddress
    package let length: UInt8

    /// Makes a prefix, clearing the host bits; nil when `length` is over 32 or 128.
    package init?(_ address: IPAddress, length: UInt8) {
        guard length <= Self.lengthMax(of: address.family) else { return nil }
        let mask = Self.mask(address.family, length: length)
        switch address.family {
        case .v4:
            self.address = IPAddress(v4: UInt32(truncatingIfNeeded: address.low & mask.low))
        case .v6:
            self.address = IPAddress(
                v6High: address.high & mask.high,
                low: address.low & mask.low
            )
        }
        self.length = length
    }

    /// Makes the prefix that holds one address.
    package init(host address: IPAddress) {
        self.address = address
        self.length = Self.lengthMax(of: address.family)
    }

    /// Whether the block is a single address.
    package var isHost: Bool { length == Self.lengthMax(of: address.family) }

    /// Whether `candidate` is of the same family and lies in the block.
    package func contains(_ candidate: IPAddress) -> Bool {
        guard candidate.family == address.family else { return false }
        let mask = Self.mask(address.family, length: length)
        return (candidate.high ^ address.high) & mask.high == 0
            && (candidate.low ^ address.low) & mask.low == 0
    }

    /// 32 or 128.
    package static func lengthMax(of family: IPAddress.Family) -> UInt8 {
        switch family {
        case .v4: 32
        case .v6: 128
        }
    }

    private static func mask(
        _ family: IPAddress.Family,
        length: UInt8
    ) -> (high: UInt64, low: UInt64) {
        // A Swift shift by the width or more gives zero, which is what a prefix of 0 needs.
        switch family {
        case .v4: (0, (~0 << (32 - UInt64(length))) & 0xFFFF_FFFF)
        case .v6:
            (
                length >= 64 ? ~0 : ~0 << (64 - UInt64(length)),
                length <= 64 ? 0 : ~0 << (128 - UInt64(length))
            )
        }
    }
}

/// The address a connection came from: the pod that dialled, as the kernel reported it.
package struct Source: Hashable, Sendable {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
}

/// The address an application dialled, before anything of ours changed the path.
package struct OriginalDestination: Hashable, Sendable {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
}
