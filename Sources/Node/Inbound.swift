internal import Authorization
internal import HTTP
internal import Identity
internal import Mesh
internal import Reactor
internal import TLS
internal import Telemetry
internal import Tunnel

/// One tunnel that a peer opened to a pod of this node: TLS under the pod's certificate.
///
/// Each CONNECT on it becomes an `Inbound`. Until TLS is up, it counts as one of the pod's
/// handshakes, and its end is logged; afterwards the streams speak for themselves.
final class InboundTunnel: TunnelOwner, LiveConnection {
    let pod: Pod
    let worker: Worker
    /// Where the peer's connection comes from.
    let source: IPAddress
    /// The address the peer dialled: the pod's own.
    private(set) var local: SocketAddress?
    private(set) var remote: SocketAddress?
    private(set) var peer: SPIFFEID?
    private(set) var connection: TunnelConnection?
    private var streams: [ObjectIdentifier: Inbound] = [:]
    private var socket: Descriptor?
    private var isHandshaking = true
    private var isOver = false

    init(pod: Pod, source: IPAddress) {
        self.pod = pod
        self.source = source
        self.worker = pod.worker
    }

    // MARK: accepted

    func start(_ socket: consuming Descriptor) {
        worker.add(self)
        local = (try? KernelAddress.local(of: socket.raw)).flatMap(SocketAddress.init)
        remote = (try? KernelAddress.remote(of: socket.raw)).flatMap(SocketAddress.init)
        self.socket = consume socket
        guard local != nil, remote != nil else {
            return refuse("no-address", "the connection was gone before it was read")
        }
        let identity = pod.identity
        worker.identities.request(identity)
        worker.wait(
            milliseconds: worker.settings.tunnel.handshakeMilliseconds,
            until: { [unowned self] in worker.credentials(of: identity) != nil || isOver },
            { [self] _ in
                guard !isOver else { return }
                handshake(identity)
            }
        )
    }

    private func handshake(_ identity: SPIFFEID) {
        guard let held = worker.credentials(of: identity) else {
            let reason = worker.identities.reason(for: identity)
            return refuse("no-certificate", "no certificate for \(identity): \(reason)")
        }
        guard let socket = socket.take() else { return }
        do throws(TLSError) {
            let session = try TLSSession(
                context: held.server,
                expecting: .trustDomain(identity.trustDomain),
                revocations: worker.revocations
            )
            let connection = TunnelConnection(
                loop: worker.loop,
                buffers: worker.buffers,
                limits: worker.settings.tunnel,
                role: .server,
                socket: socket,
                session: session,
                peerName: remote?.description ?? "unknown"
            )
            connection.owner = self
            self.connection = connection
            connection.start()
        } catch {
            refuse("tls", error.description)
        }
    }

    // MARK: the tunnel's calls

    func tunnelEstablished(_ connection: TunnelConnection) {
        endHandshake()
        peer = connection.peerIdentity
        worker.telemetry.tunnelOpened(isClient: false)
        if pod.worker.isDraining { connection.drain() }
    }

    func tunnelRequested(_ stream: TunnelStream, fields: HeaderFields, endStream: Bool) {
        let inbound = Inbound(tunnel: self, stream: stream)
        streams[ObjectIdentifier(inbound)] = inbound
        inbound.start(fields)
    }

    func tunnelHasRoom(_ connection: TunnelConnection) {}

    // Its client knows, and closes it.
    func tunnelIsSpare(_ connection: TunnelConnection) -> Bool { false }

    func tunnelDraining(_ connection: TunnelConnection) {}

    func tunnelClosed(_ connection: TunnelConnection, _ failure: TunnelFailure?) {
        if isHandshaking, let failure {
            return refuse(failure.stage == .revoked ? "revoked" : "tls", failure.description)
        }
        if peer != nil { worker.telemetry.tunnelClosed(isClient: false) }
        over()
    }

    /// A stream of this tunnel is over.
    func ended(_ inbound: Inbound) {
        streams[ObjectIdentifier(inbound)] = nil
    }

    // MARK: ends

    /// Says GOAWAY and lets the streams end.
    func drain() { connection?.drain() }

