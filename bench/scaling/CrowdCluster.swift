internal import Controller
internal import Kubernetes
internal import Synchronization

/// A simulated cluster as the controller sees one, alone or beside the objects of a lab.
final class CrowdCluster: Cluster {
    private typealias Fill = @Sendable () async throws -> Void

    private struct State {
        /// Whether the objects are there; until then only the lab's are.
        var isFull: Bool
        var fills: [Fill] = []
        var pods: ChangeQueue<Pod>?
        var turn = 0
    }

    let simulated: SimulatedCluster
    private let lab: (any Cluster)?
    private let state: Mutex<State>

    init(_ simulated: SimulatedCluster, beside lab: (any Cluster)? = nil) {
        self.simulated = simulated
        self.lab = lab
        state = Mutex(State(isFull: lab == nil))
    }

    /// Adds all simulated objects to those of the lab, once.
    func fill() async throws {
        let fills = state.withLock { state in
            defer { state.isFull = true }
            return state.isFull ? [] : state.fills
        }
        for fill in fills { try await fill() }
    }

    /// What an API server would tell of the next changes: pods that become ready, or not any more.
    func nextChanges(_ count: Int) -> [[UInt8]] {
        let first = state.withLock { state in
            defer { state.turn += count }
            return state.turn
        }
        return (first..<(first + count)).map { turn in
            // Far from one another, so that no change profits from the one before.
            let pod = turn * 7_919 % simulated.pods
            return simulated.json(ofPod: pod, isReady: turn / simulated.pods % 2 == 1)
        }
    }

    /// Takes a change as it comes from the API server.
    func take(_ change: [UInt8]) throws {
        let queue = state.withLock(\.pods)
        queue?.add(.set(try SimulatedCluster.pod(json: change)))
    }

    // MARK: objects

    func changes<Element: Object>(
        of type: Element.Type,
        in selection: ObjectSelection
    ) -> AsyncStream<ObjectChange<Element>> {
        let queue = ChangeQueue<Element>()
        let fill: Fill = { [simulated] in try await Self.fill(queue, simulated) }
        let isFull = state.withLock { state in
            state.fills.append(fill)
            if let pods = queue as? ChangeQueue<Pod> { state.pods = pods }
            return state.isFull
        }
        return queue.stream { [lab] in
            do {
                if isFull { try await fill() }
            } catch {
                Terminal.tell("no object: \(error)")
            }
            guard let lab else { return queue.add(.synced) }
            for await change in lab.changes(of: type, in: selection) {
                await queue.waitForRoom()
                queue.add(change)
            }
        }
    }

    private static func fill<Element: Object>(
        _ queue: ChangeQueue<Element>,
        _ cluster: SimulatedCluster
    ) async throws {
        func put<Kind: Object>(
            _ queue: ChangeQueue<Kind>,
            _ count: Int,
            _ object: (Int) throws -> Kind
        ) async throws {
            for number in 0..<count {
                if number % 100 == 0 { await queue.waitForRoom() }
                queue.add(.set(try object(number)))
            }
        }
        if let queue = queue as? ChangeQueue<Namespace> {
            try await put(queue, cluster.namespaces, cluster.namespace)
        } else if let queue = queue as? ChangeQueue<Node> {
            try await put(queue, cluster.nodes, cluster.node)
        } else if let queue = queue as? ChangeQueue<Service> {
            try await put(queue, cluster.services, cluster.service)
        } else if let queue = queue as? ChangeQueue<AuthorizationPolicy> {
            try await put(queue, cluster.namespaces, cluster.policy)
        } else if let queue = queue as? ChangeQueue<Pod> {
            try await put(queue, SimulatedCluster.proxies, cluster.proxy)
            try await put(queue, cluster.pods) { try cluster.pod($0) }
        }
    }

    // MARK: the rest is the lab's

    func review(token: String, audiences: [String]) async throws(ClusterError) -> TokenReview {
        let own = simulated.review(token)
        guard !own.isAuthenticated, let lab else { return own }
        return try await lab.review(token: token, audiences: audiences)
    }

    func get(_ reference: ObjectReference) async throws(ClusterError) -> Value? {
        try await lab?.get(reference)
    }

    func list(
        _ resource: Resource,
        in selection: ObjectSelection
    ) async throws(ClusterError) -> [Value] {
        try await lab?.list(resource, in: selection) ?? []
    }

    func create(_ object: Value) async throws(ClusterError) -> Value { throw Self.noWrites }

    func update(_ object: Value) async throws(ClusterError) -> Value { throw Self.noWrites }

    func apply(
        _ object: Value,
        subresource: String,
        fieldManager: String
    ) async throws(ClusterError) -> Value { throw Self.noWrites }

    func patch(
        _ reference: ObjectReference,
        subresource: String,
        with patch: Value
    ) async throws(ClusterError) -> Value { throw Self.noWrites }

    func delete(_ reference: ObjectReference) async throws(ClusterError) { throw Self.noWrites }

    private static let noWrites = ClusterError(.forbidden, "a simulated cluster takes no writes")
}
