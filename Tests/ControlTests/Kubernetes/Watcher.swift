import APIServerDouble
import Kubernetes
import Testing

/// Follows a stream of changes and keeps what they add up to.
actor Watcher<Element: Object> {
    private(set) var objects: [ObjectKey: Element] = [:]
    private(set) var refused: [ObjectKey: FieldError] = [:]
    private(set) var syncs = 0
    private(set) var changes = 0
    private var task: Task<Void, Never>?

    init(_ cluster: any Cluster, of type: Element.Type, in selection: ObjectSelection = .init())
        async
    {
        let stream = cluster.changes(of: type, in: selection)
        task = Task { for await change in stream { take(change) } }
    }

    deinit { task?.cancel() }

    func stop() { task?.cancel() }

    private func take(_ change: ObjectChange<Element>) {
        changes += 1
        switch change {
        case .set(let object): objects[object.key] = object
        case .removed(let key): objects[key] = nil
        case .refused(let key, let error): refused[key] = error
        case .synced: syncs += 1
        }
    }

    var names: [String] { objects.keys.map { "\($0.namespace)/\($0.name)" }.sorted() }
}

/// Asks for a condition until it holds; false when it never does in `seconds`.
func soon(
    within seconds: Double = 20,
    _ condition: () async -> Bool
) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if await condition() { return true }
        try? await Pause.wait(for: .milliseconds(10))
    }
    return await condition()
}

extension APITiming {
    /// Short waits, for tests.
    static var short: APITiming {
        var timing = APITiming()
        timing.backoffMin = .milliseconds(5)
        timing.backoffMax = .milliseconds(50)
        timing.requestTimeout = .seconds(5)
        timing.watchSilence = .seconds(5)
        timing.credentialsAge = .zero
        return timing
    }
}

/// A pod, as small as the API allows.
func podObject(_ name: String, in namespace: String = "shop", address: String = "10.0.0.1") -> Value
{
    [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": ["name": .string(name), "namespace": .string(namespace)],
        "spec": ["containers": [["name": "app"]], "nodeName": "n1"],
        "status": ["phase": "Running", "podIP": .string(address)],
    ]
}

/// A double and a client to it.
struct Pair {
    let double: APIServerDouble
    let server: APIServer

    init(_ double: APIServerDouble = APIServerDouble(bookmarkMilliseconds: 50)) async throws {
        self.double = double
        let address = try #require(ServerAddress(try await double.start()))
        server = APIServer(ClusterAccess(server: address), timing: .short)
    }
}