    private func refuse(_ reason: String, _ text: String) {
        guard !isOver else { return }
        let record = ConnectionRecord(worker: worker, direction: .inbound)
        record.sourceAddress = remote
        record.destinationAddress = local
        record.parties(
            source: remote.flatMap {
                worker.snapshot.workload(address: $0.ip, network: worker.settings.network)
            },
            destination: worker.workload(of: pod)
        )
        if reason == "tls" || reason == "revoked" {
            worker.telemetry.handshakeFailed(isClient: false, reason: reason)
        }
        record.refuse(reason, because: text)
        over()
    }

    private func endHandshake() {
        guard isHandshaking else { return }
        isHandshaking = false
        pod.handshakeEnded(self)
    }

    private func over() {
        guard !isOver else { return }
        isOver = true
        endHandshake()
        if let raw = socket?.raw { Socket.resetOnClose(raw) }
        socket = nil
        connection = nil
        worker.remove(self)
        pod.tunnelClosed(self)
    }

    // MARK: live

    func involves(podUID: String) -> Bool { pod.local.uid == podUID }

    func recheck(_ diff: SnapshotDiff) {
        for stream in Array(streams.values) { stream.recheck(diff) }
    }

    /// Ends the tunnel where its certificate, at either end, is revoked.
    func recheck(_ revocations: Revocations?) {
        let remote = self.remote
        guard let reason = connection?.recheck(revocations) else { return }
        worker.telemetry.revoked(isClient: false, peer: remote?.description ?? "unknown", reason)
    }

    func abort(_ reason: String) {
        guard !isOver else { return }
        guard let connection else { return refuse("closed", reason) }
        connection.abort(reason)
    }

    /// The streams, for people.
    var summaries: [ConnectionDescription] { streams.values.map(\.summary) }
}

/// One CONNECT of a peer to a pod of this node: validated, authorized, delivered, relayed.
final class Inbound: RelayObserver, TunnelStreamOwner {
    private let tunnel: InboundTunnel
    private let worker: Worker
    private let pod: Pod
    private let record: ConnectionRecord
    private var stream: TunnelStream?
    private var delivery: Delivery?
    private var flow: Flow?
    private var isOver = false

    init(tunnel: InboundTunnel, stream: TunnelStream) {
        self.tunnel = tunnel
        self.worker = tunnel.worker
        self.pod = tunnel.pod
        self.stream = stream
        self.record = ConnectionRecord(worker: tunnel.worker, direction: .inbound)
        record.sourceAddress = tunnel.remote
        record.destinationAddress = tunnel.local
        stream.owner = self
    }

    // MARK: validated (everything that can fail before the 200)

    func start(_ fields: HeaderFields) {
        if let peer = tunnel.peer, let destination = worker.workload(of: pod) {
            // Known before anything is read, so that every refusal says who it refused.
            record.parties(source: nil, destination: destination)
            record.authenticated(source: peer, destination: destination.identity, encrypted: true)
        }
        do throws(ConnectRequest.Refusal) {
            let request = try ConnectRequest(fields)
            pod.whenKnown(unless: { [self] in isOver }) { [self] destination, reason in
                guard let destination else { return answer(503, .none, reason) }
                resolve(request, destination)
            }
        } catch {
            answer(400, .none, error.description)
        }
    }

    private func resolve(_ request: ConnectRequest, _ destination: WorkloadRecord) {
        guard let local = tunnel.local, let remote = tunnel.remote, let peer = tunnel.peer else {
            return answer(400, .none, "the peer has no identity")
        }
        let isFromGateway = request.network.map { $0 != worker.settings.network } ?? false
        let source =
            isFromGateway
            ? nil
            : worker.snapshot.workload(address: remote.ip, network: worker.settings.network)
        let service = request.forwarded?.host.flatMap { host in
            worker.snapshot.services(
                hostname: host,
                clientNamespace: destination.workload.namespace
            ).first { destination.workload.services[$0.key] != nil }
        }
        record.parties(source: source, destination: destination, service: service)
        record.authenticated(source: peer, destination: destination.identity, encrypted: true)
        switch request.authority {
        case .address(let address):
            record.hboneAddress = address
            guard address.ip == local.ip else {
                let text = "ip mismatch: \(address.ip) is not \(local.ip)"
                return answer(400, .none, text)
            }
            permit(SocketAddress(local.ip, address.port), remote, peer, destination)
        case .hostname(let host, let port):
            guard
                let target = worker.targetPort(
                    hostname: host,
                    port: port,
                    at: destination
                )
            else {
                let text = "no service \(host) with port \(port) at this workload"
                return answer(503, .connect, text)
            }
            record.hboneAddress = SocketAddress(local.ip, target)
            permit(SocketAddress(local.ip, target), remote, peer, destination)
        }
    }

