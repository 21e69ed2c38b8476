internal import Capture
internal import Identity
internal import JSON
internal import Mesh
internal import Reactor
internal import Telemetry

/// The node's control thread: reads state and pods, tells the workers, captures, drains.
///
/// Everything slow or rare happens here, away from the data path. Belongs to the main thread.
final class Control: TimerHandler {
    /// The largest state file that is read.
    static let stateBytesMax = 512 << 20
    private static let tickMilliseconds: UInt64 = 1000
    private static let repairTicks = 10
    private static let thoroughLooks = 6
    private static let expireTicks = 15
    /// Each look lists the node's interfaces, one for every pod.
    private static let addressTicks = 10
    /// What counts as a burst: at its far end a tunnel of a hundred connections counts as one.
    private static let burstMin = 16
    /// Longer than a spare tunnel stays idle and two rounds of its timer.
    private static let lateTrimTicks = 42
    /// How often an idle node gives back free memory, and the program's pages that only its start,
    /// or a change of its pods or control plane, needed: two thirds of its size.
    private static let releaseTicks = 60
    /// A state of so many workloads leaves garbage worth giving back, as much again as it keeps.
    private static let largeState = 5_000
    /// Until then the threads that took it in have let go of it.
    private static let stateTrimTicks = 2

    let configuration: NodeConfiguration
    let loop: EventLoop
    let telemetry: NodeTelemetry
    let store: CertificateStore
    let workers: [WorkerHandle]
    private(set) lazy var mesh = HeldMesh(loop: loop) { [unowned self] in publish($0, $1) }
    private(set) var hasPods = false
    private(set) var isDraining = false
    private(set) var managed: [String: ManagedPod] = [:]
    private var files: [WatchedFile] = []
    private var lastState: [UInt8] = []
    private var lastPods: [UInt8] = []
    private var deadline: UInt64 = 0
    private var ticks = 0
    private var checksDue: [String] = []
    private var checksPerTick = 0
    private var peakConnections = 0
    private var lateTrim = 0
    private let answers: Mailbox<PodAnswer>
    let descriptions: Mailbox<[ConnectionDescription]>
    private var descriptionsHandler: MailboxHandler<[ConnectionDescription]>?
    var waitingForDescriptions: [Gathering] = []
    private var admin: AdminServer?
    private var answersHandler: MailboxHandler<PodAnswer>?
    /// The node's own addresses, where probes come from.
    var nodeAddresses: Set<IPAddress> = []
    private let feed: NodeFeed?
    /// What the agent waits for, as readiness shows it.
    var agentReasons: [String] = []
    /// Whether the agent still has something to do before the node may end.
    var isAgentBusy = false
    private var feedHandler: MailboxHandler<NodeFeed.Message>?

    /// A worker's word on a pod it was given.
    struct PodAnswer: Sendable {
        let uid: String
        let generation: Int
        let failure: String?
    }

    init(
        configuration: NodeConfiguration,
        loop: EventLoop,
        telemetry: NodeTelemetry,
        store: CertificateStore,
        workers: [WorkerHandle],
        feed: NodeFeed?
    ) throws(SystemError) {
        self.feed = feed
        self.configuration = configuration
        self.loop = loop
        self.telemetry = telemetry
        self.store = store
        self.workers = workers
        self.answers = try Mailbox()
        self.descriptions = try Mailbox()
    }

