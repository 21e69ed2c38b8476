internal import Discovery
package import Kubernetes
package import Mesh

/// Follows a cluster's objects and keeps what discovery serves in step with them.
///
/// Nothing is served before every kind has been listed once: a controller that starts must not
/// tell nodes that the mesh is empty.
package actor MeshKeeper {
    /// What happened so far.
    package struct Statistics: Sendable, Equatable {
        /// Changes of objects taken, by kind.
        package var objectChanges: [String: Int] = [:]
        /// Changes of the mesh told.
        package var meshChanges = 0
        /// Workloads, services and policies told as changed or gone.
        package var resourcesChanged = 0
        /// Objects that are refused now.
        package var refused = 0
        package init() {}
    }

    private var index: MeshIndex
    private let tell: @Sendable (MeshChange) -> Void
    private var unsynced: Set<String> = Set(
        [
            Namespace.objectType, Kubernetes.Node.objectType, Pod.objectType,
            Kubernetes.Service.objectType, EndpointSlice.objectType, Gateway.objectType,
            AuthorizationPolicy.objectType, PeerAuthentication.objectType,
        ].map(\.kind)
    )
    private var isFlushDue = false
    private var touchedPolicies: Set<ObjectKey> = []
    private let findings: AsyncStream<Set<ObjectKey>>.Continuation
    /// Objects whose warnings, refusal or, for policies, spec changed; for who writes status.
    package nonisolated let changedFindings: AsyncStream<Set<ObjectKey>>
    /// What happened so far.
    package private(set) var statistics = Statistics()

    /// Keeps a mesh, telling each of its changes in order.
    package init(settings: MeshSettings, tell: @escaping @Sendable (MeshChange) -> Void) {
        index = MeshIndex(settings: settings)
        self.tell = tell
        // Sets of keys that are looked up again when they are handled; the newest are kept.
        (changedFindings, findings) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    /// Follows a cluster until its task is cancelled.
    package nonisolated func run(_ cluster: any Cluster) async {
        var foreignSlices = ObjectSelection()
        // Of the others nothing is learnt that the pods do not say.
        foreignSlices.labels =
            "endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io"
        let slices = foreignSlices
        await withTaskGroup { group in
            follow(Namespace.self, cluster, &group) { $0.set($1) }
            follow(Kubernetes.Node.self, cluster, &group) { $0.set($1) }
            follow(Pod.self, cluster, &group) { $0.set($1) }
            follow(Kubernetes.Service.self, cluster, &group) { $0.set($1) }
            follow(EndpointSlice.self, cluster, &group, slices) { $0.set($1) }
            follow(Gateway.self, cluster, &group) { $0.set($1) }
            follow(AuthorizationPolicy.self, cluster, &group) { $0.set($1) }
            follow(PeerAuthentication.self, cluster, &group) { $0.set($1) }
        }
    }

    private nonisolated func follow<Element: Object>(
        _ type: Element.Type,
        _ cluster: any Cluster,
        _ group: inout TaskGroup<Void>,
        _ selection: ObjectSelection = ObjectSelection(),
        _ set: @escaping @Sendable (inout MeshIndex, Element) -> Void
    ) {
        group.addTask {
            for await change in cluster.changes(of: type, in: selection) {
                await self.take(change, set)
            }
        }
    }

    private func take<Element: Object>(
        _ change: ObjectChange<Element>,
        _ set: @Sendable (inout MeshIndex, Element) -> Void
    ) {
        let kind = Element.objectType.kind
        switch change {
        case .set(let element):
            set(&index, element)
            touch(element.key)
        case .removed(let key):
            index.remove(key)
        case .refused(let key, let error):
            index.refuse(key, error)
            touch(key)
        case .synced:
            unsynced.remove(kind)
        }
        statistics.objectChanges[kind, default: 0] += 1
        flushSoon()
    }

    private func touch(_ key: ObjectKey) {
        let kinds = [AuthorizationPolicy.objectType.kind, PeerAuthentication.objectType.kind]
        if kinds.contains(key.kind) { touchedPolicies.insert(key) }
    }

    // Changes that wait already are taken first, and told as one.
    private func flushSoon() {
        guard isSynced, !isFlushDue else { return }
        isFlushDue = true
        Task { flush() }
    }

    private func flush() {
        isFlushDue = false
        let change = index.takeChange()
        if !change.isEmpty {
            statistics.meshChanges += 1
            statistics.resourcesChanged +=
                change.workloads.count + change.services.count + change.policies.count
                + change.removedWorkloads.count + change.removedServices.count
                + change.removedPolicies.count
            tell(change)
        }
        hasTold = true
        let changed = index.takeChangedFindings().union(touchedPolicies)
        touchedPolicies.removeAll()
        if !changed.isEmpty { findings.yield(changed) }
    }

    // MARK: Questions

    /// Whether every kind has been listed and what came of it was told.
    package private(set) var hasTold = false

    private var isSynced: Bool { unsynced.isEmpty }

    /// The kinds that have not been listed yet.
    package var missingKinds: [String] { unsynced.sorted() }

    /// All of the mesh, as last told.
    package var state: MeshState { index.state }

    /// What is wrong with an object.
    package func report(on key: ObjectKey) -> ObjectReport {
        ObjectReport(
            refusal: index.refusal(of: key),
            warnings: index.warnings(of: key),
            policy: index.policy(of: key),
            isInForce: index.policies.isInForce(key),
            failsClosed: index.policies.isClosed(key)
        )
    }

    /// Every policy and every object with a warning, for who begins to write status.
    package var reportedKeys: Set<ObjectKey> { index.reportedKeys }

    /// The uid and the node of a pod that has not ended; nil when there is none.
    package func pod(_ name: NamespacedName) -> (uid: String, node: String)? {
        index.livePod(name).map { ($0.metadata.uid, $0.nodeName) }
    }

    /// Whether a pod of an account, that has not ended, is on a node.
    package func runs(_ account: NamespacedName, on node: String) -> Bool {
        index.runs(account, on: node)
    }
}

/// What an object's author should know of it.
package struct ObjectReport: Sendable, Equatable {
    /// Why its last version is not in force; nil when it is.
    package var refusal: Finding?
    package var warnings: [Finding] = []
    /// The L4 policy made from it; nil when there is none.
    package var policy: Policy?
    /// Whether a version of the policy is in force, if not the last one.
    package var isInForce = false
    /// Whether what is in force stands in for a version that is lost.
    package var failsClosed = false
}

extension MeshIndex {
    /// A pod that is there and has not ended.
    package func livePod(_ name: NamespacedName) -> Pod? {
        pods[name].flatMap { $0.hasEnded ? nil : $0 }
    }

    /// Whether a pod of an account, that has not ended, is on a node.
    package func runs(_ account: NamespacedName, on node: String) -> Bool {
        podsByNode[node].contains { name in
            name.namespace == account.namespace
                && livePod(name)?.serviceAccountName == account.name
        }
    }

    /// The policy made from an object.
    package func policy(of key: ObjectKey) -> Policy? { policies.policy(of: key) }

    /// Every policy, and every object with a warning or a refusal.
    package var reportedKeys: Set<ObjectKey> {
        policies.objectKeys.union(findings.keys).union(refusals.keys)
    }
}
