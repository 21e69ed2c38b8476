internal import CLinux
internal import Foundation
internal import Glibc
internal import Mesh
internal import Reactor

/// The init process of a lab: it owns every namespace and process, and serves the control socket.
///
/// One thread. Everything that takes waiting (readiness, captures, hand-overs) is done by clients
/// with the descriptors and facts they get here.
final class Supervisor {
    /// The most clients served at once.
    static let connectionsMax = 256

    let options: SupervisorOptions
    let loop = PollLoop()
    let children = Children()
    let fabric: Fabric
    /// Certifies by a socket for each node that reads files; nil when controllers serve them.
    let signers: Signers?
    /// The authority in files for the controllers; nil without them.
    let authority: LabAuthority?
    /// The replicas of the controller.
    let controllers: [LabController]
    /// What each node's proxy shows the controllers.
    var tokens: [String: String] = [:]
    let nameServer: ClusterNameServer
    let environment: [String]
    var cluster: Cluster
    var plan = ClusterPlan()
    var pods: [String: RunningPod] = [:]
    var proxies: [String: NodeProxy] = [:]
    private let listener: Descriptor
    private var connections: [ObjectIdentifier: ControlConnection] = [:]
    private var isChecking = false

    /// Builds the network between nodes; the listener has been listening since before.
    init(_ options: SupervisorOptions, listener: consuming Descriptor) throws {
        self.options = options
        self.listener = listener
        cluster = Cluster(nodeFlags: options.nodeFlags)
        fabric = try Fabric(resolvers: Cluster.resolvers)
        nameServer = try ClusterNameServer(
            cluster.resolver,
            addresses: Cluster.resolvers.filter { $0.family == .v4 || NetworkParameters.hasIPv6 },
            loop: loop
        )
        var environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        if ProcessInfo.processInfo.environment["PATH"] == nil {
            environment.append("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        }
        self.environment = environment
        if let binary = options.controllerBinary {
            signers = nil
            authority = try LabAuthority(
                trustDomain: cluster.trustDomain,
                authority: options.authority,
                loop: loop
            )
            var controllers: [LabController] = []
            for index in 0..<options.controllers {
                controllers.append(
                    try LabController(
                        binary,
                        index: index,
                        settings: Self.controllerFlags(options.nodeFlags),
                        environment: environment,
                        loop: loop,
                        children: children
                    )
                )
            }
            self.controllers = controllers
        } else {
            signers = try Signers(
                trustDomain: cluster.trustDomain,
                authority: options.authority
            )
            (authority, controllers) = (nil, [])
        }
        try watchSignals()
        loop.watch(self.listener.raw) { [unowned self] in acceptConnections() }
        boundLogs()
    }

    /// Serves until the lab ends.
    func run() {
        loop.run()
    }

    // The settings that concern the whole mesh.
    private static func controllerFlags(_ nodeFlags: [String]) -> [String] {
        let shared = ["trust-domain=", "cluster-domain=", "cluster-id=", "network="]
        return nodeFlags.filter { flag in shared.contains { flag.hasPrefix($0) } }.map { "--" + $0 }
    }

    private func watchSignals() throws(SystemError) {
        signal(SIGPIPE, SIG_IGN)
        let signals = [SIGCHLD, SIGTERM, SIGINT]
        let source = try checked("signalfd") { unsafe ambit_signalfd(signals, 3) }
        loop.watch(source) { [unowned self] in
            while true {
                let number = ambit_signal_read(source)
                guard number > 0 else { break }
                if number != SIGCHLD { loop.stop() }
            }
            children.reap()
        }
    }

    private func acceptConnections() {
        while let socket = ControlSocket.accept(listener.raw) {
            guard let peer = try? ControlSocket.peer(of: socket.raw),
                peer.user == 0 || peer.user == geteuid(),
                connections.count < Self.connectionsMax
            else { continue }
            let connection = ControlConnection(
                socket,
                loop: loop,
                handle: { [unowned self] request, connection in
                    handle(request, from: connection)
                },
                whenClosed: { [unowned self] connection in closed(connection) }
            )
            guard connection.start() else { continue }
            connections[ObjectIdentifier(connection)] = connection
        }
    }

    private func closed(_ connection: ControlConnection) {
        connections[ObjectIdentifier(connection)] = nil
        // Its command must not outlive whoever asked for it.
        if let process = connection.execution { Calls.signal(-process, SIGKILL) }
        if connection.isAttached { loop.stop() }
    }

    private func boundLogs() {
        for pod in pods.values { pod.log.bound() }
        for proxy in proxies.values { proxy.log.bound() }
        for controller in controllers { controller.log.bound() }
        loop.after(milliseconds: 1_000) { [unowned self] in boundLogs() }
    }

    /// Starts the pods that may start, and looks again soon while some may not.
    ///
    /// An enrolled pod waits until a proxy listens in it, as a CNI plugin would make it wait: it
    /// must not send a byte past the mesh.
    func startPods() {
        var isWaiting = false
        for pod in pods.values where !pod.isStarted {
            let mayStart =
                options.nodeBinary == nil || !plan.enrolled.contains(pod.plan.key)
                || pod.isCaptured
            if mayStart { pod.start() } else { isWaiting = true }
        }
        guard isWaiting, !isChecking else { return }
        isChecking = true
        loop.after(milliseconds: 25) { [unowned self] in
            isChecking = false
            startPods()
        }
    }
}
