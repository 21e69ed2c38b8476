internal import GRPCNIOTransportHTTP2Posix
internal import Mesh
internal import NIOCore

/// Where a control plane is reached, and how it is told from an impostor.
package struct ControlEndpoint: Sendable, Equatable {
    /// One of the places that serve the same.
    package struct Place: Sendable, Equatable, CustomStringConvertible {
        /// A DNS name or an IP address.
        package let host: String
        package let port: UInt16

        /// `host:port`, or `[v6]:port`.
        package var description: String {
            host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// The most places one endpoint has.
    package static let placesMax = 16

    /// Replicas of one control plane, any of which will do; one at least.
    package let places: [Place]
    /// The name its certificate must have; nil for the host itself.
    package var name: String?
    /// The roots its certificate must lead to.
    package var roots: SecretSource

    /// Reads `host:port`, `[v6]:port`, or the same behind `https://`, or several with commas
    /// between them; nil for anything else.
    package init?(_ text: String, name: String? = nil, roots: SecretSource) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...Self.placesMax).contains(parts.count) else { return nil }
        var places: [Place] = []
        for part in parts {
            guard let place = Place(part) else { return nil }
            places.append(place)
        }
        self.places = places
        self.name = name
        self.roots = roots
    }

    /// What may be under way to us, in bytes: 25 MB/s from 10 ms away.
    ///
    /// The HTTP/2 parser keeps a buffer as large as the most that ever waited in it, and copies it
    /// with every read: with the default of 8 MiB that was a third of what following costs.
    private static let windowBytes = 256 << 10

    /// A connection's transport to the place whose turn it is, with the roots as they are now;
    /// nothing is dialled yet.
    func transport(
        _ turn: PlaceTurn,
        on group: any EventLoopGroup
    ) throws -> HTTP2ClientTransport.Posix {
        let trust: TLSConfig.TrustRootsSource
        switch roots {
        case .system: trust = .systemDefault
        case .file, .text:
            let pem = try roots.read()
            trust = .certificates([.bytes(Array(pem.utf8), format: .pem)])
        }
        let place = turn.place(of: places)
        let (host, port) = (place.host, Int(place.port))
        let target: any ResolvableTarget =
            switch IPAddress(host)?.family {
            case .v4: .ipv4(address: host, port: port)
            case .v6: .ipv6(address: host, port: port)
            case nil: .dns(host: host, port: port)
            }
        return try HTTP2ClientTransport.Posix(
            target: target,
            transportSecurity: .tls { $0.trustRoots = trust },
            config: .defaults { config in
                config.http2.authority = name
                config.http2.targetWindowSize = Self.windowBytes
                // PROTOCOL.md §2.1: a ping every 30 s, and 10 s for its answer.
                config.connection.keepalive = HTTP2ClientTransport.Config.Keepalive(
                    time: .seconds(30),
                    timeout: .seconds(10),
                    allowWithoutCalls: false
                )
                config.backoff.initial = .milliseconds(100)
                config.backoff.max = .seconds(15)
                config.channelDebuggingCallbacks.onCreateTCPConnection = SilentHost.detect
            },
            eventLoopGroup: group
        )
    }
}

extension ControlEndpoint.Place {
    fileprivate init?(_ text: Substring) {
        let prefix = "https://"
        let rest = text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : text
        guard let colon = rest.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(rest[rest.index(after: colon)...]), port != 0
        else { return nil }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let isAddress = IPAddress(String(host)) != nil
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard !host.isEmpty, isAddress || isName else { return nil }
        self.host = String(host)
        self.port = port
    }
}

/// Which of an endpoint's places is asked: a random one first, the next one after a failure.
struct PlaceTurn: Sendable {
    private var number = UInt.random(in: 0 ... .max)

    func place(of places: [ControlEndpoint.Place]) -> ControlEndpoint.Place {
        places[Int(number % UInt(places.count))]
    }

    mutating func next() { number &+= 1 }
}

/// Finds out within seconds that a host is gone without a goodbye: its pod or node is no more.
///
/// Pings of HTTP/2 take 40 s, and foreign servers take more frequent ones for an attack.
private enum SilentHost {
    /// How long a connection may take to be accepted.
    private static let connectTimeout = TimeAmount.seconds(3)
    /// Options of TCP as linux/tcp.h numbers them: seconds of silence until the kernel asks
    /// (TCP_KEEPIDLE) and between its questions (TCP_KEEPINTVL), how often it asks (TCP_KEEPCNT),
    /// milliseconds that what was sent may be unacknowledged (TCP_USER_TIMEOUT).
    private static let options: [(name: CInt, value: SocketOptionValue)] = [
        (4, 5), (5, 1), (6, 4), (18, 9_000),
    ]

    static let detect: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
        var all = [
            channel.setOption(ChannelOptions.connectTimeout, value: connectTimeout),
            channel.setOption(ChannelOptions.socketOption(.so_keepalive), value: 1),
        ]
        for (name, value) in options {
            let option = ChannelOptions.Types.SocketOption(
                level: .tcp,
                name: NIOBSDSocket.Option(rawValue: name)
            )
            all.append(channel.setOption(option, value: value))
        }
        return EventLoopFuture.andAllSucceed(all, on: channel.eventLoop)
    }
}
