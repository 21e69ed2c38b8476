internal import Capture
internal import Identity
internal import Mesh
internal import Reactor
internal import Routing
internal import TLS
internal import Telemetry
internal import Tunnel

/// What the control thread tells a worker.
enum WorkerMessage: Sendable {
    /// A new state of the mesh, and how it differs from the one before.
    case snapshot(Snapshot, SnapshotDiff)
    /// Open the pod's listeners; the answer says why not.
    case addPod(LocalPod, PodNamespace, @Sendable (String?) -> Void)
    /// Close the pod's listeners and everything of it.
    case removePod(uid: String)
    /// The certificate of an identity of this node changed, or is gone.
    case credentials(SPIFFEID, Credentials?)
    /// What is revoked now; nil for nothing.
    case revocations(Revocations?)
    /// The addresses of this node, where probes come from.
    case nodeAddresses(Set<IPAddress>)
    /// Stop accepting; what runs may end by itself until the deadline.
    case drain
    /// The drain deadline: end what still runs.
    case expire
    /// Describe the open connections.
    case describe(@Sendable ([ConnectionDescription]) -> Void)
    /// Give burst memory back.
    case trim
}

/// A connection that is open on a worker, by whichever path.
protocol LiveConnection: AnyObject {
    /// The local pods it involves.
    func involves(podUID: String) -> Bool
    /// Looks at today's workloads and policies; ends the connection where they deny it.
    func recheck(_ diff: SnapshotDiff)
    /// Ends the connection with a reset.
    func abort(_ reason: String)
    /// What `ambit connections` and the admin dump show.
    var summaries: [ConnectionDescription] { get }
}

/// One thread's share of the data path; everything in it belongs to that thread.
final class Worker: ReadinessHandler, TunnelDialing {
    let index: Int
    let loop: EventLoop
    let buffers = WorkerBuffers()
    let pipes = PipePool()
    let settings: DataPathSettings
    let telemetry: NodeTelemetry
    let identities: IdentityRequests
    let reserve = DescriptorReserve()
    private let handle: WorkerHandle
    /// The namespace of this thread, to come back to from a pod's.
    let home: NetworkNamespace

    private(set) var snapshot = Snapshot.empty
    var router = Router(snapshot: .empty)
    private(set) var isDraining = false
    /// What is revoked, for new handshakes.
    private(set) var revocations: Revocations?
    /// The node's own addresses, of all its interfaces.
    private(set) var nodeAddresses: Set<IPAddress> = []
    /// For trace ids and balancing, where a system call per number would cost too much.
    var random = FastRandom()
    /// Connections open to each endpoint from here, for balancing.
    var load = EndpointLoad()
    /// What the pods' name queries and answers are read into.
    let nameBuffer = PodDNSBuffer()
    private var pods: [String: Pod] = [:]
    private var podsByName: [PodKey: Pod] = [:]
    private var credentials: [SPIFFEID: Credentials] = [:]
    private var nameQueries = 0
    private var live: [ObjectIdentifier: any LiveConnection] = [:]
    private var waiting: [Waiting] = []
    // Made once for each record of the snapshot, which holds the records; forgotten with them, so
    // there are at most as many as workloads that this thread met.
    private var labels: [ObjectIdentifier: WorkloadLabels] = [:]
    private var baggage: [ObjectIdentifier: String] = [:]
    private var poolStorage: TunnelPool?

    /// Makes a worker on the calling thread, which must run its loop.
    init(
        index: Int,
        settings: DataPathSettings,
        telemetry: NodeTelemetry,
        identities: IdentityRequests,
        handle: WorkerHandle
    ) throws(SystemError) {
        self.index = index
        self.settings = settings
        self.telemetry = telemetry
        self.identities = identities
        self.handle = handle
        self.loop = try EventLoop()
        self.home = try NetworkNamespace.current()
        _ = try loop.add(handle.mailbox.descriptor, self)
    }

    /// The outgoing tunnels of this worker.
    var pool: TunnelPool {
        if let poolStorage { return poolStorage }
        let pool = TunnelPool(
            loop: loop,
            buffers: buffers,
            limits: settings.tunnel,
            dialing: self
        )
        poolStorage = pool
        return pool
    }

    /// Called when the mailbox has something.
    func ready(_ readiness: Readiness) {
        for message in handle.mailbox.drain() {
            handle(message)
        }
    }

    private func handle(_ message: WorkerMessage) {
        switch message {
        case .snapshot(let snapshot, let diff): apply(snapshot, diff)
        case .addPod(let pod, let namespace, let answer): addPod(pod, namespace, answer)
        case .removePod(let uid): removePod(uid)
        case .credentials(let identity, let credentials): apply(identity, credentials)
        case .revocations(let revocations): apply(revocations)
        case .nodeAddresses(let addresses): nodeAddresses = addresses
        case .drain: drain()
        case .expire: abortAll("the drain deadline passed")
        case .describe(let answer): answer(live.values.flatMap(\.summaries))
        case .trim: buffers.trim()
        }
    }

