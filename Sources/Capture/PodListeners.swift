internal import Glibc
internal import Mesh
package import Reactor

/// The listeners of one worker in one pod, made in the pod's network namespace.
///
/// Each worker and, during a hand-over, each process has its own: SO_REUSEPORT spreads the
/// connections. They are non-blocking and listen on every address of both families; one IPv6
/// socket serves IPv4 too, TPROXY included, and where the kernel has no IPv6 an IPv4 socket takes
/// its place. Accepted sockets send small writes at once and are probed when silent for three
/// minutes. Addresses of IPv4 connections then come as IPv4-mapped ones, which `IPAddress` turns
/// back. Accepted sockets keep our mark and are transparent; `getsockname` of a captured one is
/// its original destination.
package struct PodListeners: ~Copyable {
    /// Connections that may wait to be accepted; the kernel's `somaxconn` caps it too.
    package static let backlog: Int32 = 4096

    /// Connections the pod dials.
    package let outbound: Descriptor
    /// Connections to the pod in the clear.
    package let inbound: Descriptor
    /// Tunnels to the pod.
    package let hbone: Descriptor
    /// The pod's name queries, read with `NameQuery.receive`; nil
    /// when DNS is not captured.
    package let dnsUDP: Descriptor?
    /// The pod's name queries over TCP; nil when DNS is not captured.
    package let dnsTCP: Descriptor?

    /// Opens all listeners; on failure none stays open.
    package static func open(
        in namespace: borrowing NetworkNamespace,
        dns: Bool
    ) throws(SystemError) -> PodListeners {
        try namespace.run { () throws(SystemError) -> PodListeners in
            PodListeners(
                outbound: try listener(CapturePort.outbound),
                inbound: try listener(CapturePort.inbound),
                hbone: try listener(CapturePort.hbone),
                dnsUDP: dns ? try datagrams(CapturePort.dns) : nil,
                dnsTCP: dns ? try listener(CapturePort.dns) : nil
            )
        }
    }

    private static func listener(_ port: UInt16) throws(SystemError) -> Descriptor {
        let socket = try bound(port, SOCK_STREAM)
        // Accepted sockets take these from their listener.
        Socket.setNoDelay(socket.raw)
        Socket.setKeepAlive(socket.raw, idle: 180, interval: 180, count: 9)
        try checked("listen") { listen(socket.raw, backlog) }
        return socket
    }

    private static func datagrams(_ port: UInt16) throws(SystemError) -> Descriptor {
        let socket = try bound(port, SOCK_DGRAM)
        try PodSocket.set(socket.raw, Int32(IPPROTO_IP), originalDestination, 1)
        if try family(of: socket.raw) == .v6 {
            try PodSocket.set(socket.raw, Int32(IPPROTO_IPV6), originalDestination6, 1)
        }
        return socket
    }

    private static func bound(_ port: UInt16, _ type: __socket_type) throws(SystemError)
        -> Descriptor
    {
        do throws(SystemError) {
            return try bound(port, type, .v6)
        } catch {
            let lacksIPv6 = [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT]
            guard lacksIPv6.contains(error.code) else { throw error }
            return try bound(port, type, .v4)
        }
    }

    private static func bound(
        _ port: UInt16,
        _ type: __socket_type,
        _ family: IPAddress.Family
    ) throws(SystemError) -> Descriptor {
        let socket = try PodSocket.make(family, type, .proxy)
        if type == SOCK_STREAM {
            // Connections of an earlier process may still hold the port.
            try PodSocket.set(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
        }
        try PodSocket.set(socket.raw, SOL_SOCKET, SO_REUSEPORT, 1)
        switch family {
        case .v4:
            try KernelAddress(v4: 0, port: port).bind(socket.raw)
        case .v6:
            try PodSocket.set(socket.raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
            try KernelAddress(v6High: 0, low: 0, port: port).bind(socket.raw)
        }
        return socket
    }

    private static func family(of socket: Int32) throws(SystemError) -> IPAddress.Family? {
        switch try KernelAddress.local(of: socket).parts {
        case .v4: .v4
        case .v6: .v6
        case nil: nil
        }
    }

    /// IP_RECVORIGDSTADDR, which Glibc does not import.
    private static let originalDestination: Int32 = 20
    /// IPV6_RECVORIGDSTADDR, the same.
    private static let originalDestination6: Int32 = 74
}
