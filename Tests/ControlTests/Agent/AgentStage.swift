import APIServerDouble
import Agent
import CNI
import Capture
import Foundation
import Identity
import Kubernetes
import Mesh
import Node
import Reactor
import Synchronization
import Telemetry
import Testing

/// A node's world: an API server, a host's folders, processes, and node proxies in this process.
final class AgentStage: Sendable {
    let double = APIServerDouble(bookmarkMilliseconds: 50)
    let folder: URL
    let processes: FakeProcesses
    /// The address of the API server.
    let server: String
    private let access: ClusterAccess

    init() async throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "ambit-agent-\(UInt32.random(in: 0 ... .max))")
        for name in ["run", "state", "bin", "net.d"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name),
                withIntermediateDirectories: true
            )
        }
        processes = try FakeProcesses()
        server = try await double.start()
        access = ClusterAccess(server: try #require(ServerAddress(server)))
        try write("net.d/10-x.conflist", Self.bridge)
        try put(namespace: "ambit-system")
        try double.put([
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": ["name": "ambit-node", "namespace": "ambit-system"],
        ])
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    static let bridge = #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]}"#

    func write(_ name: String, _ text: String) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    func read(_ name: String) -> String? {
        try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// A node proxy of this stage.
    func startNode() throws -> StagedNode {
        var configuration = NodeConfiguration()
        configuration.nodeName = "n1"
        configuration.workerThreads = 1
        let loopback = IPAddress(v4: 0x7F00_0001)
        configuration.adminAddress = SocketAddress(loopback, UInt16.random(in: 20_000...29_000))
        configuration.readinessAddress = SocketAddress(loopback, 0)
        configuration.metricsAddress = SocketAddress(loopback, 0)
        configuration.readinessSocketPath = path("run/\(UInt32.random(in: 0 ... .max)).ready")
        configuration.drainDeadlineMilliseconds = 5000
        configuration.logLevels = LogLevels(.off)
        configuration.agent.handoverSocketPath = path("run/cni.sock")
        configuration.agent.stateFolder = path("state")
        configuration.agent.pluginPath = Programs.plugin
        configuration.agent.pluginFolder = path("bin")
        configuration.agent.pluginConfigurationFolder = path("net.d")
        let agent = PodAgent(
            configuration,
            cluster: APIServer(access, timing: .short),
            processRoot: processes.root
        )
        return try StagedNode(configuration, agent)
    }

    // MARK: objects

    func put(namespace: String, mode: String? = nil) throws {
        var labels: [String: Value] = [:]
        if let mode { labels["ambit.dev/dataplane-mode"] = .string(mode) }
        try double.put([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": ["name": .string(namespace), "labels": .map(labels)],
        ])
    }

    /// A pod of a node; one that is known keeps its annotations if `isMarked`.
    func put(
        pod name: String,
        in namespace: String,
        phase: String = "Pending",
        mode: String? = nil,
        node: String = "n1",
        isMarked: Bool = true
    ) throws {
        var object = podObject(name, in: namespace)
        if let mode {
            object["metadata"]["labels"] = ["ambit.dev/dataplane-mode": .string(mode)]
        }
        object["spec"]["nodeName"] = .string(node)
        object["status"] = phase == "Pending" ? ["phase": "Pending"] : object["status"]
        object["status"]["phase"] = .string(phase)
        if isMarked, let known = pod(name, in: namespace) {
            object["metadata"]["annotations"] = known["metadata"]["annotations"]
        }
        try double.put(object)
    }

    /// The UID that the API server gave a pod; a made-up one where it does not know the pod.
    func uid(_ name: String, in namespace: String) -> String {
        pod(name, in: namespace)?["metadata"]["uid"].stringValue
            ?? "ffffffff-0000-4111-8222-000000000000"
    }

    /// Starts a process of a pod in its network namespace.
    func run(_ name: String, in namespace: String, as id: Int, at pod: PodNamespace) throws {
        let uid = uid(name, in: namespace)
        try processes.add(id, pod: uid, start: 1, namespace: pod.path)
    }

    func pod(_ name: String, in namespace: String) -> Value? {
        double.get(ObjectReference(.pods, namespace: namespace, name: name))
    }

    func annotation(of name: String, in namespace: String) -> String? {
        pod(name, in: namespace)?["metadata"]["annotations"]["ambit.dev/captured"].stringValue
    }

    /// Whether the rules of capture are in force in a pod's namespace.
    func isCaptured(_ pod: PodNamespace) -> Bool {
        let plan = CapturePlan(
            ipv6: (try? PodCapture.supportsIPv6(in: pod.namespace)) ?? false
        )
        return (try? PodCapture.isIntact(in: pod.namespace, plan)) ?? false
    }

    // MARK: the plugin

    struct Answer {
        let output: String
        let status: Int32
    }

    /// Runs the plugin as a runtime does: environment, standard input, another process.
    func plugin(
        _ command: String,
        _ name: String,
        in namespace: String,
        at pod: PodNamespace,
        sandbox: String = "c1",
        version: String = "1.0.0"
    ) async throws -> Answer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Programs.plugin)
        process.environment = [
            "CNI_COMMAND": command, "CNI_CONTAINERID": sandbox, "CNI_NETNS": pod.path,
            "CNI_IFNAME": "eth0", "CNI_PATH": path("bin"),
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=\(namespace);K8S_POD_NAME=\(name);"
                + "K8S_POD_UID=\(uid(name, in: namespace));K8S_POD_INFRA_CONTAINER_ID=\(sandbox)",
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        let socket = path("run/cni.sock")
        let record = path("state/enrolment.json")
        let text = """
            {"cniVersion":"\(version)","name":"n","type":"ambit-cni","socket":"\(socket)",
             "enrolment":"\(record)","prevResult":\(Self.result)}
            """
        let ended = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        for await _ in ended.stream {}
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        return Answer(
            output: String(decoding: bytes, as: UTF8.self),
            status: process.terminationStatus
        )
    }

    static let result = #"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}"#
}