    // MARK: pods

    private func addPod(
        _ local: LocalPod,
        _ namespace: PodNamespace,
        _ answer: @Sendable (String?) -> Void
    ) {
        guard pods[local.uid] == nil else { return answer(nil) }
        do {
            let pod = Pod(local: local, namespace: namespace, worker: self)
            pods[local.uid] = pod
            podsByName[PodKey(local)] = pod
            try pod.listen()
            answer(nil)
        } catch {
            removePod(local.uid)
            answer("\(error)")
        }
    }

    private func removePod(_ uid: String) {
        guard let pod = pods.removeValue(forKey: uid) else { return }
        if podsByName[PodKey(pod.local)] === pod { podsByName[PodKey(pod.local)] = nil }
        pod.close()
        pool.close(reason: "the pod left the mesh") { $0.podUID == uid }
        for connection in Array(live.values) where connection.involves(podUID: uid) {
            connection.abort("the pod left the mesh")
        }
    }

    /// The local pod behind a workload, if it is captured here.
    func localPod(of workload: Workload) -> Pod? {
        podsByName[PodKey(namespace: workload.namespace, name: workload.name)]
    }

    /// The workload of a local pod, as today's mesh has it.
    func workload(of pod: Pod) -> WorkloadRecord? {
        snapshot.workload(namespace: pod.local.namespace, name: pod.local.name)
    }

    // MARK: state

    private func apply(_ snapshot: Snapshot, _ diff: SnapshotDiff) {
        self.snapshot = snapshot
        router.adopt(snapshot, diff)
        for record in diff.retiredWorkloads {
            labels[ObjectIdentifier(record)] = nil
            baggage[ObjectIdentifier(record)] = nil
        }
        if !diff.vacated.isEmpty {
            let network = settings.network
            pool.close(reason: "the workload left its address") { key in
                let address = NetworkAddress(network: network, address: key.destination.ip)
                return diff.vacated.contains(address)
            }
        }
        let tried = waiting
        waiting.removeAll()
        for one in tried { one.retry() }
        // Connections to workloads that the change does not concern stay as they were decided.
        guard diff.concernsAnybody else { return }
        for connection in Array(live.values) { connection.recheck(diff) }
    }

    private func apply(_ identity: SPIFFEID, _ credentials: Credentials?) {
        self.credentials[identity] = credentials
        // New connections use the new certificate; streams on old tunnels end in peace.
        pool.retire { $0.source == identity }
        let tried = waiting
        waiting.removeAll()
        for one in tried { one.retry() }
    }

    /// Ends every tunnel whose certificate, at either end, is revoked now.
    private func apply(_ revocations: Revocations?) {
        self.revocations = revocations
        for (key, reason) in pool.recheck(revocations) {
            telemetry.revoked(isClient: true, peer: key.destination.description, reason)
        }
        for pod in pods.values { pod.recheck(revocations) }
    }

    /// The certificate of an identity, unless there is none or it has expired.
    func credentials(of identity: SPIFFEID) -> Credentials? {
        guard let held = credentials[identity], isValid(held) else { return nil }
        return held
    }

    private func isValid(_ held: Credentials) -> Bool {
        let now = Int64(clamping: Process.wallClock / 1_000_000_000)
        return held.notBefore <= now && now < held.notAfter
    }

    /// The port of the local application behind a service's hostname and port; nil when none is.
    func targetPort(hostname: String, port: UInt16, at destination: WorkloadRecord) -> UInt16? {
        let services = snapshot.services(
            hostname: hostname,
            clientNamespace: destination.workload.namespace
        )
        for service in services {
            guard let ports = destination.workload.services[service.key] else { continue }
            if let target = ports.first(where: { $0.servicePort == port })?.targetPort, target > 0 {
                return target
            }
        }
        return nil
    }

    /// Calls `done` with true as soon as `test` holds, or with false after the time.
    func wait(
        milliseconds: UInt64,
        until test: @escaping () -> Bool,
        _ done: @escaping (Bool) -> Void
    ) {
        if test() { return done(true) }
        waiting.append(Waiting(worker: self, milliseconds: milliseconds, test: test, done: done))
    }

    fileprivate func keepWaiting(_ one: Waiting) { waiting.append(one) }

    fileprivate func stopWaiting(_ one: Waiting) { waiting.removeAll { $0 === one } }

    // MARK: connections

