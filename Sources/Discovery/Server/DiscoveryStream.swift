internal import AmbientProtocol
internal import Synchronization

/// One client's stream, without the input and output: its subscriptions and what it is sent next.
final class DiscoveryStream: Sendable {
    /// What a stream may ask for.
    enum Limits {
        /// Names subscribed to, of one type.
        static let namesMax = 20_000
        /// Bytes of one name.
        static let nameBytesMax = 2048
        /// Responses that wait for their acknowledgement, of one type.
        static let inFlightMax = 16
    }

    /// Why a stream ends.
    enum Failure: Error, Equatable {
        case tooManyNames
        case nameTooLong
        /// The client fell too far behind.
        case lost
    }

    private struct State {
        /// Nil until the first request.
        var scope: ClientScope?
        var subscriptions = [Subscription?](repeating: nil, count: ResourceType.allCases.count)
        var nonce: UInt64 = 0
    }

    /// A response and what to note once it is written.
    struct Outgoing: Sendable {
        let message: EncodedMessage
        let type: ResourceType
        let count: Int
    }

    /// What an acknowledgement or refusal said.
    enum Acknowledgement: Sendable, Equatable {
        case none
        case accepted(type: ResourceType, latencies: [Duration])
        case refused(type: ResourceType, reason: String)
    }

    let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let store: ResourceStore
    private let state: Mutex<State>

    init(store: ResourceStore) {
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.store = store
        self.state = Mutex(State())
        let wake = self.wake
        store.state.withLock { state in
            state.clients[ObjectIdentifier(self)] = ResourceStore.Position { wake.yield() }
        }
    }

    /// Notes what the client is; before its first subscription.
    func begin(_ scope: ClientScope) {
        state.withLock { $0.scope = scope }
    }

    /// Whether the client said what it is.
    var hasBegun: Bool { state.withLock { $0.scope != nil } }

    /// Leaves the store; `wakeups` ends.
    func close() {
        store.state.withLock { _ = $0.clients.removeValue(forKey: ObjectIdentifier(self)) }
        wake.finish()
    }

    /// Takes a request; unknown types are ignored.
    func receive(
        _ request: Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    ) throws(Failure) -> Acknowledgement {
        guard let type = ResourceType(typeURL: request.typeURL) else { return .none }
        let names = request.resourceNamesSubscribe + request.resourceNamesUnsubscribe
        guard names.allSatisfy({ $0.utf8.count <= Limits.nameBytesMax }) else {
            throw .nameTooLong
        }
        let result: Result<Acknowledgement, Failure> = state.withLock { state in
            guard var subscription = state.subscriptions[type.rawValue] else {
                state.subscriptions[type.rawValue] = begin(request)
                return .success(.none)
            }
            let acknowledgement = Self.take(request, type, &subscription)
            subscription.subscribe(request.resourceNamesSubscribe)
            subscription.unsubscribe(request.resourceNamesUnsubscribe)
            state.subscriptions[type.rawValue] = subscription
            return subscription.names.count <= Limits.namesMax
                ? .success(acknowledgement) : .failure(.tooManyNames)
        }
        wake.yield()
        return try result.get()
    }

    private func begin(
        _ request: Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    ) -> Subscription {
        let head = store.state.withLock { $0.sequence }
        var names = Set(request.resourceNamesSubscribe)
        let named = names.remove("*") != nil
        let isWildcard = !request.resourceNamesUnsubscribe.contains("*") && (named || names.isEmpty)
        return Subscription(
            isWildcard: isWildcard,
            names: names,
            held: request.initialResourceVersions,
            head: head
        )
    }

    private static func take(
        _ request: Envoy_Service_Discovery_V3_DeltaDiscoveryRequest,
        _ type: ResourceType,
        _ subscription: inout Subscription
    ) -> Acknowledgement {
        guard !request.responseNonce.isEmpty,
            let answered = subscription.acknowledge(request.responseNonce)
        else { return .none }
        if request.hasErrorDetail {
            return .refused(type: type, reason: request.errorDetail.message.clipped(bytes: 2048))
        }
        let now = ContinuousClock.now
        return .accepted(type: type, latencies: answered.compactMap { $0.since.map { now - $0 } })
    }

    /// Whether it was sent all of the mesh that there was when it subscribed.
    var hasCaughtUp: Bool {
        state.withLock { state in
            ResourceType.ofMesh.allSatisfy { type in
                state.subscriptions[type.rawValue].map { !$0.isCatchingUp } ?? false
            }
        }
    }

    /// The next response to send; nil when the client has all, or must acknowledge first.
    func next() throws(Failure) -> Outgoing? {
        let id = ObjectIdentifier(self)
        let isLost = store.state.withLock { $0.clients[id]?.isLost ?? true }
        if isLost { throw .lost }
        let result: Result<Outgoing?, Failure> = state.withLock { state in
            for type in ResourceType.allCases {
                guard let subscription = state.subscriptions[type.rawValue] else { continue }
                // Workloads wait for the policies before them.
                if subscription.inFlight.count >= Limits.inFlightMax { return .success(nil) }
                switch next(type, &state) {
                case .success(nil): continue
                case let other: return other
                }
            }
            return .success(nil)
        }
        return try result.get()
    }

    private func next(_ type: ResourceType, _ state: inout State) -> Result<Outgoing?, Failure> {
        guard var subscription = state.subscriptions[type.rawValue], let scope = state.scope else {
            return .success(nil)
        }
        var response = EncodedResponse()
        var since: ContinuousClock.Instant?
        let wasCatchingUp = subscription.isCatchingUp || subscription.owesResponse
        let policies = state.subscriptions[ResourceType.authorization.rawValue]
        let guardian = type == .address ? policies?.cursor : nil
        var limit: UInt64 = 0
        var isLost = false
        var isMore = true
        while isMore {
            // The lock is let go between batches, for changes and other clients.
            isMore = store.state.withLock { shared in
                let id = ObjectIdentifier(self)
                isLost = shared.clients[id]?.isLost ?? true
                guard !isLost else { return false }
                limit = guardian ?? shared.sequence
                since = shared.toldSince
                let goesOn = subscription.read(
                    shared,
                    type,
                    scope,
                    limit: limit,
                    into: &response
                )
                shared.clients[id]?.cursors[type.rawValue] = subscription.cursor
                return goesOn
            }
        }
        if isLost { return .failure(.lost) }
        defer { state.subscriptions[type.rawValue] = subscription }
        guard response.count > 0 || subscription.owesResponse else { return .success(nil) }
        state.nonce += 1
        let nonce = String(state.nonce)
        let isPartial = wasCatchingUp && subscription.hasMore(limit: min(limit, subscription.start))
        subscription.owesResponse = false
        subscription.inFlight.append(
            Subscription.Flight(nonce: nonce, since: wasCatchingUp ? nil : since)
        )
        let count = response.count
        let message = response.finish(
            type: type,
            nonce: nonce,
            isPartial: isPartial && scope.takesPartial
        )
        return .success(Outgoing(message: message, type: type, count: count))
    }
}