    // MARK: authorized

    private func permit(
        _ address: SocketAddress,
        _ remote: SocketAddress,
        _ peer: SPIFFEID,
        _ destination: WorkloadRecord
    ) {
        guard !Ports.isOurs(address.port) else {
            return answer(503, .none, "port \(address.port) is the proxy's own")
        }
        let flow = Flow(source: remote.ip, identity: peer, destination: address)
        self.flow = flow
        switch authorize(flow, to: destination) {
        case .denied(let denial):
            record.denied(denial)
            answer(401, .deny, denial.reason)
        case .permitted(let permit):
            record.permitted(policy: permit.policy, rule: permit.rule, dryRun: permit.dryRun)
            deliver(permit, from: remote, to: address)
        }
    }

    // MARK: delivered

    private func deliver(
        _ permit: consuming Permit,
        from source: SocketAddress,
        to address: SocketAddress
    ) {
        let delivery = Delivery(pod: pod, permit: permit)
        self.delivery = delivery
        // Many streams come from one tunnel port: the kernel picks the spoofed port.
        delivery.connect(from: SocketAddress(source.ip, 0), to: address) { [weak self] outcome in
            guard let self, !isOver, let stream else { return }
            self.delivery = nil
            switch consume outcome {
            case .connected(let socket):
                respond(200)
                record.opened()
                stream.attach(socket, observer: self)
            case .failed(let code):
                answer(503, .connect, "connect to the application: \(errnoText(code))")
            }
        }
    }

    private func respond(_ status: Int) {
        guard let stream, let connection = tunnel.connection else { return }
        var fields = HeaderFields()
        if status == 200, let destination = record.destination {
            let baggage = worker.baggage(of: destination)
            if !baggage.isEmpty { fields.append("baggage", baggage) }
        }
        connection.respond(stream, status: status, fields: fields, endStream: status != 200)
    }

    private func answer(_ status: Int, _ flag: ResponseFlag, _ text: String) {
        guard !isOver else { return }
        respond(status)
        record.finish(flag, error: text)
        over()
    }

    // MARK: relayed

    func relayed(toSocket: Int, fromSocket: Int) {
        record.received(toSocket)
        record.sent(fromSocket)
    }

    func relayEnded(_ end: RelayEnd) {
        guard !isOver else { return }
        record.finish(end == .finished ? .none : end.flag, error: end.logText)
        stream = nil
        over()
    }

    func streamAnswered(_ stream: TunnelStream, status: Int, fields: HeaderFields) {}

    func streamLost(_ stream: TunnelStream, _ end: RelayEnd) {
        guard !isOver else { return }
        record.finish(.none, error: end.logText ?? "the client went away before delivery")
        over()
    }

    private func over() {
        isOver = true
        delivery?.cancel()
        delivery = nil
        if let stream {
            self.stream = nil
            stream.refused()
        }
        tunnel.ended(self)
    }

    // MARK: live

    var summary: ConnectionDescription { record.summary }

    func recheck(_ diff: SnapshotDiff) {
        guard !isOver, let flow, let uid = record.destination?.workload.uid,
            diff.concerns(uid: uid, at: flow.destination.ip)
        else { return }
        switch Authorization.recheck(flow, to: uid, in: worker.snapshot) {
        case .permitted: return
        case .denied(let denial):
            record.denied(denial)
            abort("connection closed due to policy change: \(denial.reason)")
        case .departed:
            abort("the destination workload is gone")
        }
    }

    private func abort(_ reason: String) {
        guard let stream, stream.hasSocket else { return answer(401, .deny, reason) }
        stream.abort(reason)
    }
}
