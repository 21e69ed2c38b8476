internal import Glibc
package import Mesh
package import Reactor

/// Sockets of ours in a pod's network namespace: marked, transparent, non-blocking.
///
/// A socket stays in the namespace it was made in, whichever thread uses it. Transparent means
/// that it may have an address that is not the pod's, and that capture brings it the packets of
/// its connection.
package enum PodSocket {
    /// Ports spoofed deliveries are sent from.
    ///
    /// Outside the range clients dial from (32768–60999): a delivery from `client:p` to the
    /// application makes it hold the same pair of addresses that a captured connection from
    /// `client:p` has, and the two cannot both exist.
    static let deliveryPorts: ClosedRange<UInt16> = 1024...32767

    /// Makes a TCP socket to connect with; `home` is the namespace of the calling thread.
    ///
    /// With `source`, the socket is bound to that address and a fresh port, and to `lo`: nothing
    /// of a spoofed delivery can leave the pod, not even when its rules are gone. The source's own
    /// port is not used. An IPv6 link-local source is not spoofed: it means nothing
    /// on `lo`.
    ///
    /// `connect` may find the pair of addresses taken once a client has some ten thousand
    /// connections to one port, young closed ones included: on EADDRNOTAVAIL make another socket
    /// and try again, a few times.
    package static func connecting(
        in namespace: borrowing NetworkNamespace,
        returningTo home: borrowing NetworkNamespace,
        family: IPAddress.Family,
        mark: Mark,
        transparentFrom source: SocketAddress? = nil
    ) throws(SystemError) -> Descriptor {
        try namespace.run(returningTo: home) { () throws(SystemError) -> Descriptor in
            let socket = try make(family, SOCK_STREAM, mark)
            try set(socket.raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            if let source, !source.ip.isLinkLocal {
                try bindDevice(socket.raw, "lo")
                try bindFreshPort(socket.raw, source.ip)
            }
            return socket
        }
    }

    /// Makes a UDP socket from which name queries go to one nameserver, and only its answers come
    /// back: connected, from a port the kernel chose at random.
    ///
    /// One socket per query is what makes an answer hard to forge.
    package static func nameQuery(
        in namespace: borrowing NetworkNamespace,
        to nameserver: SocketAddress
    ) throws(SystemError) -> Descriptor {
        try namespace.run { () throws(SystemError) -> Descriptor in
            let socket = try make(nameserver.ip.family, SOCK_DGRAM, .proxy)
            let code = kernelAddress(nameserver).connect(socket.raw)
            guard code == 0 else { throw SystemError(call: "connect", code: code) }
            return socket
        }
    }

    /// Makes a UDP socket that answers the pod's queries as the nameserver they were sent to.
    ///
    /// It only sends: queries to the same nameserver go on arriving at the listener
    /// (`PodListeners.dnsUDP`), for TPROXY gives a datagram to a bound socket only when that is
    /// connected to its sender. Whoever made it owns it and may keep it for further answers; a
    /// pod has few nameservers, but keep a bounded number, the pod chooses the address.
    package static func nameReply(
        in namespace: borrowing NetworkNamespace,
        as nameserver: SocketAddress
    ) throws(SystemError) -> Descriptor {
        try namespace.run { () throws(SystemError) -> Descriptor in
            let socket = try make(nameserver.ip.family, SOCK_DGRAM, .proxy)
            // Other workers and a process taking over answer as the same nameserver.
            try set(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
            try set(socket.raw, SOL_SOCKET, SO_RCVBUF, 0)
            try kernelAddress(nameserver).bind(socket.raw)
            return socket
        }
    }

    // MARK: - Parts, also of listeners

    /// Makes a marked, transparent socket in the calling thread's namespace.
    static func make(
        _ family: IPAddress.Family,
        _ type: __socket_type,
        _ mark: Mark
    ) throws(SystemError) -> Descriptor {
        let flags = SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let kind = Int32(bitPattern: type.rawValue | flags)
        let domain = family == .v4 ? AF_INET : AF_INET6
        let raw = try checked("socket") { socket(domain, kind, 0) }
        let made = Descriptor(owning: raw)
        try set(raw, SOL_SOCKET, SO_MARK, Int32(bitPattern: mark.rawValue))
        // The kernel keeps one flag for both families.
        try set(raw, Int32(IPPROTO_IP), IP_TRANSPARENT, 1)
        return made
    }

    /// Sets an option whose value is one number.
    static func set(
        _ socket: Int32,
        _ level: Int32,
        _ name: Int32,
        _ value: Int32
    ) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        try checked("setsockopt") { unsafe setsockopt(socket, level, name, &value, size) }
    }

    private static func bindDevice(_ socket: Int32, _ name: String) throws(SystemError) {
        let bytes = Array(name.utf8)
        try checked("bind to device") {
            unsafe setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, bytes, socklen_t(bytes.count))
        }
    }

    /// Binds to an address and a free port: at first one that nothing uses, then, with many in
    /// use, one that other deliveries use too, told apart by where they lead.
    private static func bindFreshPort(
        _ socket: Int32,
        _ address: IPAddress
    ) throws(SystemError) {
        for attempt in 0..<16 {
            if attempt == 4 { try set(socket, SOL_SOCKET, SO_REUSEADDR, 1) }
            let port = UInt16.random(in: deliveryPorts)
            do throws(SystemError) {
                try kernelAddress(SocketAddress(address, port)).bind(socket)
                // Lets a later one share the port.
                return try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
            } catch {
                guard error.code == EADDRINUSE else { throw error }
            }
        }
        throw SystemError(call: "bind", code: EADDRINUSE)
    }

    static func kernelAddress(_ address: SocketAddress) -> KernelAddress {
        switch address.ip.family {
        case .v4: KernelAddress(v4: UInt32(truncatingIfNeeded: address.ip.low), port: address.port)
        case .v6: KernelAddress(v6High: address.ip.high, low: address.ip.low, port: address.port)
        }
    }
}

extension IPAddress {
    /// Whether this is of fe80::/10, which means something on one link only.
    fileprivate var isLinkLocal: Bool { family == .v6 && high >> 54 == 0x3FA }
}