    /// Reads everything once and begins to watch.
    func start() throws(SystemError) {
        let handler = MailboxHandler(answers) { [weak self] in self?.take($0) }
        answersHandler = handler
        _ = try loop.add(answers.descriptor, handler)
        let describing = MailboxHandler(descriptions) { [weak self] in self?.take($0) }
        descriptionsHandler = describing
        _ = try loop.add(descriptions.descriptor, describing)
        if let feed {
            let feeding = MailboxHandler(feed.mailbox) { [weak self] in self?.take($0) }
            feedHandler = feeding
            _ = try loop.add(feed.mailbox.descriptor, feeding)
        }
        let admin = AdminServer(loop: loop, backend: self)
        self.admin = admin
        try admin.start()
        if !configuration.meshStatePath.isEmpty {
            files.append(
                try WatchedFile(configuration.meshStatePath, loop: loop) { [weak self] in
                    self?.readState()
                }
            )
        }
        if !configuration.podsPath.isEmpty {
            files.append(
                try WatchedFile(configuration.podsPath, loop: loop) { [weak self] in
                    self?.readPods()
                }
            )
        }
        if !configuration.revocationsPath.isEmpty {
            files.append(
                try WatchedFile(configuration.revocationsPath, loop: loop) { [weak self] in
                    self?.readRevocations()
                }
            )
        }
        readNodeAddresses()
        observeRevocations()
        readRevocations()
        readState()
        readPods()
        _ = loop.schedule(afterMilliseconds: Control.tickMilliseconds, self)
    }

    // MARK: the mesh state

    private func readState() {
        guard !configuration.meshStatePath.isEmpty else { return }
        do {
            let bytes = try WatchedFile.contents(
                configuration.meshStatePath,
                bytesMax: Control.stateBytesMax
            )
            guard bytes != lastState else { return }
            lastState = bytes
            let state = try MeshState(json: bytes)
            adopt(state)
            telemetry.metrics.node.meshStates("accepted").increment()
        } catch {
            // The last good state stays in force.
            telemetry.metrics.node.meshStates("refused").increment()
            telemetry.log.error(
                .mesh,
                "mesh state refused, the last good one stays",
                ["file": "\(configuration.meshStatePath)", "error": "\(error)"]
            )
        }
    }

    /// Takes a whole state in place of the one held.
    func adopt(_ state: MeshState) {
        mesh.replace(with: state)
        if state.workloads.count >= Control.largeState { lateTrim = ticks + Control.stateTrimTicks }
        telemetry.log.info(
            .mesh,
            "mesh state accepted",
            [
                "version": LogValue(snapshot.version),
                "workloads": LogValue(snapshot.workloadCount),
                "services": LogValue(snapshot.serviceCount),
                "policies": LogValue(snapshot.policyCount),
            ]
        )
    }

    private func publish(_ next: Snapshot, _ diff: SnapshotDiff) {
        for worker in workers { worker.mailbox.send(.snapshot(next, diff)) }
        if concernsPods(diff) { wantCertificates() }
    }

    /// Whether a workload of the change is a pod of this node, by its name.
    private func concernsPods(_ diff: SnapshotDiff) -> Bool {
        guard !managed.isEmpty else { return false }
        let names = Set(managed.values.lazy.map { PodKey($0.local) })
        return [diff.retiredWorkloads, diff.newWorkloads].joined().contains { record in
            names.contains(
                PodKey(namespace: record.workload.namespace, name: record.workload.name)
            )
        }
    }

    /// Certificates are kept for the pods of this node, nobody else's.
    private func wantCertificates() {
        var wanted: Set<SPIFFEID> = []
        for pod in managed.values {
            let record = snapshot.workload(namespace: pod.local.namespace, name: pod.local.name)
            wanted.insert(
                record?.identity
                    ?? SPIFFEID(
                        trustDomain: configuration.trustDomain,
                        namespace: pod.local.namespace,
                        serviceAccount: pod.local.serviceAccount
                    )
            )
        }
        store.want(wanted)
    }

    // MARK: the pods

    private func readPods() {
        guard !configuration.podsPath.isEmpty else { return }
        do {
            let bytes = try WatchedFile.contents(
                configuration.podsPath,
                bytesMax: Control.stateBytesMax
            )
            guard bytes != lastPods else { return }
            lastPods = bytes
            let listed = try LocalPods(json: bytes)
            takeList(listed.pods)
        } catch {
            telemetry.log.error(
                .capture,
                "list of pods refused, the last good one stays",
                ["file": "\(configuration.podsPath)", "error": "\(error)"]
            )
        }
    }

