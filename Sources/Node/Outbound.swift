internal import Authorization
internal import HTTP
internal import Mesh
internal import Reactor
internal import Routing
internal import Telemetry
internal import Tunnel

/// A connection that an application of this node opened, from capture to its end.
///
/// Reads top to bottom: captured → known → routed → one of tunnelled, delivered on this node, or
/// passed in the clear → relayed. Until the relay begins, nothing was read from the application, so
/// a failed endpoint can be replaced by another.
final class Outbound: LiveConnection, TunnelWaiter, TunnelStreamOwner, RelayObserver {
    private let pod: Pod
    private let worker: Worker
    private let record: ConnectionRecord
    private var socket: Descriptor?
    private var tried: Set<String> = []
    /// Dials anew after a pooled tunnel was lost under an unanswered stream.
    private static let redialsMax = 2
    private var redials = 0
    private var choice: Choice?
    private var key: TunnelKey?
    private var stream: TunnelStream?
    private var relay: SpliceRelay?
    private var connecting: Connecting?
    /// The destination's half of a same-node connection.
    private var local: SameNode?
    private var original: OriginalDestination?
    private var isOver = false

    init(pod: Pod, socket: consuming Descriptor) {
        self.pod = pod
        self.worker = pod.worker
        self.record = ConnectionRecord(worker: pod.worker, direction: .outbound)
        self.socket = consume socket
    }

    // MARK: captured

    func start() {
        worker.add(self)
        guard let raw = socket?.raw else { return }
        guard let addresses = pod.captured(raw, into: record) else {
            return refuse("no-address", "the connection was gone before it was read")
        }
        original = OriginalDestination(addresses.dialled)
        pod.whenKnown(unless: { [self] in isOver }) { [self] source, reason in
            guard let source else { return refuse("unknown-source", reason) }
            record.parties(source: source, destination: nil)
            route(source)
        }
    }

    // MARK: routed

    private func route(_ source: WorkloadRecord) {
        guard let original else { return }
        let route = worker.router.route(
            from: source,
            to: original,
            excluding: tried,
            load: { [worker] in worker.load.count($0.workload.uid) },
            random: &worker.random
        )
        switch route {
        case .passthrough(let address):
            pass(to: address)
        case .endpoint(let choice):
            record.parties(
                source: source,
                destination: choice.workload,
                service: choice.service
            )
            take(choice, source)
        case .refused(let refusal):
            record.parties(source: source, destination: nil, service: refusal.service)
            fail(.connect, refusal.description)
        }
    }

    private func take(_ choice: Choice, _ source: WorkloadRecord) {
        self.choice = choice
        guard choice.viaHBONE else { return pass(to: choice.address) }
        let isHere = choice.workload.workload.node == worker.settings.nodeName
        if isHere, !worker.settings.encryptsSameNode,
            let target = worker.localPod(of: choice.workload.workload)
        {
            return deliverHere(target, choice, source)
        }
        tunnel(choice, source)
    }

    /// The status as peers write it in their logs.
    private func statusText(_ status: Int) -> String {
        switch status {
        case 400: "400 Bad Request"
        case 401: "401 Unauthorized"
        case 503: "503 Service Unavailable"
        default: "\(status)"
        }
    }

    /// Tries another endpoint when there is one; nothing of the application was read yet.
    private func tryAnother(after flag: ResponseFlag, _ reason: String) {
        guard !isOver else { return }
        guard let choice, let source = worker.workload(of: pod),
            tried.count < worker.settings.attemptsMax - 1, choice.service != nil
        else { return fail(flag, reason) }
        tried.insert(choice.workload.workload.uid)
        let again = worker.router.route(
            from: source,
            to: original ?? OriginalDestination(choice.address),
            excluding: tried,
            load: { [worker] in worker.load.count($0.workload.uid) },
            random: &worker.random
        )
        guard case .endpoint(let next) = again else { return fail(flag, reason) }
        worker.telemetry.retried(reason)
        endLoad()
        record.parties(source: source, destination: next.workload, service: next.service)
        take(next, source)
    }

    // MARK: tunnelled

    private func tunnel(_ choice: Choice, _ source: WorkloadRecord) {
        record.hboneAddress = choice.address
        let destination = SocketAddress(choice.address.ip, Ports.hbone)
        record.destinationAddress = destination
        let key = TunnelKey(
            podUID: pod.local.uid,
            source: source.identity,
            destination: destination,
            expected: choice.expectedIdentities
        )
        self.key = key
        beginLoad()
        // Asking wakes the store's threads: only for what is not held.
        if worker.credentials(of: source.identity) == nil {
            worker.identities.request(source.identity)
        }
        worker.wait(
            milliseconds: worker.settings.tunnel.handshakeMilliseconds,
            until: { [unowned self] in worker.credentials(of: source.identity) != nil || isOver },
            { [self] isHeld in
                guard !isOver else { return }
                guard isHeld else {
                    let reason = worker.identities.reason(for: source.identity)
                    return fail(
                        .identityError,
                        "no certificate for \(source.identity): \(reason)"
                    )
                }
                worker.pool.request(key, self)
            }
        )
    }

    func tunnelReady(_ connection: TunnelConnection) {
        guard !isOver, let choice, let source = record.source else { return }
        var request = ConnectRequest(authority: .address(choice.address))
        request.baggage = worker.baggage(of: source)
        request.forwarded = Forwarded(
            client: record.sourceAddress,
            host: choice.service?.service.hostname
        )
        request.traceparent = TraceParent(using: &worker.random)
        guard let stream = connection.open(request.fields, owner: self) else {
            return fail(.connect, "the tunnel to \(connection.peerName) has no room")
        }
        record.authenticated(
            source: source.identity,
            destination: connection.peerIdentity ?? choice.workload.identity,
            encrypted: true
        )
        self.stream = stream
    }

