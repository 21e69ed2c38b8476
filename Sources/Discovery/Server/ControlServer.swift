package import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import Mesh
internal import NIOCore
internal import NIOPosix
internal import Synchronization

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

    private struct Parts: Sendable {
        let transport: HTTP2ServerTransport.Posix
        let server: GRPCServer<HTTP2ServerTransport.Posix>
    }

    // Nil once it has served.
    private let parts: Mutex<Parts?>
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
        let transport = HTTP2ServerTransport.Posix(
            address: address.ip.family == .v4
                ? .ipv4(host: host, port: Int(address.port))
                : .ipv6(host: host, port: Int(address.port)),
            transportSecurity: try .tls(certificateReloader: certificate) { tls in
                tls.requireALPN = true
            },
            config: .defaults { Self.configure(&$0, settings) },
            eventLoopGroup: group
        )
        let server = GRPCServer(transport: transport, services: services)
        parts = Mutex(Parts(transport: transport, server: server))
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

    /// Listens and serves until the task is cancelled, once; throws when it cannot listen.
    package func run() async throws {
        let outcome = await serve()
        // What is left of the transport says so to its loops as it is released: before they end.
        parts.withLock { $0 = nil }
        try? await group.shutdownGracefully()
        try outcome.get()
    }

    // Apart from `run`, so that nothing here holds the server any more when the loops end.
    private func serve() async -> Result<Void, any Error> {
        guard let parts = parts.withLock(\.self) else { return .success(()) }
        let server = parts.server
        let loop = group.next()
        let serving = Task { try await server.serve() }
        defer { serving.cancel() }
        // First it listens, or cannot, also when it is to end already: a server that is ended
        // before that never begins, and its transport never answers who asks where it listens.
        _ = try? await parts.transport.listeningAddress
        return await withTaskCancellationHandler {
            await serving.result
        } onCancel: {
            loop.scheduleTask(in: Self.patience) { serving.cancel() }
            // A listener that is cancelled outright loses connections it has just accepted, which
            // the transport takes for a mistake of ours.
            server.beginGracefulShutdown()
        }
    }

    /// Where it listens, once it does; of use when port 0 was asked for.
    package var port: UInt16 {
        get async throws {
            guard let transport = parts.withLock({ $0?.transport }) else {
                throw RPCError(code: .unavailable, message: "the server has ended")
            }
            let address = try await transport.listeningAddress
            return UInt16(clamping: address.ipv4?.port ?? address.ipv6?.port ?? 0)
        }
    }
}
