internal import CNI
internal import Kubernetes
internal import Mesh
internal import Node
internal import Reactor
internal import Telemetry

/// Decides which pods of this node are captured, and sees to it that they are.
///
/// Pods and namespaces come from the API server, network namespaces from the CNI plugin or from
/// processes, and the node is told by its feed. After each `await` state is looked at anew.
actor PodKeeper {
    /// Times and bounds.
    enum Limit {
        /// How long a hand-over waits for the lists, for the pod, and for its capture; together
        /// less than the plugin waits.
        static let syncWait: Duration = .seconds(10)
        static let podWait: Duration = .seconds(3)
        static let captureWait: Duration = .seconds(8)
        /// How long it waits beyond a failure for a later attempt.
        static let retryWait: Duration = .seconds(4)
        /// How long the first list waits for namespaces of pods that should have one.
        static let firstSearches = 15
        /// Searches after which a pod is looked for rarely.
        static let eagerSearches = 30
        /// A rare search is every so many rounds.
        static let rareRounds = 15
        /// Pods of one node; kubelet's own default is 110.
        static let podsMax = 4096
    }

    let cluster: any Cluster
    let feed: NodeFeed
    let log: Log
    let processes: ProcessNamespaces
    let record: EnrolmentFile
    private(set) var pods: [PodName: PodState] = [:]
    private(set) var namespaces: [String: Namespace] = [:]
    private var hasPods = false
    private var hasNamespaces = false
    private var hasToldAll = false
    private var hasSearched = false
    private var rounds = 0
    private(set) var isDraining = false
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var waiterNumber = 0
    let marks: MarkWriter
    /// Pods that are not enrolled and may have rules of an earlier process.
    var leftovers = Leftovers()

    init(
        cluster: any Cluster,
        feed: NodeFeed,
        log: Log,
        processes: ProcessNamespaces,
        record: EnrolmentFile
    ) {
        self.cluster = cluster
        self.feed = feed
        self.log = log
        self.processes = processes
        self.record = record
        self.marks = MarkWriter(cluster: cluster, log: log)
    }

    // MARK: what the API server says

    /// Takes news of this node's pods.
    func take(_ change: ObjectChange<Pod>) async {
        switch change {
        case .set(let pod): set(pod)
        case .removed(let key): removed(PodName(key.namespace, key.name))
        case .refused(let key, let error):
            log.warn(.capture, "pod not understood", ["pod": "\(key)", "error": "\(error)"])
        case .synced: hasPods = true
        }
        changed()
    }

    /// Takes news of namespaces.
    func take(_ change: ObjectChange<Namespace>) async {
        switch change {
        case .set(let namespace):
            let name = namespace.metadata.name
            let isSame = namespaces[name]?.metadata.labels == namespace.metadata.labels
            namespaces[name] = namespace
            if !isSame { reconcile(namespace: name) }
        case .removed(let key):
            namespaces[key.name] = nil
            reconcile(namespace: key.name)
        case .refused(let key, let error):
            log.warn(.capture, "namespace not understood", ["name": "\(key)", "error": "\(error)"])
        case .synced: hasNamespaces = true
        }
        changed()
    }

    var isSynced: Bool { hasPods && hasNamespaces }

    private func set(_ pod: Pod) {
        let name = PodName(pod)
        if let known = pods[name], known.pod.metadata.uid != pod.metadata.uid { removed(name) }
        if pods[name] == nil, pods.count >= Limit.podsMax {
            return log.error(.capture, "too many pods on this node", ["pod": "\(name)"])
        }
        pods[name, default: PodState(pod: pod)].pod = pod
        reconcile(name)
    }

    private func removed(_ name: PodName) {
        guard let state = pods.removeValue(forKey: name) else { return }
        release(state, name)
    }

    private func reconcile(namespace: String) {
        for name in pods.keys where name.namespace == namespace { reconcile(name) }
    }

    /// Something changed: writes down who is enrolled, tells the first list when it is complete,
    /// and wakes who waits.
    private func changed() {
        if isSynced {
            // A process that ends leaves the file to its successor, or to nobody.
            if !isDraining { record.write(enrolmentRecord, log) }
            if !hasToldAll, !hasSearched { search() }
            if leftovers.areFresh { freeLeftovers() }
        }
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.resume() }
    }

    private var enrolmentRecord: EnrolmentRecord {
        var written = EnrolmentRecord()
        written.excludedNamespaces = record.excludedNamespaces
        for (name, namespace) in namespaces where Enrolment.enrols(namespace) {
            written.namespaces.insert(name)
        }
        for (name, state) in pods {
            switch Enrolment.ownChoice(of: state.pod) {
            case true: written.enrolledPods.insert("\(name)")
            case false: written.optedOutPods.insert("\(name)")
            case nil: break
            }
        }
        return written
    }

    // MARK: one pod

    func enrolment(of state: PodState) -> Enrolment {
        Enrolment(of: state.pod, in: namespaces[state.pod.metadata.namespace])
    }

    /// Brings the node to what a pod should be.
    func reconcile(_ name: PodName) {
        guard isSynced, hasToldAll, var state = pods[name] else { return }
        let enrolment = enrolment(of: state)
        guard enrolment.isEnrolled, !state.isOver else {
            if state.told == nil, state.isMarked, !state.isOver, !state.wasReleased {
                leftovers.insert(name)
            }
            release(state, name)
            state.wasReleased = state.isMarked
            state.told = nil
            state.namespace = nil
            state.outcome = nil
            state.searches = 0
            pods[name] = state
            return
        }
        guard let namespace = state.namespace else { return }
        let local = state.local(enrolment, in: namespace)
        guard local != state.told, !isDraining else { return }
        state.told = local
        state.wasReleased = false
        pods[name] = state
        feed.send(.add(local, answer: { _ in }))
    }

    /// Tells the node to let a pod go, and closes its namespace when that is done.
    ///
    /// The mark goes when the rules are gone: it is what a later process goes by.
    private func release(_ state: PodState, _ name: PodName) {
        guard let told = state.told else { return }
        let held = state.namespace
        feed.send(.remove(uid: told.uid, answer: { withExtendedLifetime(held) {} }))
    }

    // MARK: network namespaces

    /// Looks for the namespaces of enrolled pods that run and have none yet; called every second.
    func round() {
        rounds &+= 1
        guard isSynced, !isDraining else { return }
        search()
        if rounds % Limit.rareRounds == 0 { freeLeftovers() }
    }

    private func search() {
        hasSearched = true
        var wanted: [String: PodName] = [:]
        for (name, state) in pods where isMissing(state) {
            let isRare = state.searches > Limit.eagerSearches
            if isRare, rounds % Limit.rareRounds != 0 { continue }
            wanted[state.runtimeUID] = name
        }
        let found = processes.find(Set(wanted.keys))
        for (uid, name) in wanted {
            pods[name]?.searches += 1
            if let namespace = found[uid] {
                pods[name]?.namespace = namespace
                pods[name]?.sandbox = ""
            } else if pods[name]?.searches == Limit.firstSearches {
                log.warn(
                    .capture,
                    "enrolled pod has no process, cannot be captured yet",
                    ["pod": "\(name)", "uid": "\(uid)"]
                )
            }
        }
        if hasToldAll {
            for (uid, name) in wanted where found[uid] != nil { reconcile(name) }
        } else {
            tellAll()
        }
    }

    private func isMissing(_ state: PodState) -> Bool {
        state.namespace == nil && state.isRunning && !state.isOver
            && enrolment(of: state).isEnrolled
    }

    /// The first list: complete, or as complete as it gets.
    ///
    /// Until then the node is not ready.
    private func tellAll() {
        let missing = pods.filter { isMissing($0.value) }
        let isPatient = missing.values.contains { $0.searches < Limit.firstSearches }
        guard missing.isEmpty || !isPatient else {
            let names = missing.keys.map { "network namespace of pod \($0)" }.sorted()
            return feed.send(.waiting(names))
        }
        hasToldAll = true
        var list: [LocalPod] = []
        for (name, state) in pods {
            let enrolment = enrolment(of: state)
            guard enrolment.isEnrolled, !state.isOver, let namespace = state.namespace else {
                continue
            }
            let local = state.local(enrolment, in: namespace)
            pods[name]?.told = local
            list.append(local)
        }
        feed.send(.pods(list.sorted { $0.uid < $1.uid }))
        feed.send(.waiting([]))
        log.info(
            .capture,
            "pods of this node listed",
            ["pods": LogValue(pods.count), "enrolled": LogValue(list.count)]
        )
        for name in pods.keys { reconcile(name) }
        // An earlier process may have ended before it could mark what it captured.
        for (name, state) in pods where state.isRunning { leftovers.insert(name) }
        freeLeftovers()
    }

    // MARK: what the node says

    /// Takes what became of a pod's capture.
    func take(_ local: LocalPod, _ outcome: NodeFeed.Outcome) {
        let name = PodName(local.namespace, local.name)
        guard let state = pods[name], state.pod.metadata.uid == local.uid,
            // What became of a sandbox that is gone says nothing of the one there is.
            state.told == nil || state.told?.networkNamespacePath == local.networkNamespacePath
        else { return }
        pods[name]?.outcome = outcome
        switch outcome {
        case .captured where state.told != nil:
            if !state.isMarked { marks.want(true, on: name, uid: local.uid) }
        case .pending where state.told != nil:
            if state.isMarked { marks.want(false, on: name, uid: local.uid) }
        // Its rules could not be taken away.
        case .pending: leftovers.insert(name)
        case .released where state.told == nil && !enrolment(of: state).isEnrolled:
            marks.want(false, on: name, uid: local.uid)
        case .captured, .released: break
        }
        changed()
    }

    // MARK: hand-over

    /// Gives a pod the namespace the CNI plugin brought.
    func adopt(_ namespace: HeldNamespace, sandbox: String, for name: PodName) {
        pods[name]?.namespace = namespace
        pods[name]?.sandbox = sandbox
    }

    /// Notes what the node is told by a hand-over.
    func tell(_ local: LocalPod, for name: PodName) {
        pods[name]?.told = local
        pods[name]?.outcome = nil
        pods[name]?.wasReleased = false
    }

    /// The sandbox of a pod is gone, and with it its capture.
    func forgetNamespace(of name: PodName) {
        guard let state = pods[name] else { return }
        release(state, name)
        pods[name]?.told = nil
        pods[name]?.namespace = nil
        pods[name]?.sandbox = ""
        pods[name]?.outcome = nil
        pods[name]?.searches = 0
    }

    /// Whether the pods are known and the node has heard of them.
    var isReady: Bool { isSynced && hasToldAll }

    /// Waits until something changed, or for so long.
    func change(within limit: Duration) async {
        waiterNumber &+= 1
        let number = waiterNumber
        let timer = Task {
            try? await Pause.wait(for: limit)
            wake(number)
        }
        await withCheckedContinuation { waiters[number] = $0 }
        timer.cancel()
    }

    private func wake(_ number: Int) { waiters.removeValue(forKey: number)?.resume() }

    // MARK: the end

    /// From here on pods only leave; the node's successor takes the others.
    func drain() { isDraining = true }

    /// Whether all of Ambit is being taken away: its namespace goes or is gone.
    func isNamespaceGoing(_ name: String) -> Bool {
        guard isSynced else { return false }
        return namespaces[name]?.metadata.isBeingDeleted ?? true
    }

    /// Lets every pod go, marks included.
    func releaseAll() async {
        feed.send(.pods([]))
        for (name, state) in pods where state.told != nil || state.isMarked {
            marks.want(false, on: name, uid: state.pod.metadata.uid)
        }
        await marks.settle(within: .seconds(5))
    }
}
