import Glibc
import Mesh
import Reactor

/// A blocking socket of a test with time limits, in the namespace it was made in.
@safe final class TestSocket {
    /// Seconds until a call gives up: far over anything that works.
    static let patience = 5

    let raw: Int32

    init(owning raw: Int32) {
        self.raw = raw
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        _ = unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        _ = unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    convenience init(
        in namespace: borrowing NetworkNamespace,
        _ family: IPAddress.Family,
        datagram: Bool = false
    ) throws {
        let type = Int32(datagram ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        let domain = family == .v4 ? AF_INET : AF_INET6
        let raw = try namespace.run { () throws(SystemError) -> Int32 in
            try checked("socket") { socket(domain, type, 0) }
        }
        self.init(owning: raw)
    }

    deinit { close(raw) }

    func option(_ level: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(raw, level, name, &value, &size) == 0 ? value : -errno
    }

    func set(_ level: Int32, _ name: Int32, _ value: Int32) throws {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        try checked("setsockopt") { unsafe setsockopt(raw, level, name, &value, size) }
    }

    func bind(_ address: SocketAddress) throws { try kernel(address).bind(raw) }

    func listening(at address: SocketAddress) throws -> TestSocket {
        try set(SOL_SOCKET, SO_REUSEADDR, 1)
        try bind(address)
        try checked("listen") { listen(raw, 64) }
        return self
    }

    /// 0 or the errno of the attempt; EINPROGRESS when patience ran out.
    func connect(_ address: SocketAddress) -> Int32 { kernel(address).connect(raw) }

    func accept() throws -> TestSocket { try TestSocket.accept(raw) }

    /// Waits for a connection at a listener, blocking or not.
    static func accept(_ listener: Int32) throws -> TestSocket {
        guard wait(listener, POLLIN) else { throw SystemError(call: "accept", code: ETIMEDOUT) }
        let raw = try checked("accept") { Glibc.accept(listener, nil, nil) }
        return TestSocket(owning: raw)
    }

    static func wait(_ socket: Int32, _ events: Int32, milliseconds: Int32 = 5000) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) > 0
    }

    /// Waits for the end of a non-blocking connect; the errno of it.
    static func finishConnect(_ socket: Int32, _ code: Int32) -> Int32 {
        guard code == EINPROGRESS else { return code }
        guard wait(socket, POLLOUT) else { return ETIMEDOUT }
        return Socket.takeError(socket)
    }

    @discardableResult
    func send(_ text: String) throws -> Int {
        let bytes = Array(text.utf8)
        return try checked("send") {
            unsafe Glibc.send(raw, bytes, bytes.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
        }
    }

    func send(_ text: String, to address: SocketAddress) throws {
        let bytes = Array(text.utf8)
        try checked("sendto") {
            unsafe kernel(address).withPointer { pointer, length in
                unsafe sendto(raw, bytes, bytes.count, 0, pointer, length)
            }
        }
    }

    func receive() throws -> String {
        guard TestSocket.wait(raw, POLLIN) else {
            throw SystemError(call: "recv", code: ETIMEDOUT)
        }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = try checked("recv") { unsafe recv(raw, &bytes, bytes.count, 0) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func receiveWithSource() throws -> (text: String, source: SocketAddress) {
        guard TestSocket.wait(raw, POLLIN) else {
            throw SystemError(call: "recv", code: ETIMEDOUT)
        }
        var bytes = [UInt8](repeating: 0, count: 65536)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = try checked("recvfrom") {
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe recvfrom(raw, &bytes, bytes.count, 0, address, &length)
                }
            }
        }
        let source = unsafe withUnsafeBytes(of: storage) { room -> SocketAddress? in
            let port = unsafe UInt16(
                bigEndian: room.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            )
            let isFour = Int32(storage.ss_family) == AF_INET
            let part = unsafe isFour ? room[4..<8] : room[8..<24]
            return unsafe IPAddress(bytes: part).map { SocketAddress($0, port) }
        }
        guard let source else { throw SystemError(call: "recvfrom", code: EAFNOSUPPORT) }
        return (String(decoding: bytes.prefix(count), as: UTF8.self), source)
    }

    var local: SocketAddress? { (try? KernelAddress.local(of: raw)).flatMap(mesh) }
    var remote: SocketAddress? { (try? KernelAddress.remote(of: raw)).flatMap(mesh) }
    var mark: UInt32 { UInt32(bitPattern: option(SOL_SOCKET, SO_MARK)) }
}

func kernel(_ address: SocketAddress) -> KernelAddress {
    switch address.ip.family {
    case .v4: KernelAddress(v4: UInt32(truncatingIfNeeded: address.ip.low), port: address.port)
    case .v6: KernelAddress(v6High: address.ip.high, low: address.ip.low, port: address.port)
    }
}

func mesh(_ kernel: KernelAddress) -> SocketAddress? {
    switch kernel.parts {
    case .v4(let bits, let port): SocketAddress(IPAddress(v4: bits), port)
    case .v6(let high, let low, let port): SocketAddress(IPAddress(v6High: high, low: low), port)
    case nil: nil
    }
}
