import Foundation
package import Kubernetes
import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
import Synchronization

/// An API server for tests, with real HTTP on loopback: what it holds is fed by clients or by
/// `put`, and it misbehaves as `faults` says.
package final class APIServerDouble: Sendable {
    package let store: ObjectStore
    private let faultState = Mutex(Faults())
    private let reviewerState = Mutex(Reviewer())
    private let requestLog = Mutex<[String]>([])
    private let connections = Mutex<[ObjectIdentifier: (any Channel, Task<Void, Never>)]>([:])
    private let listener = Mutex<(any Channel)?>(nil)
    private let bookmarkInterval: TimeAmount

    /// A double with the built-in kinds and `kinds`; it listens after `start`.
    package init(
        kinds: [ServedKind] = ServedKind.policies,
        bookmarkMilliseconds: Int64 = 1_000
    ) {
        store = ObjectStore(kinds: ServedKind.builtIn + kinds)
        bookmarkInterval = .milliseconds(bookmarkMilliseconds)
        for name in ["default", "kube-system"] {
            _ = try? put([
                "apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)],
            ])
        }
    }

    /// What goes wrong from now on.
    package var faults: Faults {
        get { faultState.withLock { $0 } }
        set { faultState.withLock { $0 = newValue } }
    }

    /// Who callers are and what they may do, from now on.
    package var reviewer: Reviewer {
        get { reviewerState.withLock { $0 } }
        set { reviewerState.withLock { $0 = newValue } }
    }

    /// The requests that came, such as `GET /api/v1/pods?limit=500`; at most the last 10,000.
    package var requests: [String] { requestLog.withLock { $0 } }

    /// Makes or replaces an object, status included, whatever its resourceVersion.
    @discardableResult
    package func put(_ object: Value) throws(Refusal) -> Value {
        let target = try path(of: object)
        var object = object
        object["metadata"]["resourceVersion"] = .null
        let status = object["status"]
        let request = { (method: String, suffix: String, body: Value) throws(Refusal) -> Value in
            try self.ask(method, target.collection + suffix, body)
        }
        let exists = (try? ask("GET", target.object, .null)) != nil
        guard exists else { return try request("POST", "?feed=1", object) }
        var result = try ask("PUT", target.object, object)
        if status != .null, let kind = kind(of: object), kind.hasStatus {
            result = try ask("PUT", target.object + "/status", object)
        }
        return result
    }

    /// Deletes an object; fails when it is not there.
    package func remove(_ object: Value) throws(Refusal) {
        _ = try ask("DELETE", try path(of: object).object, .null)
    }

    /// The object as it is; nil when it is not there.
    package func get(_ reference: ObjectReference) -> Value? {
        let object: Value = [
            "apiVersion": .string(reference.resource.apiVersion),
            "kind": .string(reference.resource.kind),
            "metadata": [
                "name": .string(reference.name), "namespace": .string(reference.namespace),
            ],
        ]
        guard let place = try? path(of: object) else { return nil }
        return try? ask("GET", place.object, .null)
    }

    private func kind(of object: Value) -> ServedKind? {
        let parts = (object["apiVersion"].stringValue ?? "").split(separator: "/").map(String.init)
        let group = parts.count == 2 ? parts[0] : ""
        return store.kinds.first {
            $0.group == group && $0.kind == object["kind"].stringValue
                && $0.versions.contains(parts.last ?? "")
        }
    }

    private func path(of object: Value) throws(Refusal) -> (collection: String, object: String) {
        let version = object["apiVersion"].stringValue ?? ""
        guard let kind = kind(of: object) else {
            throw .notFound("kind \(object["kind"].stringValue ?? "") in \(version)")
        }
        let metadata = object["metadata"]
        var path = (version.contains("/") ? "/apis/" : "/api/") + version
        if kind.isNamespaced {
            path += "/namespaces/" + (metadata["namespace"].stringValue ?? "default")
        }
        path += "/" + kind.plural
        return (path, path + "/" + (metadata["name"].stringValue ?? ""))
    }

    // What a client would, without a connection and without faults.
    private func ask(_ method: String, _ target: String, _ body: Value) throws(Refusal) -> Value {
        let request = HTTPRequest(
            method: method,
            target: target,
            contentType: "application/json",
            token: nil,
            body: body == .null ? [] : body.jsonBytes()
        )
        let router = Router(store: store, reviewer: Reviewer(), staleRevision: nil)
        switch router.answer(request) {
        case .whole(let status, let body):
            guard status < 300 else {
                throw Refusal(
                    Int64(status),
                    body["reason"].stringValue ?? "",
                    body["message"].stringValue ?? ""
                )
            }
            return body
        case .text(let status, let text): throw Refusal(Int64(status), "", text)
        case .watch: throw Refusal(400, "BadRequest", "not a watch")
        }
    }

    /// Listens on loopback, on a port of its own when 0; gives the address for a kubeconfig.
    package func start(
        host: String = "127.0.0.1",
        port: Int = 0,
        tls: TLSConfiguration? = nil
    ) async throws -> String {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        // Each connection has a task from its first moment: one that is accepted while the double
        // stops is served and ended too.
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context {
                        try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try pipeline.configureHTTPServerPipeline()
                    self.serve(try DoubleConnection.Wrapped(wrappingChannelSynchronously: channel))
                }
            }
            .bind(host: host, port: port).get()
        listener.withLock { $0 = server }
        let shown = host.contains(":") ? "[\(host)]" : host
        return "\(tls == nil ? "http" : "https")://\(shown):\(server.localAddress?.port ?? 0)"
    }

    /// Ends all connections and stops listening; what is stored stays.
    package func stop() async {
        let old = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        try? await old?.close()
        let tasks = connections.withLock { $0.values.map(\.1) }
        dropConnections()
        store.wake()
        for task in tasks { await task.value }
    }

    /// Cuts all connections, wherever they are.
    package func dropConnections() {
        for channel in connections.withLock({ $0.values.map(\.0) }) { channel.close(promise: nil) }
    }

    private func serve(_ client: DoubleConnection.Wrapped) {
        let channel = client.channel
        let connection = DoubleConnection(double: self, bookmarkInterval: bookmarkInterval)
        connections.withLock { connections in
            let task = Task {
                await connection.serve(client)
                _ = self.connections.withLock {
                    $0.removeValue(forKey: ObjectIdentifier(channel))
                }
            }
            connections[ObjectIdentifier(channel)] = (channel, task)
        }
    }

    func note(_ request: HTTPRequest) {
        requestLog.withLock { log in
            log.append("\(request.method) \(request.rawTarget)")
            if log.count > 10_000 { log.removeFirst(1_000) }
        }
    }

    /// Uses up what goes wrong for a request, if anything does.
    func useFault<Result>(_ use: (inout Faults) -> Result) -> Result {
        faultState.withLock { use(&$0) }
    }
}
