internal import Capture
internal import Mesh
internal import Reactor
internal import TLS
internal import Telemetry
internal import Tunnel

/// A pod's network namespace, held open by all who need it.
final class PodNamespace: Sendable {
    let namespace: NetworkNamespace

    init(path: String) throws(SystemError) {
        namespace = try NetworkNamespace(path: path)
    }
}

/// One enrolled pod on one worker: its listeners and what is open through them.
final class Pod {
    let local: LocalPod
    let namespace: PodNamespace
    unowned let worker: Worker
    private var listeners: [Listener] = []
    private var dns: PodDNS?
    private var tunnels: [ObjectIdentifier: InboundTunnel] = [:]
    /// Connections open through the pod's listeners on this worker.
    private(set) var connections = 0
    private var gate: HandshakeGate

    init(local: LocalPod, namespace: PodNamespace, worker: Worker) {
        self.local = local
        self.namespace = namespace
        self.worker = worker
        self.gate = HandshakeGate(placesMax: worker.settings.handshakesPerPodMax)
    }

    /// The identity of the pod: the one its workload has, else the one of its service account.
    var identity: SPIFFEID {
        worker.workload(of: self)?.identity
            ?? SPIFFEID(
                trustDomain: worker.settings.trustDomain,
                namespace: local.namespace,
                serviceAccount: local.serviceAccount
            )
    }

    /// Opens the listeners and begins to accept.
    func listen() throws(SystemError) {
        let opened = try PodListeners.open(in: namespace.namespace, dns: hasDNS)
        try opened.split { outbound, inbound, hbone, dnsUDP, dnsTCP throws(SystemError) in
            try add(outbound) { [unowned self] socket in
                Outbound(pod: self, socket: socket).start()
            }
            try add(inbound) { [unowned self] socket in
                Passthrough(pod: self, socket: socket).start()
            }
            try add(hbone) { [unowned self] socket in
                acceptTunnel(socket)
            }
            guard let udp = dnsUDP, let tcp = dnsTCP else { return }
            dns = try PodDNS(pod: self, udp: udp, tcp: tcp)
        }
    }

    private var hasDNS: Bool { local.capturesDNS && worker.settings.answersDNS }

    private func add(
        _ socket: consuming Descriptor,
        _ accept: @escaping (consuming Descriptor) -> Void
    ) throws(SystemError) {
        let listener = Listener(pod: self, socket: socket, accept: accept)
        try listener.start()
        listeners.append(listener)
    }

    /// Reads who dialled whom on a captured connection into its record; nil when it has gone.
    func captured(
        _ socket: Int32,
        into record: ConnectionRecord
    ) -> (peer: SocketAddress, dialled: SocketAddress)? {
        guard let peer = (try? KernelAddress.remote(of: socket)).flatMap(SocketAddress.init),
            let dialled = (try? KernelAddress.local(of: socket)).flatMap(SocketAddress.init)
        else { return nil }
        record.sourceAddress = peer
        record.destinationAddress = dialled
        return (peer, dialled)
    }

    /// Calls `done` with the pod's workload as soon as the mesh knows it, or with nil and a reason
    /// after the wait; not at all for a connection that is over by then.
    func whenKnown(
        unless isOver: @escaping () -> Bool,
        _ done: @escaping (WorkloadRecord?, _ reason: String) -> Void
    ) {
        let worker = self.worker
        worker.wait(
            milliseconds: worker.settings.workloadWaitMilliseconds,
            until: { [self] in worker.workload(of: self) != nil || isOver() },
            { [self] _ in
                guard !isOver() else { return }
                let name = "\(local.namespace)/\(local.name)"
                done(worker.workload(of: self), "the mesh does not know the pod \(name) yet")
            }
        )
    }

    /// Whether the pod may open another connection; counts it when it may.
    func admit() -> Bool {
        guard connections < worker.settings.connectionsPerPodMax else { return false }
        connections += 1
        return true
    }

    /// A connection that was admitted is gone.
    func release() { connections -= 1 }

    private func acceptTunnel(_ socket: consuming Descriptor) {
        let peer = (try? KernelAddress.remote(of: socket.raw)).flatMap(SocketAddress.init)
        guard let source = peer?.ip else { return release() }
        let tunnel = InboundTunnel(pod: self, source: source)
        switch gate.enter(tunnel, from: source) {
        case .admitted: break
        case .admittedFor(let stalled):
            worker.telemetry.handshakeShed(pod: local)
            stalled.abort("its place was needed: handshake not finished")
        case .refused:
            worker.telemetry.handshakeShed(pod: local)
            Socket.resetOnClose(socket.raw)
            return release()
        }
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        tunnel.start(socket)
    }

