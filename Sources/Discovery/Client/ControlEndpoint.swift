internal import GRPCNIOTransportHTTP2Posix
internal import Mesh
internal import NIOCore

/// Where a control plane is reached, and how it is told from an impostor.
package struct ControlEndpoint: Sendable, Equatable {
    /// A DNS name or an IP address.
    package let host: String
    package let port: UInt16
    /// The name its certificate must have; nil for the host itself.
    package var name: String?
    /// The roots its certificate must lead to.
    package var roots: SecretSource

    /// Reads `host:port`, `[v6]:port`, or the same behind `https://`; nil for anything else.
    package init?(_ text: String, name: String? = nil, roots: SecretSource) {
        let prefix = "https://"
        let rest = text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : text[...]
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
        self.name = name
        self.roots = roots
    }

    /// A connection's transport with the roots as they are now; nothing is dialled yet.
    func transport(on group: any EventLoopGroup) throws -> HTTP2ClientTransport.Posix {
        let trust: TLSConfig.TrustRootsSource
        switch roots {
        case .system: trust = .systemDefault
        case .file, .text:
            let pem = try roots.read()
            trust = .certificates([.bytes(Array(pem.utf8), format: .pem)])
        }
        let target: any ResolvableTarget =
            switch IPAddress(host)?.family {
            case .v4: .ipv4(address: host, port: Int(port))
            case .v6: .ipv6(address: host, port: Int(port))
            case nil: .dns(host: host, port: Int(port))
            }
        return try HTTP2ClientTransport.Posix(
            target: target,
            transportSecurity: .tls { $0.trustRoots = trust },
            config: .defaults { config in
                config.http2.authority = name
                // PROTOCOL.md §2.1: a ping every 30 s, and 10 s for its answer.
                config.connection.keepalive = HTTP2ClientTransport.Config.Keepalive(
                    time: .seconds(30),
                    timeout: .seconds(10),
                    allowWithoutCalls: false
                )
                config.backoff.initial = .milliseconds(100)
                config.backoff.max = .seconds(15)
            },
            eventLoopGroup: group
        )
    }
}
