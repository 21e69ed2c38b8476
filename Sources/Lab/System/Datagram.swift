internal import CLinux
internal import Glibc
internal import Mesh
internal import Reactor

/// Kinds of sockets of the lab's nameserver: non-blocking, not passed to pods.
let ambit_datagram = ambit_SOCK_DGRAM | ambit_SOCK_NONBLOCK | ambit_SOCK_CLOEXEC
let ambit_stream = ambit_SOCK_STREAM | ambit_SOCK_NONBLOCK | ambit_SOCK_CLOEXEC

/// One UDP message and who sent it.
struct Datagram {
    let bytes: [UInt8]
    let source: KernelAddress

    /// Takes the next message; nil when none waits.
    static func receive(_ socket: Int32) -> Datagram? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var got = -1
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    got = unsafe recvfrom(socket, buffer.baseAddress, 4096, 0, address, &length)
                }
            }
            count = max(0, got)
        }
        guard got >= 0 else { return nil }
        return Datagram(bytes: bytes, source: KernelAddress(storage))
    }

    /// Sends a message, or loses it, as UDP may.
    static func send(_ socket: Int32, _ bytes: [UInt8], to destination: KernelAddress) {
        _ = unsafe bytes.withUnsafeBytes { raw in
            unsafe destination.withPointer { address, length in
                unsafe sendto(socket, raw.baseAddress, raw.count, 0, address, length)
            }
        }
    }
}

extension KernelAddress {
    /// An address of the mesh with a port.
    init(_ address: IPAddress, port: UInt16) {
        switch address.family {
        case .v4: self.init(v4: UInt32(truncatingIfNeeded: address.low), port: port)
        case .v6: self.init(v6High: address.high, low: address.low, port: port)
        }
    }

    /// An address the kernel filled in.
    init(_ storage: sockaddr_storage) {
        let words = unsafe withUnsafeBytes(of: storage) { raw in
            (
                port: unsafe UInt16(
                    bigEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
                ),
                v4: unsafe UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
                high: unsafe UInt64(
                    bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                ),
                low: unsafe UInt64(
                    bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
                )
            )
        }
        if Int32(storage.ss_family) == AF_INET6 {
            self.init(v6High: words.high, low: words.low, port: words.port)
        } else {
            self.init(v4: words.v4, port: words.port)
        }
    }

    /// The host's address; nil for another family than IP.
    var ip: IPAddress? {
        switch parts {
        case .v4(let bits, _): IPAddress(v4: bits)
        case .v6(let high, let low, _): IPAddress(v6High: high, low: low)
        case nil: nil
        }
    }
}
