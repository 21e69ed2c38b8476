internal import CNI
package import Kubernetes
package import Mesh
package import Node
internal import Reactor
internal import Synchronization
package import Telemetry

/// What a node does to find its pods: the API server's word, the CNI plugin, or a foreign agent.
///
/// Made before the node runs and started by it; everything but `start` may be called from any
/// thread.
package final class PodAgent: Sendable {
    /// Where pods come from.
    private enum Source: Sendable {
        case none
        case cluster(any Cluster)
        case foreignAgent(path: String)
    }

    private struct Running: Sendable {
        let keeper: PodKeeper
        let server: HandoverServer
        let installer: InstallerThread
    }

    private let configuration: NodeConfiguration
    private let source: Source
    private let processRoot: String
    private let outcomes: AsyncStream<(LocalPod, NodeFeed.Outcome)>
    private let outcome: AsyncStream<(LocalPod, NodeFeed.Outcome)>.Continuation
    private let running = Mutex<Running?>(nil)
    private let foreign = Mutex<ForeignAgentClient?>(nil)
    private let feed = Mutex<NodeFeed?>(nil)
    private let log = Mutex<Log?>(nil)

    /// Decides where pods come from; connects to nothing yet.
    package convenience init(
        _ configuration: NodeConfiguration,
        environment: [String: String]
    ) throws(ConfigurationFailure) {
        self.init(configuration, try PodAgent.source(configuration, environment))
    }

    /// The same with a cluster that is given, and another place than `/proc` for processes.
    package convenience init(
        _ configuration: NodeConfiguration,
        cluster: any Cluster,
        processRoot: String
    ) {
        self.init(configuration, .cluster(cluster), processRoot: processRoot)
    }

    private init(
        _ configuration: NodeConfiguration,
        _ source: Source,
        processRoot: String = "/proc"
    ) {
        self.configuration = configuration
        self.source = source
        self.processRoot = processRoot
        (outcomes, outcome) = AsyncStream.makeStream()
    }

    private static func source(
        _ configuration: NodeConfiguration,
        _ environment: [String: String]
    ) throws(ConfigurationFailure) -> Source {
        let agent = configuration.agent
        if !agent.foreignAgentSocketPath.isEmpty {
            return .foreignAgent(path: agent.foreignAgentSocketPath)
        }
        do throws(AccessError) {
            switch agent.kubernetes {
            case "off": return .none
            case "auto":
                guard configuration.podsPath.isEmpty,
                    environment["KUBERNETES_SERVICE_HOST"] != nil
                else { return .none }
                return .cluster(APIServer(try ClusterAccess.inCluster(environment: environment)))
            case "in-cluster":
                return .cluster(APIServer(try ClusterAccess.inCluster(environment: environment)))
            case let path:
                var named = environment
                named["KUBECONFIG"] = path
                return .cluster(APIServer(try KubeConfig.load(environment: named).access()))
            }
        } catch {
            throw ConfigurationFailure(key: "kubernetes", reason: error.reason)
        }
    }

    /// Whether pods come from here; otherwise the files of the configuration name them.
    package var isActive: Bool {
        if case .none = source { false } else { true }
    }

    // MARK: what the node calls

    /// Takes what became of a pod's capture; `NodeFeed.onOutcome`.
    package func took(_ local: LocalPod, _ outcome: NodeFeed.Outcome) {
        guard isActive else { return }
        self.outcome.yield((local, outcome))
    }

    /// Begins the end; `NodeFeed.onDrain`.
    package func drain() {
        Task {
            await end()
            feed.withLock { $0 }?.send(.finished)
        }
    }

    /// Starts threads and tasks; `NodeParts.didStart`.
    package func start(_ feed: NodeFeed, _ log: Log) {
        self.feed.withLock { $0 = feed }
        self.log.withLock { $0 = log }
        do throws(SystemError) {
            switch source {
            case .none: return
            case .cluster(let cluster): try start(cluster, feed, log)
            case .foreignAgent(let path):
                let client = ForeignAgentClient(path: path, feed: feed, log: log)
                foreign.withLock { $0 = client }
                try client.start()
                discardOutcomes()
            }
        } catch {
            log.error(.capture, "cannot look for pods", ["error": "\(error)"])
            feed.send(.waiting(["the agent, which could not start: \(error)"]))
        }
    }

    private func discardOutcomes() {
        let outcomes = self.outcomes
        Task { for await _ in outcomes {} }
    }

    private func start(_ cluster: any Cluster, _ feed: NodeFeed, _ log: Log) throws(SystemError) {
        let agent = configuration.agent
        let keeper = PodKeeper(
            cluster: cluster,
            feed: feed,
            log: log,
            processes: try ProcessNamespaces(root: processRoot),
            record: EnrolmentFile(
                folder: agent.stateFolder,
                excludedNamespaces: Set(PodAgent.words(agent.excludedNamespaces))
            )
        )
        watch(cluster, keeper)
        let server = HandoverServer(path: agent.handoverSocketPath, log: log) {
            request,
            namespace in
            switch request.command {
            case .add: await keeper.add(request, namespace)
            case .check: await keeper.check(request)
            case .remove: await keeper.remove(request)
            }
        }
        let installer = InstallerThread(
            CNIInstaller(PodAgent.paths(configuration)),
            log: log,
            isOwner: { server.isOwner },
            tick: { server.reclaim() }
        )
        running.withLock {
            $0 = Running(keeper: keeper, server: server, installer: installer)
        }
        try server.start()
        try installer.start(isActive: agent.installsPlugin)
    }

    private func watch(_ cluster: any Cluster, _ keeper: PodKeeper) {
        var own = ObjectSelection()
        own.fields = "spec.nodeName=\(configuration.nodeName)"
        let pods = cluster.changes(of: Pod.self, in: own)
        let namespaces = cluster.changes(of: Namespace.self, in: ObjectSelection())
        let outcomes = self.outcomes
        Task { for await change in namespaces { await keeper.take(change) } }
        Task { for await change in pods { await keeper.take(change) } }
        Task { for await (local, outcome) in outcomes { await keeper.take(local, outcome) } }
        Task { [weak keeper] in
            while (try? await Pause.wait(for: .seconds(1))) != nil {
                guard let keeper else { return }
                await keeper.round()
            }
        }
    }

    // MARK: the end

    private func end() async {
        foreign.withLock { $0 }?.stop()
        guard let running = running.withLock({ $0 }), let log = log.withLock({ $0 }) else { return }
        running.server.stop()
        running.installer.stop()
        await running.keeper.drain()
        guard await isUninstalled(running.keeper, log) else { return }
        log.warn(.capture, "Ambit is being taken away: the pods of this node are let go")
        running.installer.uninstall()
        await running.keeper.releaseAll()
        running.keeper.record.remove()
    }

    /// Whether this is the end for good: the namespace or the DaemonSet goes.
    ///
    /// Where that cannot be found out it is a restart, and pods stay captured.
    private func isUninstalled(_ keeper: PodKeeper, _ log: Log) async -> Bool {
        guard case .cluster(let cluster) = source else { return false }
        let agent = configuration.agent
        if await keeper.isNamespaceGoing(agent.namespace) { return true }
        let resource = Resource(
            apiVersion: "apps/v1",
            kind: "DaemonSet",
            plural: "daemonsets",
            isNamespaced: true
        )
        let reference = ObjectReference(
            resource,
            namespace: agent.namespace,
            name: agent.daemonSet
        )
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do throws(ClusterError) {
                    guard let found = try await cluster.get(reference) else { return true }
                    return found["metadata"]["deletionTimestamp"].stringValue != nil
                } catch {
                    log.warn(.capture, "cannot ask for the DaemonSet", ["error": "\(error)"])
                    return false
                }
            }
            group.addTask {
                try? await Pause.wait(for: .seconds(5))
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    // MARK: the host

    /// Takes the plugin off this host, for `ambit-node --remove-cni`; the exit status.
    package static func removePlugin(_ configuration: NodeConfiguration) -> Int32 {
        let report = CNIInstaller(paths(configuration)).remove()
        for path in report.changed { complain("ambit-node: took out \(path)") }
        for problem in report.problems { complain("ambit-node: \(problem)") }
        return report.problems.isEmpty ? 0 : 1
    }

    private static func paths(_ configuration: NodeConfiguration) -> CNIInstaller.Paths {
        let agent = configuration.agent
        return CNIInstaller.Paths(
            plugin: agent.pluginPath,
            binFolder: agent.pluginFolder,
            configurationFolder: agent.pluginConfigurationFolder,
            socket: agent.handoverSocketPath,
            enrolment: "\(agent.stateFolder)/\(EnrolmentFile.name)"
        )
    }

    private static func words(_ list: String) -> [String] {
        list.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}
