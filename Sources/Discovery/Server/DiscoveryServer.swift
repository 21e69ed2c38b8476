internal import AmbientProtocol
package import GRPCCore
internal import GRPCProtobuf
internal import Synchronization

/// Serves a store by delta discovery (PROTOCOL.md §2.1) to callers proven by their token.
package final class DiscoveryServer: Sendable {
    /// How it works.
    package struct Settings: Sendable {
        /// Streams at once; more are refused.
        package var streamsMax = 10_000
        /// Streams at once of one pod.
        package var streamsPerPodMax = 8
        /// Clients that may catch up at once; others wait their turn.
        package var catchUpsMax = 16
        /// A client that catches up gives its turn on after this long.
        package var catchUpSeconds = 10
        /// How long a client may take until its first request.
        package var firstRequestSeconds = 30
        /// How often the token of an open stream is reviewed again.
        package var reviewSeconds = 300
        /// Whether a node gets only the policies of namespaces that have pods on it, besides those
        /// for all nodes; a compromised node then reads no more than it needs.
        package var scopesPolicies = true

        /// The defaults.
        package init() {}
    }

    private struct Running {
        var streams = 0
        var streamsByPod: [String: Int] = [:]
    }

    /// What happened so far.
    package let metrics: DiscoveryMetrics
    private let store: ResourceStore
    private let settings: Settings
    private let authentication: Authentication
    private let log: DiscoveryLog
    private let catchUps: Admission
    private let timers = ControlLoop()
    private let running = Mutex(Running())

    /// Serves what is in the store, now and later.
    package init(
        store: ResourceStore,
        settings: Settings = Settings(),
        metrics: DiscoveryMetrics = DiscoveryMetrics(),
        log: @escaping DiscoveryLog = { _ in },
        authenticate: @escaping Authenticator
    ) {
        self.store = store
        self.settings = settings
        self.metrics = metrics
        self.log = log
        self.authentication = Authentication(
            authenticate: authenticate,
            metrics: metrics,
            log: log
        )
        self.catchUps = Admission(places: settings.catchUpsMax)
    }

    /// Keeps telling clients of changes; runs until its task is cancelled.
    package func run() async {
        await store.tellClients(timers)
    }

    // MARK: one stream

    private func open(
        _ request: StreamingServerRequest<Request>,
        _ context: ServerContext
    ) async throws -> StreamingServerResponse<EncodedMessage> {
        let token = try authentication.token(request.metadata, peer: context.remotePeer)
        let caller = try await authentication.caller(token, peer: context.remotePeer)
        return StreamingServerResponse { writer in
            try self.enter(caller, peer: context.remotePeer)
            defer { self.leave(caller) }
            let client = Client(caller: caller, token: token, peer: context.remotePeer)
            try await withRPCCancellation(context) {
                try await self.serve(client, request.messages, writer)
            }
            return [:]
        }
    }

    /// One client and what it proved.
    private struct Client: Sendable {
        let caller: Caller
        let token: String
        let peer: String
    }

    private func serve(
        _ client: Client,
        _ requests: RPCAsyncSequence<Request, any Error>,
        _ writer: RPCWriter<EncodedMessage>
    ) async throws {
        let turn = CatchUpTurn(admission: catchUps)
        defer { turn.end() }
        let stream = DiscoveryStream(store: store)
        defer { stream.close() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.watch(client, turn, stream) }
            group.addTask { try await self.write(stream, turn, writer) }
            group.addTask { try await self.read(requests, client, turn, stream) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func read(
        _ requests: RPCAsyncSequence<Request, any Error>,
        _ client: Client,
        _ turn: CatchUpTurn,
        _ stream: DiscoveryStream
    ) async throws {
        // A first request may be large: only so many are read at once.
        try await turn.begin()
        do {
            for try await request in requests {
                if !stream.hasBegun { try begin(client, request, stream) }
                try receive(request, client, stream)
            }
            log(.disconnected(client.caller, reason: "the client ended the stream"))
        } catch {
            log(.disconnected(client.caller, reason: "\(error)"))
            throw error
        }
    }

    private func begin(_ client: Client, _ first: Request, _ stream: DiscoveryStream) throws {
        let identifier: NodeIdentifier
        do {
            identifier = try NodeIdentifier(first.node, caller: client.caller)
        } catch {
            metrics.change { $0.refusedTotal += 1 }
            log(.refused(peer: client.peer, reason: "\(error)"))
            throw RPCError(code: .permissionDenied, message: "the node is not the caller's")
        }
        let node = client.caller.nodeName
        stream.begin(
            ClientScope(
                policiesOfNode: settings.scopesPolicies && !node.isEmpty ? node : nil,
                takesPartial: identifier.takesPartial
            )
        )
        log(.connected(client.caller, node: identifier.id))
    }

    private func receive(
        _ request: Request,
        _ client: Client,
        _ stream: DiscoveryStream
    ) throws {
        do {
            switch try stream.receive(request) {
            case .none: break
            case .accepted(_, let latencies):
                metrics.change { values in
                    for latency in latencies {
                        values.pushLatency.record(seconds: latency / .seconds(1))
                    }
                }
            case .refused(let type, let reason):
                metrics.change { $0.nacksTotal[type.typeURL, default: 0] += 1 }
                log(.notAcknowledged(client.caller, typeURL: type.typeURL, reason: reason))
            }
        } catch {
            throw failed(error)
        }
    }

    private func write(
        _ stream: DiscoveryStream,
        _ turn: CatchUpTurn,
        _ writer: RPCWriter<EncodedMessage>
    ) async throws {
        for await _ in stream.wakeups {
            while let outgoing = try takeNext(stream) {
                let type = outgoing.type.typeURL
                metrics.change { values in
                    values.pushesTotal[type, default: 0] += 1
                    values.pushedBytesTotal[type, default: 0] += outgoing.message.encoded.count
                    values.pushedResourcesTotal[type, default: 0] += outgoing.count
                }
                // Waits until the client has room: nothing queues up here.
                try await writer.write(outgoing.message)
            }
            if stream.hasCaughtUp { turn.end() }
        }
    }

    private func takeNext(_ stream: DiscoveryStream) throws -> DiscoveryStream.Outgoing? {
        do {
            return try stream.next()
        } catch {
            throw failed(error)
        }
    }

    private func failed(_ failure: DiscoveryStream.Failure) -> RPCError {
        switch failure {
        case .tooManyNames:
            return RPCError(code: .resourceExhausted, message: "too many names are subscribed to")
        case .nameTooLong: return RPCError(code: .invalidArgument, message: "a name is too long")
        case .lost:
            metrics.change { $0.laggingTotal += 1 }
            return RPCError(code: .unavailable, message: "too far behind; connect again")
        }
    }

    /// Ends a stream that does not begin, or whose token is not good any more.
    private func watch(
        _ client: Client,
        _ turn: CatchUpTurn,
        _ stream: DiscoveryStream
    ) async throws {
        let catchUp = Duration.seconds(settings.catchUpSeconds)
        let patience = Duration.seconds(settings.firstRequestSeconds)
        while true {
            try await timers.wait(for: .seconds(1))
            // Time counts from when its turn came.
            guard let age = turn.age else { continue }
            if age >= catchUp { turn.end() }
            guard stream.hasBegun || age < patience else {
                throw RPCError(code: .deadlineExceeded, message: "no request came")
            }
            if stream.hasBegun, age >= catchUp { break }
        }
        while true {
            try await timers.wait(for: .seconds(settings.reviewSeconds))
            let caller = try await authentication.caller(client.token, peer: client.peer)
            guard caller == client.caller else {
                throw RPCError(code: .unauthenticated, message: "authentication failed")
            }
        }
    }

    private func enter(_ caller: Caller, peer: String) throws {
        let pod = "\(caller.namespace)/\(caller.podUID)"
        let hasRoom = running.withLock { running in
            guard running.streams < settings.streamsMax,
                running.streamsByPod[pod, default: 0] < settings.streamsPerPodMax
            else { return false }
            running.streams += 1
            running.streamsByPod[pod, default: 0] += 1
            return true
        }
        guard hasRoom else {
            metrics.change { $0.refusedTotal += 1 }
            log(.refused(peer: peer, reason: "too many streams"))
            throw RPCError(code: .resourceExhausted, message: "too many streams")
        }
        metrics.change { values in
            values.connections += 1
            values.connectionsTotal += 1
        }
    }

    private func leave(_ caller: Caller) {
        let pod = "\(caller.namespace)/\(caller.podUID)"
        running.withLock { running in
            running.streams -= 1
            let left = (running.streamsByPod[pod] ?? 1) - 1
            running.streamsByPod[pod] = left > 0 ? left : nil
        }
        metrics.change { $0.connections -= 1 }
    }
}

extension DiscoveryServer {
    private typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
}

/// Responses leave as bytes that were put together here.
extension DiscoveryServer: RegistrableRPCService {
    /// Registers the delta stream, the one way of discovery that is served.
    package func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
        router.registerHandler(
            forMethod: Service.Method.DeltaAggregatedResources.descriptor,
            deserializer: ProtobufDeserializer<Request>(),
            serializer: EncodedMessageSerializer(),
            handler: { request, context in try await self.open(request, context) }
        )
    }
}
