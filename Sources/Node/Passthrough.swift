internal import Authorization
internal import Mesh
internal import Reactor
internal import Telemetry
internal import Tunnel

/// A connection that reached a pod of this node in the clear: policy without an identity, delivery.
final class Passthrough: LiveConnection, RelayObserver {
    private let pod: Pod
    private let worker: Worker
    private let record: ConnectionRecord
    private var socket: Descriptor?
    private var delivery: Delivery?
    private var relay: SpliceRelay?
    private var flow: Flow?
    private var isOver = false
    /// Whether kubelet asks here: then policy has no say, neither now nor later.
    private var isProbe = false

    init(pod: Pod, socket: consuming Descriptor) {
        self.pod = pod
        self.worker = pod.worker
        self.record = ConnectionRecord(worker: pod.worker, direction: .inbound)
        self.socket = consume socket
    }

    // MARK: captured

    func start() {
        worker.add(self)
        guard let raw = socket?.raw else { return }
        guard let (peer, dialled) = pod.captured(raw, into: record) else {
            return refuse("no-address", "the connection was gone before it was read")
        }
        guard !Ports.isOurs(dialled.port) else {
            return refuse("self-call", "port \(dialled.port) is the proxy's own")
        }
        pod.whenKnown(unless: { [self] in isOver }) { [self] destination, reason in
            guard let destination else { return refuse("unknown-destination", reason) }
            permit(peer, dialled, destination)
        }
    }

    // MARK: authorized

    private func permit(
        _ peer: SocketAddress,
        _ dialled: SocketAddress,
        _ destination: WorkloadRecord
    ) {
        let source = worker.snapshot.workload(address: peer.ip, network: worker.settings.network)
        record.parties(source: source, destination: destination)
        let flow = Flow(source: peer.ip, identity: nil, destination: dialled)
        self.flow = flow
        if let permit = permitProbe(flow, to: pod.local.probePorts, from: worker.nodeAddresses) {
            return deliver(probe: permit, peer, dialled)
        }
        if let permit = permitProbe(flow, fromForeign: worker.settings.foreignProbeSources) {
            return deliver(probe: permit, peer, dialled)
        }
        switch authorize(flow, to: destination) {
        case .denied(let denial):
            record.denied(denial)
            finish(.deny, denial.reason)
        case .permitted(let permit):
            record.permitted(policy: permit.policy, rule: permit.rule, dryRun: permit.dryRun)
            deliver(permit, peer, dialled)
        }
    }

    private func deliver(
        probe permit: consuming Permit,
        _ peer: SocketAddress,
        _ dialled: SocketAddress
    ) {
        isProbe = true
        record.permitted(policy: permit.policy, rule: nil, dryRun: [])
        deliver(permit, peer, dialled)
    }

    // MARK: delivered

    private func deliver(
        _ permit: consuming Permit,
        _ peer: SocketAddress,
        _ dialled: SocketAddress
    ) {
        let delivery = Delivery(pod: pod, permit: permit)
        self.delivery = delivery
        delivery.connect(from: peer, to: dialled) { [weak self] outcome in
            guard let self, !isOver else { return }
            self.delivery = nil
            switch consume outcome {
            case .connected(let server):
                guard let client = socket.take() else { return }
                record.opened()
                let relay = SpliceRelay(loop: worker.loop, pipes: worker.pipes, observer: self)
                self.relay = relay
                relay.start(client: client, server: server)
            case .failed(let code):
                finish(.connect, "connect to the application: \(errnoText(code))")
            }
        }
    }

    // MARK: relayed

    func relayed(toSocket: Int, fromSocket: Int) {
        record.received(toSocket)
        record.sent(fromSocket)
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

    private func finish(_ flag: ResponseFlag, _ text: String?) {
        guard !isOver else { return }
        record.finish(flag, error: text)
        over()
    }

    private func over() {
        isOver = true
        if let raw = socket?.raw { Socket.resetOnClose(raw) }
        socket = nil
        delivery?.cancel()
        delivery = nil
        relay = nil
        pod.release()
        worker.remove(self)
    }

    // MARK: live

    var summaries: [ConnectionDescription] { [record.summary] }

    func involves(podUID: String) -> Bool { pod.local.uid == podUID }

    func recheck(_ diff: SnapshotDiff) {
        guard !isProbe, let flow, let uid = record.destination?.workload.uid,
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

    func abort(_ reason: String) {
        guard !isOver else { return }
        if let relay { return relay.abort(reason) }
        finish(.none, reason)
    }
}