    func tunnelFailed(_ failure: TunnelFailure) {
        if failure.stage == .tls || failure.stage == .revoked {
            let reason = failure.stage == .revoked ? "revoked" : "tls"
            worker.telemetry.handshakeFailed(isClient: true, reason: reason)
        }
        tryAnother(after: failure.flag, failure.description)
    }

    func streamAnswered(_ stream: TunnelStream, status: Int, fields: HeaderFields) {
        guard !isOver else { return }
        guard status == 200 else {
            self.stream = nil
            stream.refused()
            let text = statusText(status)
            // The destination could not be reached behind its proxy: another may serve.
            if status == 503 { return tryAnother(after: .connect, "http status: \(text)") }
            return fail(status == 401 ? .deny : .connect, "http status: \(text)")
        }
        guard let socket = socket.take() else { return }
        record.opened()
        stream.attach(socket, observer: self)
    }

    func streamLost(_ stream: TunnelStream, _ end: RelayEnd) {
        guard !isOver, self.stream === stream else { return }
        self.stream = nil
        let text = end.logText ?? "the stream ended without an answer"
        // A pooled tunnel may go away just as we use it; the endpoint itself may be well.
        if end.isTunnelGone, redials < Outbound.redialsMax, let key {
            redials += 1
            worker.telemetry.retried(text)
            return worker.pool.request(key, self)
        }
        tryAnother(after: .connect, text)
    }

    // MARK: on this node

    private func deliverHere(_ target: Pod, _ choice: Choice, _ source: WorkloadRecord) {
        record.hboneAddress = choice.address
        record.authenticated(
            source: source.identity,
            destination: choice.workload.identity,
            encrypted: false
        )
        beginLoad()
        let local = SameNode(
            target: target,
            source: source,
            sourceAddress: record.sourceAddress,
            destination: choice.workload,
            address: choice.address,
            service: choice.service
        )
        self.local = local
        local.open { [self] outcome in
            guard !isOver else { return }
            switch consume outcome {
            case .connected(let server):
                record.opened()
                local.opened()
                splice(server)
            case .denied(let reason):
                fail(.deny, reason)
            case .failed(let reason):
                self.local = nil
                tryAnother(after: .connect, reason)
            }
        }
    }

    // MARK: in the clear

    private func pass(to address: SocketAddress) {
        record.destinationAddress = address
        beginLoad()
        do {
            let outgoing = try pod.makeSocket(to: address.ip.family)
            let connecting = Connecting(loop: worker.loop, socket: outgoing) { [self] outcome in
                self.connecting = nil
                guard !isOver else { return }
                switch consume outcome {
                case .connected(let server):
                    record.opened()
                    splice(server)
                case .failed(let code):
                    tryAnother(after: .connect, "connect to \(address): \(errnoText(code))")
                }
            }
            self.connecting = connecting
            connecting.start(
                to: address.kernel,
                timeoutMilliseconds: worker.settings.tunnel.connectMilliseconds
            )
        } catch {
            fail(.connect, "cannot make a socket: \(error)")
        }
    }

    private func splice(_ server: consuming Descriptor) {
        guard let client = socket.take() else { return }
        let relay = SpliceRelay(loop: worker.loop, pipes: worker.pipes, observer: self)
        self.relay = relay
        relay.start(client: client, server: server)
    }

    // MARK: relayed

    func relayed(toSocket: Int, fromSocket: Int) {
        // In a tunnel the socket is the client's, in a splice "to the socket" is to the server.
        let (received, sent) = relay == nil ? (fromSocket, toSocket) : (toSocket, fromSocket)
        record.received(received)
        record.sent(sent)
        local?.relayed(received: received, sent: sent)
    }

    func relayEnded(_ end: RelayEnd) {
        finish(end == .finished ? .none : end.flag, end.logText)
    }

    // MARK: ends

    private func refuse(_ reason: String, _ text: String) {
        guard !isOver else { return }
        record.refuse(reason, because: text)
        over()
    }

    private func fail(_ flag: ResponseFlag, _ text: String) {
        finish(flag, text)
    }

    private func finish(_ flag: ResponseFlag, _ text: String?) {
        guard !isOver else { return }
        record.finish(flag, error: text)
        local?.finish(flag, text)
        over()
    }

    private func over() {
        isOver = true
        if let raw = socket?.raw { Socket.resetOnClose(raw) }
        socket = nil
        connecting?.cancel()
        connecting = nil
        if let key { worker.pool.cancel(key, self) }
        local?.cancel()
        local = nil
        relay = nil
        if let stream, !stream.hasSocket { stream.refused() }
        stream = nil
        endLoad()
        pod.release()
        worker.remove(self)
    }

    private func beginLoad() {
        if let choice { worker.load.began(choice.workload.workload.uid) }
    }

    private func endLoad() {
        if let choice { worker.load.ended(choice.workload.workload.uid) }
        choice = nil
    }

    // MARK: live

    var summaries: [ConnectionDescription] { [record.summary] }

    func involves(podUID: String) -> Bool {
        pod.local.uid == podUID || local?.target.local.uid == podUID
    }

    func recheck(_ diff: SnapshotDiff) {
        if let choice, diff.departed.contains(choice.workload.workload.uid), choice.viaHBONE {
            return abort("the workload \(choice.workload.workload.name) is gone")
        }
        if let reason = local?.recheck(diff) { abort(reason) }
    }

    func abort(_ reason: String) {
        guard !isOver else { return }
        if let stream, stream.hasSocket { return stream.abort(reason) }
        if let relay { return relay.abort(reason) }
        stream?.refused()
        fail(.none, reason)
    }
}
