internal import Authorization
internal import Glibc
internal import Mesh
internal import Reactor
internal import Routing
internal import Telemetry
internal import Tunnel

/// How the destination's half of a same-node connection came out.
enum LocalOutcome: ~Copyable {
    case connected(Descriptor)
    case denied(String)
    case failed(String)
}

/// The destination's half of a connection between two pods of this node: policy and delivery.
///
/// No wire, so no tunnel; identity comes from the listener the kernel accepted on. It keeps the
/// destination's own account, as the tunnel's server would.
final class SameNode {
    let target: Pod
    private let worker: Worker
    private let record: ConnectionRecord
    private let flow: Flow
    private let destinationUID: String
    private let address: SocketAddress
    private var delivery: Delivery?
    private var isOpen = false

    init(
        target: Pod,
        source: WorkloadRecord,
        sourceAddress: SocketAddress?,
        destination: WorkloadRecord,
        address: SocketAddress,
        service: ServiceRecord?
    ) {
        self.target = target
        self.worker = target.worker
        self.address = address
        self.destinationUID = destination.workload.uid
        record = ConnectionRecord(worker: target.worker, direction: .inbound)
        record.sourceAddress = sourceAddress
        record.destinationAddress = address
        record.parties(source: source, destination: destination, service: service)
        record.authenticated(
            source: source.identity,
            destination: destination.identity,
            encrypted: false
        )
        flow = Flow(
            source: sourceAddress?.ip ?? address.ip,
            identity: source.identity,
            destination: address
        )
    }

    /// Asks the destination's policies, then connects to its application.
    func open(_ done: @escaping (consuming LocalOutcome) -> Void) {
        guard let destination = worker.snapshot.workload(uid: destinationUID) else {
            return done(.failed("the workload is gone"))
        }
        guard !Ports.isOurs(address.port) else {
            record.refuse("self-call", because: "port \(address.port) is the proxy's own")
            return done(.denied("port \(address.port) is the proxy's own"))
        }
        switch authorize(flow, to: destination) {
        case .denied(let denial):
            record.denied(denial)
            record.finish(.deny, error: denial.reason)
            done(.denied(denial.reason))
        case .permitted(let permit):
            record.permitted(policy: permit.policy, rule: permit.rule, dryRun: permit.dryRun)
            let delivery = Delivery(pod: target, permit: permit)
            self.delivery = delivery
            delivery.connect(from: record.sourceAddress, to: address) { [weak self] outcome in
                self?.delivery = nil
                switch consume outcome {
                case .connected(let socket):
                    done(.connected(socket))
                case .failed(let code):
                    let text = "connect to the application: \(errnoText(code))"
                    self?.record.finish(.connect, error: text)
                    done(.failed(text))
                }
            }
        }
    }

    /// The relay begins.
    func opened() {
        isOpen = true
        record.opened()
    }

    func relayed(received: Int, sent: Int) {
        record.received(received)
        record.sent(sent)
    }

    func finish(_ flag: ResponseFlag, _ text: String?) {
        record.finish(flag, error: text)
    }

    func cancel() {
        delivery?.cancel()
        delivery = nil
        record.finish(.none, error: "cancelled")
    }

    /// Asks again with today's policies; the reason when they deny it now.
    func recheck(_ diff: SnapshotDiff) -> String? {
        guard isOpen, diff.concerns(uid: destinationUID, at: flow.destination.ip) else {
            return nil
        }
        switch Authorization.recheck(flow, to: destinationUID, in: worker.snapshot) {
        case .permitted: return nil
        case .denied(let denial):
            record.denied(denial)
            return "connection closed due to policy change: \(denial.reason)"
        case .departed: return "the destination workload is gone"
        }
    }
}

/// The last step of every permitted connection: a socket to the pod's application.
final class Delivery {
    private let pod: Pod
    private var connecting: Connecting?

    /// Takes the permit: without one there is no delivery.
    init(pod: Pod, permit: consuming Permit) {
        self.pod = pod
        _ = consume permit
    }

    /// Connects from the client's address when it is to be kept, else from the pod's own.
    func connect(
        from source: SocketAddress?,
        to address: SocketAddress,
        _ done: @escaping (consuming ConnectOutcome) -> Void
    ) {
        let isSelf = source?.ip == address.ip
        let isSameFamily = source?.ip.family == address.ip.family
        let keeps = pod.worker.settings.preservesClientAddress && !isSelf && isSameFamily
        attempt(from: keeps ? source : nil, to: address, triesLeft: Delivery.triesMax, done)
    }

    /// Sockets tried when the port one was given turns out to be taken for this destination.
    private static let triesMax = 4

    private func attempt(
        from source: SocketAddress?,
        to address: SocketAddress,
        triesLeft: Int,
        _ done: @escaping (consuming ConnectOutcome) -> Void
    ) {
        let socket: Descriptor
        do throws(SystemError) {
            socket = try pod.makeDeliverySocket(to: address.ip.family, from: source)
        } catch {
            return done(.failed(error.code))
        }
        let connecting = Connecting(loop: pod.worker.loop, socket: socket) { [weak self] end in
            self?.connecting = nil
            switch consume end {
            case .failed(let code):
                guard code == EADDRNOTAVAIL, triesLeft > 1, let self else {
                    return done(.failed(code))
                }
                attempt(from: source, to: address, triesLeft: triesLeft - 1, done)
            case .connected(let connected):
                done(.connected(connected))
            }
        }
        self.connecting = connecting
        connecting.start(
            to: address.kernel,
            timeoutMilliseconds: pod.worker.settings.tunnel.connectMilliseconds
        )
    }

    func cancel() {
        connecting?.cancel()
        connecting = nil
    }
}