    /// A tunnel's handshake ended, one way or the other.
    func handshakeEnded(_ tunnel: InboundTunnel) { gate.leave(tunnel, from: tunnel.source) }

    /// A tunnel is gone.
    func tunnelClosed(_ tunnel: InboundTunnel) {
        guard tunnels.removeValue(forKey: ObjectIdentifier(tunnel)) != nil else { return }
        release()
    }

    /// A socket of ours in the pod, marked so that capture leaves it alone.
    func makeSocket(to family: IPAddress.Family) throws(SystemError) -> Descriptor {
        try PodSocket.connecting(
            in: namespace.namespace,
            returningTo: worker.home,
            family: family,
            mark: .proxy
        )
    }

    /// A socket that connects to the pod's application, from `source` when that is to be kept.
    func makeDeliverySocket(
        to family: IPAddress.Family,
        from source: SocketAddress?
    ) throws(SystemError) -> Descriptor {
        try PodSocket.connecting(
            in: namespace.namespace,
            returningTo: worker.home,
            family: family,
            mark: source == nil ? .proxy : .delivery,
            transparentFrom: source
        )
    }

    /// Ends the tunnels with a revoked certificate at either end.
    func recheck(_ revocations: Revocations?) {
        for tunnel in Array(tunnels.values) { tunnel.recheck(revocations) }
    }

    /// Stops accepting; tunnels are told and serve what they carry.
    func drain() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
        dns?.stopListening()
        for tunnel in Array(tunnels.values) { tunnel.drain() }
    }

    /// Ends the listeners and the tunnels.
    func close() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
        dns?.close()
        dns = nil
        for tunnel in Array(tunnels.values) { tunnel.abort("the pod left the mesh") }
    }
}

/// One listening socket of a pod: accepts in bounded turns and sheds when descriptors run out.
final class Listener: ReadinessHandler, LoopTask, TimerHandler {
    private static let acceptsPerTurn = 64
    private static let pauseMilliseconds: UInt64 = 50

    private unowned let pod: Pod
    private let worker: Worker
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?
    private let accept: (consuming Descriptor) -> Void

    init(
        pod: Pod,
        socket: consuming Descriptor,
        accept: @escaping (consuming Descriptor) -> Void
    ) {
        self.pod = pod
        self.worker = pod.worker
        self.socket = consume socket
        self.accept = accept
    }

    func start() throws(SystemError) {
        guard let raw = socket?.raw else { return }
        registration = try worker.loop.add(raw, self)
    }

    func ready(_ readiness: Readiness) { acceptSome() }

    func resume() { acceptSome() }

    func timerFired(_ tag: Int) {
        timer = nil
        acceptSome()
    }

    private func acceptSome() {
        guard timer == nil else { return }
        for _ in 0..<Listener.acceptsPerTurn {
            guard let raw = socket?.raw else { return }
            switch Socket.accept(raw) {
            case .connection(let descriptor): take(Descriptor(owning: descriptor))
            case .wouldBlock: return
            case .aborted: continue
            case .exhausted(let code): return shed(code)
            case .failed(let code): return shed(code)
            }
        }
        worker.loop.later(self)
    }

    private func take(_ socket: consuming Descriptor) {
        guard pod.admit() else {
            worker.telemetry.connectionShed(pod: pod.local, reason: "connections-per-pod")
            Socket.resetOnClose(socket.raw)
            return
        }
        accept(socket)
    }

    /// Takes one connection with the descriptor held back for this and resets it, then rests.
    private func shed(_ code: Int32) {
        worker.telemetry.outOfDescriptors(pod: pod.local, code: code)
        guard let raw = socket?.raw else { return }
        worker.reserve.shed(from: raw)
        timer = worker.loop.schedule(afterMilliseconds: Listener.pauseMilliseconds, self)
    }

    /// Takes what still waits, then closes: nobody who was let in is turned away.
    func close() {
        if let raw = socket?.raw {
            while case .connection(let descriptor) = Socket.accept(raw) {
                take(Descriptor(owning: descriptor))
            }
        }
        if let registration { worker.loop.remove(registration) }
        registration = nil
        if let timer { worker.loop.cancel(timer) }
        timer = nil
        socket = nil
    }
}

/// A descriptor held back so that a full table can still turn a connection away.
final class DescriptorReserve {
    private var held: Descriptor?

    init() { refill() }

    private func refill() {
        guard held == nil else { return }
        held = try? Descriptor.placeholder()
    }

    /// Accepts and resets what waits on a listener, one place at a time, up to a bound.
    func shed(from listener: Int32) {
        for _ in 0..<16 {
            held = nil
            guard case .connection(let descriptor) = Socket.accept(listener) else { break }
            Socket.resetOnClose(descriptor)
            _ = Descriptor(owning: descriptor)
        }
        refill()
    }
}