    /// Takes the complete list of the node's pods.
    func takeList(_ listed: [LocalPod]) {
        hasPods = true
        let wanted = Dictionary(listed.map { ($0.uid, $0) }, uniquingKeysWith: { _, last in last })
        for pod in Array(managed.values) {
            if let next = wanted[pod.local.uid] {
                if next != pod.local { replace(pod, with: next) }
            } else {
                remove(pod)
            }
        }
        for pod in listed where managed[pod.uid] == nil { add(pod) }
        wantCertificates()
        countPods()
    }

    private func add(_ local: LocalPod) {
        let pod = ManagedPod(local: local)
        managed[local.uid] = pod
        open(pod)
    }

    /// Adds one pod, or replaces it; answers when capture is in force or has failed.
    func addOrReplace(_ local: LocalPod, _ answer: @escaping @Sendable (String?) -> Void) {
        if let known = managed[local.uid] { remove(known) }
        let pod = ManagedPod(local: local)
        pod.waiting.append(answer)
        managed[local.uid] = pod
        open(pod)
        wantCertificates()
        countPods()
    }

    /// Removes one pod; answers when its capture is gone.
    func remove(uid: String, _ answer: @Sendable () -> Void) {
        if let pod = managed[uid] { remove(pod) }
        wantCertificates()
        countPods()
        answer()
    }

    /// Opens the pod's namespace and asks every worker for its listeners.
    private func open(_ pod: ManagedPod) {
        do throws(SystemError) {
            let namespace = try PodNamespace(path: pod.local.networkNamespacePath)
            pod.begin(namespace, answersDue: workers.count)
        } catch {
            return pending(pod, error.description)
        }
        guard let namespace = pod.namespace else { return }
        let uid = pod.local.uid
        let generation = pod.generation
        for worker in workers {
            worker.mailbox.send(
                .addPod(pod.local, namespace) { [answers] failure in
                    answers.send(PodAnswer(uid: uid, generation: generation, failure: failure))
                }
            )
        }
    }

    /// A worker has opened its listeners, or could not; with the last one capture begins.
    private func take(_ answer: PodAnswer) {
        guard let pod = managed[answer.uid], pod.generation == answer.generation else { return }
        if let failure = answer.failure {
            tellWorkersToForget(pod)
            return pending(pod, failure)
        }
        guard pod.answered() else { return }
        install(pod)
    }

    private func take(_ described: [ConnectionDescription]) {
        guard let oldest = waitingForDescriptions.first else { return }
        guard oldest.take(described) else { return }
        waitingForDescriptions.removeFirst()
        if !waitingForDescriptions.isEmpty { askForDescriptions() }
    }

    private func install(_ pod: ManagedPod) {
        guard let namespace = pod.namespace else { return }
        do throws(CaptureError) {
            try PodCapture.install(in: namespace.namespace, try plan(pod))
            pod.state = .captured
            feed?.onOutcome(pod.local, .captured)
            pod.answer(nil)
            telemetry.metrics.node.startedPods().increment()
            telemetry.log.info(
                .capture,
                "pod captured",
                ["pod": "\(pod.local.namespace)/\(pod.local.name)", "uid": "\(pod.local.uid)"]
            )
        } catch {
            pending(pod, "\(error)")
        }
        countPods()
    }

    private func plan(_ pod: ManagedPod) throws(CaptureError) -> CapturePlan {
        let hasIPv6: Bool
        if let namespace = pod.namespace {
            hasIPv6 = try PodCapture.supportsIPv6(in: namespace.namespace)
        } else {
            hasIPv6 = false
        }
        return CapturePlan(
            excludedOutboundPorts: pod.local.excludedOutboundPorts,
            excludedInboundPorts: pod.local.excludedInboundPorts,
            capturesDNS: pod.local.capturesDNS && configuration.answersDNS,
            ipv6: hasIPv6,
            avoidsTracking: !configuration.agent.foreignAgentSocketPath.isEmpty
        )
    }