    /// Notes a connection until `remove`.
    func add(_ connection: any LiveConnection) {
        live[ObjectIdentifier(connection)] = connection
        handle.live = live.count
    }

    /// Forgets a connection; a drained worker stops with the last one.
    func remove(_ connection: any LiveConnection) {
        live[ObjectIdentifier(connection)] = nil
        handle.live = live.count
    }

    /// The metric labels of a workload.
    func labels(of record: WorkloadRecord?) -> WorkloadLabels {
        guard let record else { return .unknown }
        if let known = labels[ObjectIdentifier(record)] { return known }
        let made = WorkloadLabels(record.workload)
        if isCurrent(record) { labels[ObjectIdentifier(record)] = made }
        return made
    }

    /// How a workload is described to peers.
    func baggage(of record: WorkloadRecord) -> String {
        if let known = baggage[ObjectIdentifier(record)] { return known }
        let made = Baggage(record.workload).description
        if isCurrent(record) { baggage[ObjectIdentifier(record)] = made }
        return made
    }

    /// Whether the snapshot holds the record, so that its identifier is nobody else's.
    private func isCurrent(_ record: WorkloadRecord) -> Bool {
        snapshot.workload(uid: record.workload.uid) === record
    }

    /// Whether one more name query may be forwarded; counts it when it may.
    func admitNameQuery() -> Bool {
        guard nameQueries < settings.dnsPendingMax else { return false }
        nameQueries += 1
        return true
    }

    /// A forwarded name query is answered or given up.
    func nameQueryEnded() { nameQueries -= 1 }

    private func drain() {
        isDraining = true
        for pod in pods.values { pod.drain() }
        pool.retire { _ in true }
        handle.isDrained = true
    }

    private func abortAll(_ reason: String) {
        for connection in Array(live.values) { connection.abort(reason) }
    }

    // MARK: the pool's dialling

    func makeSocket(_ key: TunnelKey) throws(TunnelFailure) -> Descriptor {
        guard let pod = pods[key.podUID] else {
            throw TunnelFailure(stage: .closed, reason: "the pod left the mesh")
        }
        do {
            return try pod.makeSocket(to: key.destination.ip.family)
        } catch {
            throw TunnelFailure(stage: .connect, reason: "cannot make a socket: \(error)")
        }
    }

    func tunnelOpened(_ key: TunnelKey) { telemetry.tunnelOpened(isClient: true) }

    func tunnelClosed(_ key: TunnelKey) { telemetry.tunnelClosed(isClient: true) }

    func makeSession(_ key: TunnelKey) throws(TunnelFailure) -> TLSSession {
        guard let held = credentials(of: key.source) else {
            let reason = "no certificate for \(key.source): \(identities.reason(for: key.source))"
            throw TunnelFailure(stage: .tls, reason: reason)
        }
        do throws(TLSError) {
            return try TLSSession(
                context: held.client,
                expecting: .identities(key.expected.map(\.description)),
                revocations: revocations
            )
        } catch {
            throw TunnelFailure(stage: .tls, reason: error.description)
        }
    }
}

/// Something that waits for the mesh state or a certificate to tell what it needs.
final class Waiting: TimerHandler {
    private unowned let worker: Worker
    private let test: () -> Bool
    private var done: ((Bool) -> Void)?
    private var timer: TimerToken?

    fileprivate init(
        worker: Worker,
        milliseconds: UInt64,
        test: @escaping () -> Bool,
        done: @escaping (Bool) -> Void
    ) {
        self.worker = worker
        self.test = test
        self.done = done
        self.timer = worker.loop.schedule(afterMilliseconds: milliseconds, self)
    }

    fileprivate func retry() {
        guard test() else { return worker.keepWaiting(self) }
        if let timer { worker.loop.cancel(timer) }
        timer = nil
        finish(true)
    }

    func timerFired(_ tag: Int) {
        timer = nil
        worker.stopWaiting(self)
        finish(test())
    }

    private func finish(_ held: Bool) {
        let done = self.done
        self.done = nil
        done?(held)
    }
}

/// A pod by the name Kubernetes gives it.
struct PodKey: Hashable {
    let namespace: String
    let name: String

    init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    init(_ pod: LocalPod) {
        self.init(namespace: pod.namespace, name: pod.name)
    }
}

/// How many connections a worker has open to each endpoint.
struct EndpointLoad {
    private var open: [String: Int] = [:]

    /// Connections open to the workload with this uid.
    func count(_ uid: String) -> Int { open[uid] ?? 0 }

    mutating func began(_ uid: String) { open[uid, default: 0] += 1 }

    mutating func ended(_ uid: String) {
        guard let count = open[uid] else { return }
        open[uid] = count > 1 ? count - 1 : nil
    }
}
