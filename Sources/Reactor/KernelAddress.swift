package import Glibc

/// A socket address as the kernel passes it: IPv4, IPv6 or something else.
package struct KernelAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    /// An address that a call is about to fill.
    package init() {}

    /// An IPv4 address from its 32 bits in host order.
    package init(v4 bits: UInt32, port: UInt16) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = bits.bigEndian
        unsafe withUnsafeMutableBytes(of: &storage) { raw in
            unsafe raw.storeBytes(of: address, as: sockaddr_in.self)
        }
        length = socklen_t(MemoryLayout<sockaddr_in>.size)
    }

    /// An IPv6 address from its halves in host order.
    package init(v6High high: UInt64, low: UInt64, port: UInt16) {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { raw in
            unsafe raw.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            unsafe raw.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        unsafe withUnsafeMutableBytes(of: &storage) { raw in
            unsafe raw.storeBytes(of: address, as: sockaddr_in6.self)
        }
        length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    }

    /// The parts of an IPv4 or IPv6 address.
    package enum Parts: Equatable {
        case v4(bits: UInt32, port: UInt16)
        case v6(high: UInt64, low: UInt64, port: UInt16)
    }

    /// The parts, nil for a family that is neither.
    package var parts: Parts? {
        unsafe withUnsafeBytes(of: storage) { raw in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
                return .v4(
                    bits: UInt32(bigEndian: address.sin_addr.s_addr),
                    port: UInt16(bigEndian: address.sin_port)
                )
            case AF_INET6:
                let port = unsafe raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
                let high = unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                let low = unsafe raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
                return .v6(
                    high: UInt64(bigEndian: high),
                    low: UInt64(bigEndian: low),
                    port: UInt16(bigEndian: port)
                )
            default:
                return nil
            }
        }
    }

    /// Passes the address to a call that reads it.
    package func withPointer<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe body(address, length)
            }
        }
    }

    private mutating func fill(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Int32 {
        unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe body(address, &length)
            }
        }
    }

    /// The address a socket is bound to: for a captured connection, the original destination.
    package static func local(of socket: Int32) throws(SystemError) -> KernelAddress {
        var address = KernelAddress()
        let result = unsafe address.fill { unsafe getsockname(socket, $0, $1) }
        guard result == 0 else { throw SystemError(call: "getsockname", code: errno) }
        return address
    }

    /// The address of the other side.
    package static func remote(of socket: Int32) throws(SystemError) -> KernelAddress {
        var address = KernelAddress()
        let result = unsafe address.fill { unsafe getpeername(socket, $0, $1) }
        guard result == 0 else { throw SystemError(call: "getpeername", code: errno) }
        return address
    }

    /// Begins a non-blocking connect; 0 when it is through, else an errno (EINPROGRESS: wait).
    package func connect(_ socket: Int32) -> Int32 {
        let result = unsafe withPointer { unsafe Glibc.connect(socket, $0, $1) }
        return result == 0 ? 0 : errno
    }

    /// Binds a socket to this address.
    package func bind(_ socket: Int32) throws(SystemError) {
        let result = unsafe withPointer { unsafe Glibc.bind(socket, $0, $1) }
        guard result == 0 else { throw SystemError(call: "bind", code: errno) }
    }
}