    private func pending(_ pod: ManagedPod, _ reason: String) {
        if pod.state != .pending(reason) {
            telemetry.log.warn(
                .capture,
                "pod cannot be captured yet",
                ["pod": "\(pod.local.namespace)/\(pod.local.name)", "error": "\(reason)"]
            )
        }
        if pod.state != .pending(reason) { feed?.onOutcome(pod.local, .pending(reason: reason)) }
        pod.fail(reason)
        pod.answer(reason)
        countPods()
    }

    /// The same pod with other settings: only what changed is done again.
    func replace(_ pod: ManagedPod, with next: LocalPod) {
        let isSamePlace = pod.local.networkNamespacePath == next.networkNamespacePath
        let isSameListening = pod.local.capturesDNS == next.capturesDNS
        if isSamePlace, isSameListening, pod.state == .captured,
            pod.local.serviceAccount == next.serviceAccount
        {
            pod.local = next
            return install(pod)
        }
        // In the same place the rules stay until those of the next take over: what is sent in
        // between is refused, and never goes in the clear.
        if isSamePlace { forget(pod) } else { remove(pod) }
        add(next)
    }

    private func remove(_ pod: ManagedPod) {
        // Rules go before listeners: nothing is refused in between.
        let failure = takeRules(of: pod)
        forget(pod)
        guard let failure else {
            feed?.onOutcome(pod.local, .released)
            return
        }
        telemetry.log.error(
            .capture,
            "cannot take the rules out of a pod",
            ["pod": "\(pod.local.namespace)/\(pod.local.name)", "error": "\(failure)"]
        )
        feed?.onOutcome(pod.local, .pending(reason: "\(failure)"))
    }

    /// Takes rules out of a pod, an earlier process's too; a namespace that is gone has none.
    private func takeRules(of pod: ManagedPod) -> CaptureError? {
        guard
            let place = pod.namespace ?? (try? PodNamespace(path: pod.local.networkNamespacePath))
        else { return nil }
        do throws(CaptureError) {
            try PodCapture.remove(in: place.namespace)
            return nil
        } catch {
            return error
        }
    }

    private func forget(_ pod: ManagedPod) {
        managed[pod.local.uid] = nil
        tellWorkersToForget(pod)
        pod.answer("the pod was released")
        telemetry.metrics.node.stoppedPods().increment()
        telemetry.log.info(
            .capture,
            "pod released",
            ["pod": "\(pod.local.namespace)/\(pod.local.name)"]
        )
    }

    private func tellWorkersToForget(_ pod: ManagedPod) {
        for worker in workers { worker.mailbox.send(.removePod(uid: pod.local.uid)) }
    }

    private func countPods() {
        let captured = managed.values.count { $0.state == .captured }
        telemetry.metrics.node.activePods().set(Int64(captured))
        telemetry.metrics.node.pendingPods().set(Int64(managed.count - captured))
    }

    /// Tries again what was pending, and looks at the captured pods whose turn it is.
    ///
    /// Everybody's turn comes once in `repairTicks` at least, spread over them.
    private func repair() {
        for pod in managed.values where pod.isRetryDue { open(pod) }
        if checksDue.isEmpty {
            checksDue = Array(managed.keys)
            checksPerTick = (checksDue.count + Control.repairTicks - 1) / Control.repairTicks
        }
        for uid in checksDue.suffix(checksPerTick) {
            if let pod = managed[uid] { check(pod) }
        }
        checksDue.removeLast(min(checksPerTick, checksDue.count))
    }

