internal import AmbientProtocol
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
package import Mesh
internal import SwiftProtobuf
internal import Synchronization

/// Follows the mesh by delta discovery (PROTOCOL.md §2.1), from our controller or a foreign one.
///
/// What was learnt stays when the control plane is lost; when it is back only differences come.
package final class DiscoveryClient: Sendable {
    /// Whom it asks, and as whom.
    package struct Settings: Sendable {
        package var endpoint: ControlEndpoint
        /// The service-account token; read anew for each connection.
        package var token: SecretSource
        package var clusterID = "Kubernetes"
        package var nodeName: String
        package var podName: String
        package var podNamespace: String
        /// The pod's own address as text; empty for none.
        package var instanceIP = ""
        package var network = ""
        /// How long a connection may take until requests can be sent: one that is taken by a
        /// kernel whose program hangs is given up then.
        package var dialTimeout = Duration.seconds(10)

        /// Follows what an endpoint serves.
        package init(
            endpoint: ControlEndpoint,
            token: SecretSource,
            nodeName: String,
            podName: String,
            podNamespace: String
        ) {
            self.endpoint = endpoint
            self.token = token
            self.nodeName = nodeName
            self.podName = podName
            self.podNamespace = podNamespace
        }
    }

    /// What it tells, in order, one at a time; hand it on and return.
    package enum Event: Sendable {
        /// The mesh changed. The first one holds all of it.
        case change(MeshChange)
        /// The revocation lists there are now, PEM; nil for none. From a control plane that has
        /// any, the first ones come before `synced`.
        case revocations(String?)
        /// The first sync of all types is through.
        case synced
        /// A stream is open to one of the places.
        case connected(ControlEndpoint.Place)
        /// There is no stream; it is tried again after so long.
        case disconnected(reason: String, retryAfter: Duration)
        /// Resources were refused, and are not held.
        case rejected([ResourceRejection])
    }

    /// The longest message taken, in bytes.
    static let messageBytesMax = 200 << 20
    /// How long the first response may take once requests can be sent; a busy controller lets wait.
    private static let openTimeout = Duration.seconds(110)

    /// What happened so far.
    package let metrics: DiscoveryClientMetrics
    private let settings: Settings
    private let loop: ControlLoop
    private let onEvent: @Sendable (Event) -> Void
    private let state = Mutex(ClientState())

    /// Makes a client on one event loop; nothing happens before `run`.
    package init(
        settings: Settings,
        loop: ControlLoop,
        metrics: DiscoveryClientMetrics = DiscoveryClientMetrics(),
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.settings = settings
        self.loop = loop
        self.metrics = metrics
        self.onEvent = onEvent
    }

    /// Follows the mesh until the task is cancelled; connections that fail are made anew.
    ///
    /// To be called once.
    package func run() async {
        var backoff = ReconnectBackoff()
        var turn = PlaceTurn()
        while !Task.isCancelled {
            let progress = Progress()
            let began = ContinuousClock.now
            let ended = await connect(progress, turn)
            turn.next()
            metrics.change { values in
                values.isConnected = false
                values.terminations[ended.termination, default: 0] += 1
            }
            if Task.isCancelled { return }
            // One that ends at once may be a server's trouble: it is not to be hammered.
            if progress.wasOpened, ContinuousClock.now - began > .seconds(1) { backoff.reset() }
            let wait = backoff.next()
            onEvent(.disconnected(reason: ended.reason, retryAfter: wait))
            do { try await loop.wait(for: wait) } catch { return }
        }
    }

    /// How a connection ended.
    private struct End {
        let termination: DiscoveryClientMetrics.Termination
        let reason: String
    }

    /// How far a connection came; shared by its tasks.
    private final class Progress: Sendable {
        private let stage = Mutex((wasDialled: false, wasOpened: false))
        /// Whether requests could be sent.
        var wasDialled: Bool { stage.withLock { $0.wasDialled } }
        /// Whether there was a response.
        var wasOpened: Bool { stage.withLock { $0.wasOpened } }
        func dial() { stage.withLock { $0.wasDialled = true } }
        func open() { stage.withLock { $0.wasOpened = true } }
    }

    private func connect(_ progress: Progress, _ turn: PlaceTurn) async -> End {
        do {
            let metadata = try metadata()
            let transport = try settings.endpoint.transport(turn, on: loop.group)
            let place = turn.place(of: settings.endpoint.places)
            state.withLock { $0.beginConnection() }
            try await withGRPCClient(transport: transport) { client in
                try await self.stream(client, metadata, place, progress)
            }
            return End(termination: .complete, reason: "the server ended the stream")
        } catch let error as RPCError where progress.wasOpened {
            return Self.end(error)
        } catch {
            let termination: DiscoveryClientMetrics.Termination =
                progress.wasOpened ? .error : .connectionError
            return End(termination: termination, reason: Self.reason(error))
        }
    }

    private static func end(_ error: RPCError) -> End {
        // PROTOCOL.md §2.1: these are how a server that restarts or rebalances says goodbye.
        switch error.code {
        case .unknown, .cancelled, .deadlineExceeded, .unavailable:
            End(termination: .reconnect, reason: reason(error))
        default: End(termination: .error, reason: reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? RPCError else { return "\(error)".clipped() }
        let cause = error.cause.map { ": \($0)" } ?? ""
        return "\(error.code): \(error.message)\(cause)".clipped()
    }

    private func metadata() throws -> GRPCCore.Metadata {
        var metadata: GRPCCore.Metadata = [:]
        metadata.addString("Bearer " + (try settings.token.read()), forKey: "authorization")
        metadata.addString(settings.clusterID, forKey: "clusterid")
        return metadata
    }

    // MARK: one connection

    private typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest

    /// Runs one stream to its end.
    private func stream(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>,
        _ metadata: GRPCCore.Metadata,
        _ place: ControlEndpoint.Place,
        _ progress: Progress
    ) async throws {
        let (requests, outgoing) = AsyncStream<Request>.makeStream()
        // Policies before workloads: nothing is to be served before what guards it.
        for type in ResourceType.allCases { outgoing.yield(initial(type)) }
        var options = CallOptions.defaults
        options.waitForReady = false
        options.maxRequestMessageBytes = Self.messageBytesMax
        options.maxResponseMessageBytes = Self.messageBytesMax
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await self.loop.wait(for: self.settings.dialTimeout)
                guard progress.wasDialled else {
                    throw RPCError(code: .deadlineExceeded, message: "no connection came about")
                }
                try await self.loop.wait(for: Self.openTimeout)
                guard progress.wasOpened else {
                    throw RPCError(code: .deadlineExceeded, message: "no response came")
                }
                // The stream decides from here on.
                while true { try await self.loop.wait(for: .seconds(3600)) }
            }
            group.addTask { [options] in
                defer { outgoing.finish() }
                try await self.call(client, metadata, requests, options, progress) { sized in
                    if !progress.wasOpened {
                        progress.open()
                        self.metrics.change { $0.isConnected = true }
                        self.onEvent(.connected(place))
                    }
                    self.take(sized, outgoing)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func call(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>,
        _ metadata: GRPCCore.Metadata,
        _ requests: AsyncStream<Request>,
        _ options: CallOptions,
        _ progress: Progress,
        _ take: @escaping @Sendable (SizedResponse) -> Void
    ) async throws {
        typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
        try await client.bidirectionalStreaming(
            request: StreamingClientRequest(metadata: metadata) { writer in
                progress.dial()
                for await request in requests { try await writer.write(request) }
            },
            descriptor: Service.Method.DeltaAggregatedResources.descriptor,
            serializer: ProtobufSerializer<Request>(),
            deserializer: SizedResponseDeserializer(),
            options: options
        ) { response in
            for try await sized in response.messages { take(sized) }
        }
    }

    private func take(
        _ sized: SizedResponse,
        _ outgoing: AsyncStream<Request>.Continuation
    ) {
        metrics.change { values in
            let type = ResourceType(typeURL: sized.message.typeURL)?.typeURL ?? "unknown"
            values.messages[type, default: 0] += 1
            values.messageBytes[type, default: 0] += sized.bytes
        }
        guard let type = ResourceType(typeURL: sized.message.typeURL) else { return }
        let step = state.withLock { $0.take(sized.message, type) }
        for event in step.events { onEvent(event) }
        if !step.rejections.isEmpty {
            metrics.change { $0.rejections[type.typeURL, default: 0] += step.rejections.count }
            onEvent(.rejected(step.rejections))
        }
        outgoing.yield(Self.answer(sized.message, step.rejections))
    }

    /// Says that a response was taken, or which resources of it were not.
    private static func answer(
        _ response: Envoy_Service_Discovery_V3_DeltaDiscoveryResponse,
        _ rejections: [ResourceRejection]
    ) -> Request {
        var request = Request()
        request.typeURL = response.typeURL
        request.responseNonce = response.nonce
        if !rejections.isEmpty {
            // INVALID_ARGUMENT of google.rpc.Code.
            request.errorDetail.code = 3
            request.errorDetail.message = rejections.prefix(64).map(\.description)
                .joined(separator: "; ").clipped(bytes: 16 * 1024)
        }
        return request
    }

    private func initial(_ type: ResourceType) -> Request {
        var request = Request()
        request.node = node
        request.typeURL = type.typeURL
        request.initialResourceVersions = state.withLock { $0.held.versions(type) }
        return request
    }

    private var node: Envoy_Config_Core_V3_Node {
        let ip = settings.instanceIP.isEmpty ? "1.1.1.1" : settings.instanceIP
        let namespace = settings.podNamespace
        var node = Envoy_Config_Core_V3_Node()
        node.id = "ztunnel~\(ip)~\(settings.podName).\(namespace)~\(namespace).svc.cluster.local"
        var texts = [
            "NAME": settings.podName, "NAMESPACE": namespace, "INSTANCE_IPS": ip,
            "NODE_NAME": settings.nodeName, "CLUSTER_ID": settings.clusterID,
            NodeIdentifier.partialKey: "true",
        ]
        if !settings.network.isEmpty { texts["NETWORK"] = settings.network }
        for (key, text) in texts {
            node.metadata.fields[key] = Google_Protobuf_Value(stringValue: text)
        }
        return node
    }
}

/// Waits between connections: 10 ms, doubled up to 4 s, each ± 20 %.
///
/// PROTOCOL.md §2.1 has 15 s, for which a controller that is back would be without its nodes; to
/// be asked once more by each of them within 4 s costs it little, as most are turned away by the
/// kernel while it is not there.
struct ReconnectBackoff: Sendable {
    private static let first = 0.01
    private static let longest = 4.0
    private var seconds = first

    mutating func reset() { seconds = Self.first }

    mutating func next() -> Duration {
        defer { seconds = min(seconds * 2, Self.longest) }
        return .seconds(seconds * Double.random(in: 0.8...1.2))
    }
}
