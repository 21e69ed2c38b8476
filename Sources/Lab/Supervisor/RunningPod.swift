internal import CLinux
internal import Foundation
internal import Glibc
internal import Mesh
internal import Netlink
internal import Reactor

/// A pod: its namespaces, its files, its containers.
final class RunningPod {
    let plan: PodPlan
    let log: LogFile
    private let namespaces: PodNamespaces
    private let environment: [String]
    private var initialContainers: [ContainerProcess] = []
    private var containers: [ContainerProcess] = []
    private weak var node: NodeNetwork?

    /// Whether the containers have been started.
    private(set) var isStarted = false

    /// Makes the namespaces and connects them; nothing runs yet.
    init(
        _ plan: PodPlan,
        on node: NodeNetwork,
        environment: [String],
        loop: PollLoop,
        children: Children
    ) throws {
        self.plan = plan
        self.node = node
        self.environment = environment + ["HOSTNAME=" + plan.hostname]
        log = try LogFile(LabPaths.log(ofPod: plan.namespace, plan.name))
        let binds = try Self.writeFiles(of: plan)
        namespaces = try PodNamespaces(
            hostname: plan.hostname,
            sharing: plan.usesHostNetwork ? node.namespace.raw : nil,
            binds: binds,
            hiding: LabPaths.mountPoint
        )
        try nameNamespace(
            namespaces.network,
            LabPaths.namespace(ofPod: plan.namespace, plan.name)
        )
        if !plan.usesHostNetwork { try node.attach(plan, namespaces.network) }
        containers = plan.containers.map { container in
            ContainerProcess(
                command(container),
                policy: plan.restartPolicy,
                log: log,
                loop: loop,
                children: children
            )
        }
        initialContainers = plan.initialContainers.map { container in
            ContainerProcess(
                command(container),
                policy: plan.restartPolicy == .never ? .never : .onFailure,
                log: log,
                loop: loop,
                children: children
            )
        }
    }

    /// Starts the containers, once.
    func start() {
        guard !isStarted else { return }
        isStarted = true
        startNext(after: 0)
    }

    // The initial containers one after the other, then the others all at once.
    private func startNext(after count: Int) {
        guard count < initialContainers.count else {
            for container in containers { container.start() }
            return
        }
        let container = initialContainers[count]
        container.whenEnded = { [weak self, weak container] in
            switch container?.state {
            case .pausing, .ended(exitCode: 0): self?.startNext(after: count + 1)
            default: break
            }
        }
        container.start()
    }

    /// Ends the pod: its processes, its place in the network, its files.
    func remove() {
        for container in initialContainers + containers { container.stop() }
        killProcesses()
        let path = LabPaths.namespace(ofPod: plan.namespace, plan.name)
        unnameNamespace(path)
        if !plan.usesHostNetwork { try? node?.detach(plan.key) }
        try? FileManager.default.removeItem(
            atPath: LabPaths.files(ofPod: plan.namespace, plan.name)
        )
        log.remove()
    }

    /// A command that runs in the pod, on the given standard descriptors.
    func command(for execution: Execution) -> Command {
        var command = Command(
            arguments: execution.arguments,
            environment: (containers.isEmpty ? environment : firstEnvironment)
                + execution.environment,
            directory: execution.directory ?? "/"
        )
        enter(&command)
        return command
    }

    /// Runs `body` on this thread in the pod's network namespace.
    func inNetwork<T>(_ body: () throws(SystemError) -> T) throws(SystemError) -> T {
        try namespaces.network.run(body)
    }

    /// Whether a proxy listens for the pod's outgoing connections.
    var isCaptured: Bool {
        let found = try? namespaces.network.run { () throws(SystemError) in
            SocketTable.listeners(port: 15001, of: "thread-self")
        }
        return found?.isEmpty == false
    }

    /// The pod as `lab ps` shows it.
    func status(enrolled: Bool) -> LabStatus.Pod {
        LabStatus.Pod(
            namespace: plan.namespace,
            name: plan.name,
            uid: plan.uid,
            node: plan.node,
            addresses: plan.addresses.map(\.description),
            enrolled: enrolled,
            isStarted: isStarted,
            isReady: isStarted && silentPort == nil,
            state: stateName,
            processes: all.compactMap(\.process),
            restarts: all.reduce(0) { $0 + $1.restarts },
            lastExitCode: all.compactMap(\.lastExitCode).last,
            reason: reason
        )
    }

