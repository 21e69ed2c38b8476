internal import Capture
internal import DNS
internal import Mesh
internal import Reactor
internal import Telemetry

/// The name service of one enrolled pod on one worker; it ends when this is let go.
final class PodDNS {
    private let server: PodDNSServer

    /// Takes the pod's listeners for queries and begins to answer.
    init(pod: Pod, udp: consuming Descriptor, tcp: consuming Descriptor) throws(SystemError) {
        let settings = pod.worker.settings
        var limits = PodDNSLimits()
        limits.timeoutMilliseconds = settings.dnsTimeoutMilliseconds
        // A quarter of the worker's places, so that no pod takes them from all others.
        limits.pendingMax = max(1, settings.dnsPendingMax / 4)
        server = PodDNSServer(host: PodDNSBinding(pod), limits: limits, udp: udp, tcp: tcp)
        try server.start()
    }

    deinit { server.stopListening() }

    /// Takes what waits, then listens no more; open queries go on.
    func stopListening() { server.stopListening() }

    /// Ends everything.
    func close() { server.close() }
}

/// What a pod's name service needs of its worker; it may outlive the pod, as its last queries do.
private final class PodDNSBinding: PodDNSHost {
    private let worker: Worker
    private let local: LocalPod
    private let namespace: PodNamespace
    private let resolver: Resolver

    init(_ pod: Pod) {
        worker = pod.worker
        local = pod.local
        namespace = pod.namespace
        resolver = Resolver(clusterDomain: pod.worker.settings.clusterDomain)
    }

    private var workload: Workload? {
        worker.snapshot.workload(namespace: local.namespace, name: local.name)?.workload
    }

    var loop: EventLoop { worker.loop }

    var buffer: PodDNSBuffer { worker.nameBuffer }

    var metrics: NodeMetrics { worker.telemetry.metrics.node }

    var sourceLabels: (service: String, revision: String) {
        guard let workload else { return ("", "") }
        return (workload.canonicalName, workload.canonicalRevision)
    }

    /// A pod that the mesh does not know yet asks as what this node knows of it.
    func answer(_ query: [UInt8], over transport: Resolver.Transport) -> Resolver.Answer {
        let workload = self.workload
        let addresses = workload?.addresses ?? local.addresses
        let client = Resolver.Client(
            namespace: local.namespace,
            network: workload?.network ?? worker.settings.network,
            ipv6: addresses.isEmpty || addresses.contains { $0.family == .v6 }
        )
        return resolver.answer(
            query,
            for: client,
            in: worker.snapshot,
            over: transport,
            using: &worker.random
        )
    }

    func admitForward() -> Bool { worker.admitNameQuery() }

    func forwardEnded() { worker.nameQueryEnded() }

    func querySocket(to nameserver: SocketAddress) throws(SystemError) -> Descriptor {
        try PodSocket.nameQuery(in: namespace.namespace, to: nameserver)
    }

    func replySocket(as nameserver: SocketAddress) throws(SystemError) -> Descriptor {
        try PodSocket.nameReply(in: namespace.namespace, as: nameserver)
    }

    func streamSocket(to family: IPAddress.Family) throws(SystemError) -> Descriptor {
        try PodSocket.connecting(
            in: namespace.namespace,
            returningTo: worker.home,
            family: family,
            mark: .proxy
        )
    }
}