    /// Puts back what somebody took away of a pod's capture.
    ///
    /// Without rules traffic goes past the mesh: they have a turn each time. Without routes and
    /// settings it stands still: they are read every sixth time.
    private func check(_ pod: ManagedPod) {
        guard pod.state == .captured, let namespace = pod.namespace else { return }
        pod.looks &+= 1
        do throws(CaptureError) {
            if let proof = pod.proof, !pod.looks.isMultiple(of: Control.thoroughLooks),
                try proof.isCurrent
            {
                return
            }
            let plan = try plan(pod)
            pod.proof = try PodCapture.inspect(in: namespace.namespace, plan, since: pod.proof)
            guard pod.proof == nil else { return }
            telemetry.log.warn(
                .capture,
                "capture was changed by somebody else, putting it back",
                ["pod": "\(pod.local.namespace)/\(pod.local.name)"]
            )
            install(pod)
        } catch {
            pending(pod, "\(error)")
        }
    }

    // MARK: time

    func timerFired(_ tag: Int) {
        ticks += 1
        if isDraining {
            return drainTick()
        }
        repair()
        store.reviewRevocations()
        if ticks % Control.addressTicks == 0 { readNodeAddresses() }
        if ticks % Control.expireTicks == 0 { telemetry.metrics.expire(live: snapshot) }
        trimAfterBurst()
        if ticks % Control.releaseTicks == 0, liveConnections <= Control.burstMin {
            Process.trimMemory()
            Process.releaseProgramPages()
        }
        _ = loop.schedule(afterMilliseconds: Control.tickMilliseconds, self)
    }

    /// The mesh as it was accepted last.
    var snapshot: Snapshot { mesh.snapshot }

    /// Connections open on all workers.
    var liveConnections: Int { workers.reduce(0) { $0 + $1.live } }

    private func trimAfterBurst() {
        let live = liveConnections
        peakConnections = max(peakConnections, live)
        let wasBurst = peakConnections > Control.burstMin && live < peakConnections / 2
        let isOver = wasBurst && ticks % 5 == 0
        guard isOver || ticks == lateTrim else { return }
        // Once more when the tunnels that the burst needed have gone, too.
        if isOver { lateTrim = ticks + Control.lateTrimTicks }
        peakConnections = live
        for worker in workers { worker.mailbox.send(.trim) }
        Process.trimMemory()
    }

    // MARK: the end

    /// Stops taking connections; what runs may end until the deadline.
    ///
    /// The rules stay.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        deadline = loop.now &+ configuration.drainDeadlineMilliseconds &* 1_000_000
        telemetry.log.info(
            .node,
            "draining",
            [
                "connections": LogValue(liveConnections),
                "deadline": "\(configuration.drainDeadlineMilliseconds) ms",
            ]
        )
        if let onDrain = feed?.onDrain {
            isAgentBusy = true
            onDrain()
        }
        admin?.stopListening()
        for worker in workers { worker.mailbox.send(.drain) }
        _ = loop.schedule(afterMilliseconds: 20, self)
    }

    private func drainTick() {
        let isQuiet = !isAgentBusy && workers.allSatisfy { $0.isDrained && $0.live == 0 }
        if isQuiet || loop.now >= deadline {
            if !isQuiet {
                telemetry.log.warn(
                    .node,
                    "drain deadline passed, closing what is left",
                    ["connections": LogValue(liveConnections)]
                )
                for worker in workers { worker.mailbox.send(.expire) }
            }
            return loop.stop()
        }
        _ = loop.schedule(afterMilliseconds: 20, self)
    }

    /// What readiness waits for.
    var pendingPods: [String] {
        var reasons: [String] = []
        if isDraining { reasons.append("draining") }
        if !mesh.isKnown { reasons.append("mesh state") }
        if feed != nil || !configuration.podsPath.isEmpty, !hasPods {
            reasons.append("list of pods")
        }
        reasons += agentReasons
        for pod in managed.values where pod.state != .captured {
            reasons.append("pod \(pod.local.namespace)/\(pod.local.name)")
        }
        return reasons.sorted()
    }
}