    private var all: [ContainerProcess] { initialContainers + containers }

    private var reason: String? {
        guard isStarted else { return "the proxy does not capture the pod yet" }
        return waitingReason ?? silentPort.map { "nobody listens on the probes' port \($0)" }
    }

    // A port that probes go to and that nobody listens on.
    private var silentPort: UInt16? {
        guard !plan.probePorts.isEmpty else { return nil }
        let found = try? namespaces.network.run { () throws(SystemError) in
            plan.probePorts.first {
                SocketTable.listeners(port: $0, of: "thread-self").isEmpty
            }
        }
        return found ?? nil
    }

    private var waitingReason: String? {
        for container in all {
            if case .waiting(let reason) = container.state { return reason }
        }
        return nil
    }

    private var stateName: String {
        guard isStarted else { return "Waiting" }
        for container in initialContainers {
            if case .ended(let exitCode) = container.state, exitCode != 0 { return "Failed" }
        }
        var allEnded = true
        var anyFailed = false
        for container in containers {
            switch container.state {
            case .waiting, .created: return "Waiting"
            case .running, .pausing: allEnded = false
            case .ended(let exitCode): anyFailed = anyFailed || exitCode != 0
            }
        }
        guard allEnded, !containers.isEmpty else { return "Running" }
        return anyFailed ? "Failed" : "Succeeded"
    }

    private var firstEnvironment: [String] {
        environment + (plan.containers.first?.environment ?? [])
    }

    private func command(_ container: PodPlan.Container) -> Command {
        var command = Command(
            arguments: container.arguments,
            environment: environment + container.environment,
            directory: container.directory ?? "/"
        )
        enter(&command)
        return command
    }

    private func enter(_ command: inout Command) {
        command.network = namespaces.network.raw
        command.mount = namespaces.mount.raw
        command.hostname = namespaces.hostname.raw
        command.environment = Self.lastOfEach(command.environment)
    }

    // A later entry overrides an earlier one of the same name.
    private static func lastOfEach(_ entries: [String]) -> [String] {
        var seen: Set<Substring> = []
        let kept = entries.reversed().filter { seen.insert($0.prefix { $0 != "=" }).inserted }
        return kept.reversed()
    }

    // Every process that sees the pod's mounts belongs to it, whoever its parent is.
    private func killProcesses() {
        guard let own = Calls.identity(of: "/proc/self/fd/\(namespaces.mount.raw)") else { return }
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for process in entries.compactMap(Int32.init)
        where Calls.identity(of: "/proc/\(process)/ns/mnt") == own {
            Calls.signal(process, SIGKILL)
        }
    }

    private static func writeFiles(of plan: PodPlan) throws(SystemError) -> [PodNamespaces.Bind] {
        let directory = LabPaths.files(ofPod: plan.namespace, plan.name)
        try Calls.makeDirectory(directory)
        let files = [
            ("hostname", plan.hostname + "\n"),
            ("hosts", plan.hostsFile),
            ("resolv.conf", plan.resolverFile),
        ]
        var binds: [PodNamespaces.Bind] = []
        for (name, text) in files {
            // A host without the file has nothing that could be laid over.
            guard let text, Calls.identity(of: "/etc/" + name) != nil else { continue }
            let path = directory + "/" + name
            try Calls.replaceFile(path, with: Array(text.utf8))
            binds.append(PodNamespaces.Bind(source: path, target: "/etc/" + name))
        }
        return binds
    }
}

/// Gives a network namespace a path, by which another process can open it.
func nameNamespace(_ namespace: borrowing NetworkNamespace, _ path: String) throws(SystemError) {
    _ = try Calls.open(path, O_WRONLY | O_CREAT, mode: 0o444)
    try Calls.mount("/proc/self/fd/\(namespace.raw)", on: path, flags: ambit_MS_BIND)
}

/// Takes the path back; the namespace lives on while it is used.
func unnameNamespace(_ path: String) {
    _ = unsafe ambit_umount(path, ambit_MNT_DETACH)
    Calls.removeFile(path)
}
