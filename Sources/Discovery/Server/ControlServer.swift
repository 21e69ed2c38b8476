package import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import Mesh
internal import NIOCore
internal import NIOPosix

/// The control plane's gRPC server over TLS: discovery and certificates on one port.
package final class ControlServer: Sendable {
    /// How it works.
    package struct Settings: Sendable {
        /// Event-loop threads.
        package var threads = 2
        /// The longest request: a client that resumes names all it holds, about 80 bytes each.
        package var requestBytesMax = 64 << 20
        /// Streams at once on one connection.
        package var streamsPerConnectionMax = 32
        /// A silent connection is asked for a sign of life after this long.
        package var keepaliveSeconds = 30
        /// And ends without one after this long.
        package var keepaliveTimeoutSeconds = 20

        /// The defaults.
        package init() {}
    }

    private let transport: HTTP2ServerTransport.Posix
    private let server: GRPCServer<HTTP2ServerTransport.Posix>
    private let group: MultiThreadedEventLoopGroup

    /// Makes a server for an address; nothing listens before `run`.
    ///
    /// `services` are a `DiscoveryServer` and a `CertificateService`, or either.
    package init(
        address: Mesh::SocketAddress,
        certificate: ServerCertificate,
        services: [any RegistrableRPCService],
        settings: Settings = Settings()
    ) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        let host = address.ip.description
        transport = HTTP2ServerTransport.Posix(
            address: address.ip.family == .v4
                ? .ipv4(host: host, port: Int(address.port))
                : .ipv6(host: host, port: Int(address.port)),
            transportSecurity: try .tls(certificateReloader: certificate) { tls in
                tls.requireALPN = true
            },
            config: .defaults { Self.configure(&$0, settings) },
            eventLoopGroup: group
        )
        server = GRPCServer(transport: transport, services: services)
    }

    private static func configure(
        _ config: inout HTTP2ServerTransport.Posix.Config,
        _ settings: Settings
    ) {
        config.http2.maxConcurrentStreams = settings.streamsPerConnectionMax
        config.rpc.maxRequestPayloadSize = settings.requestBytesMax
        config.connection.keepalive.time = .seconds(settings.keepaliveSeconds)
        config.connection.keepalive.timeout = .seconds(settings.keepaliveTimeoutSeconds)
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(5)
    }

    /// How long connections may take to end after the server was told to.
    private static let patience = TimeAmount.seconds(5)

    /// Listens and serves until the task is cancelled or `stop` was called; throws when the
    /// address cannot be bound.
    package func run() async throws {
        let (server, loop) = (server, group.next())
        let serving = Task { try await server.serve() }
        defer { serving.cancel() }
        do {
            try await withTaskCancellationHandler {
                try await serving.value
            } onCancel: {
                // A listener that is cancelled outright loses connections it has just accepted,
                // which the transport takes for a mistake of ours.
                server.beginGracefulShutdown()
                loop.scheduleTask(in: Self.patience) { serving.cancel() }
            }
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try? await group.shutdownGracefully()
    }

    /// Where it listens, once it does; of use when port 0 was asked for.
    package var port: UInt16 {
        get async throws {
            let address = try await transport.listeningAddress
            return UInt16(clamping: address.ipv4?.port ?? address.ipv6?.port ?? 0)
        }
    }

    /// Takes no more calls and ends those that run.
    package func stop() {
        server.beginGracefulShutdown()
    }
}