/// The programs the build made, beside this test.
enum Programs {
    static let folder = URL(fileURLWithPath: "/proc/self/exe")
        .resolvingSymlinksInPath().deletingLastPathComponent()

    static var plugin: String { path("ambit-cni") }
    static var node: String { path("ambit-node") }

    private static func path(_ program: String) -> String {
        let named = ProcessInfo.processInfo.environment["AMBIT_PROGRAMS"]
        let place = named.map { URL(fileURLWithPath: $0) } ?? folder
        return place.appending(path: program).path
    }
}

/// A node proxy that runs on threads of this process.
final class StagedNode: Sendable {
    private let configuration: NodeConfiguration
    private let end = Mutex<Int32?>(nil)

    init(_ configuration: NodeConfiguration, _ agent: PodAgent) throws {
        self.configuration = configuration
        let feed = try NodeFeed(
            onOutcome: { agent.took($0, $1) },
            onDrain: { agent.drain() }
        )
        feed.send(.mesh(MeshState()))
        let parts = NodeParts(
            certificates: SignerClient(path: "/nowhere"),
            feed: feed,
            didStart: { log, _ in agent.start(feed, log) }
        )
        try WorkerThread.start(name: "node") { [self] in
            let status = NodeProgram.run(configuration, parts)
            end.withLock { $0 = status }
        }
    }

    private func ask(_ method: String, _ path: String) -> String? {
        let port = configuration.adminAddress.port
        guard let raw = try? checked("socket", { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
        else { return nil }
        let client = Descriptor(owning: raw)
        guard KernelAddress(v4: 0x7F00_0001, port: port).connect(client.raw) == 0 else {
            return nil
        }
        let handle = FileHandle(fileDescriptor: client.raw, closeOnDealloc: false)
        let request = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        guard (try? handle.write(contentsOf: Data(request.utf8))) != nil,
            let answer = try? handle.readToEnd()
        else { return nil }
        return String(decoding: answer, as: UTF8.self)
    }

    var isReady: Bool { ask("GET", "/healthz/ready")?.hasPrefix("HTTP/1.1 200") ?? false }
    var readiness: String { ask("GET", "/healthz/ready") ?? "nobody answers" }

    /// What `ambit-node --ready` ends with.
    var readyStatus: Int32 { ReadinessQuestion.ask(configuration) }

    /// Ends the node as SIGTERM does.
    func stop() async -> Bool {
        _ = ask("POST", "/quitquitquit")
        return await soon { self.end.withLock { $0 } != nil }
    }
}
