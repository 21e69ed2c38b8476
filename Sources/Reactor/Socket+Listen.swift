internal import CLinux
internal import Glibc

extension Socket {
    /// Listens for TCP on an address, non-blocking and closed on exec, beside other listeners of
    /// the same user on the same address.
    ///
    /// The unspecified IPv6 address takes IPv4 too. Where there is no IPv6, it becomes the
    /// unspecified IPv4 address.
    package static func listen(
        on address: KernelAddress,
        backlog: Int32
    ) throws(SystemError) -> Descriptor {
        guard case .v6(high: 0, low: 0, let port)? = address.parts else {
            return try open(address, backlog)
        }
        do throws(SystemError) {
            return try open(address, backlog)
        } catch {
            guard error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL else { throw error }
            return try open(KernelAddress(v4: 0, port: port), backlog)
        }
    }

    /// Listens on a Unix socket, non-blocking and closed on exec, in place of one left at the path;
    /// only this user may connect.
    package static func listen(
        atPath path: String,
        backlog: Int32
    ) throws(SystemError) -> Descriptor {
        let socket = try LocalAddress.makeSocket(ambit_SOCK_STREAM | ambit_SOCK_NONBLOCK)
        unsafe unlink(path)
        try unsafe LocalAddress.call("bind \(path)", path) { address, length in
            unsafe bind(socket.raw, address, length)
        }
        try checked("chmod") { unsafe chmod(path, 0o600) }
        try checked("listen") { Glibc.listen(socket.raw, backlog) }
        return socket
    }

    private static func open(
        _ address: KernelAddress,
        _ backlog: Int32
    ) throws(SystemError) -> Descriptor {
        let isV6 = if case .v6? = address.parts { true } else { false }
        let kind = ambit_SOCK_STREAM | ambit_SOCK_NONBLOCK | ambit_SOCK_CLOEXEC
        let socket = Descriptor(
            owning: try checked("socket") { Glibc.socket(isV6 ? AF_INET6 : AF_INET, kind, 0) }
        )
        try set(socket.raw, "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1)
        try set(socket.raw, "SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1)
        if isV6 { try set(socket.raw, "IPV6_V6ONLY", Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        setNoDelay(socket.raw)
        try address.bind(socket.raw)
        try checked("listen") { Glibc.listen(socket.raw, backlog) }
        return socket
    }

    private static func set(
        _ socket: Int32,
        _ label: StaticString,
        _ level: Int32,
        _ name: Int32,
        _ value: Int32
    ) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        try checked(label) { unsafe setsockopt(socket, level, name, &value, size) }
    }
}
