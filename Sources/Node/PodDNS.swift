internal import Capture
internal import DNS
internal import Mesh
internal import Reactor
internal import Telemetry

/// The name service of one pod on one worker, with what it needs of both.
final class PodDNS: PodDNSHost {
    private unowned let pod: Pod
    private let worker: Worker
    private let resolver: Resolver
    private var server: PodDNSServer?

    init(pod: Pod, udp: consuming Descriptor, tcp: consuming Descriptor) throws(SystemError) {
        self.pod = pod
        self.worker = pod.worker
        self.resolver = Resolver(clusterDomain: pod.worker.settings.clusterDomain)
        var limits = PodDNSLimits()
        limits.timeoutMilliseconds = pod.worker.settings.dnsTimeoutMilliseconds
        let server = PodDNSServer(host: self, limits: limits, udp: udp, tcp: tcp)
        self.server = server
        try server.start()
    }

    /// Takes what waits, then listens no more; open queries go on.
    func stopListening() { server?.stopListening() }

    /// Ends everything.
    func close() { server?.close() }

    // MARK: what the server asks

    var loop: EventLoop { worker.loop }

    var metrics: NodeMetrics { worker.telemetry.metrics.node }

    var sourceLabels: (service: String, revision: String) {
        guard let workload = worker.workload(of: pod)?.workload else { return ("", "") }
        return (workload.canonicalName, workload.canonicalRevision)
    }

    func answer(_ query: [UInt8], over transport: Resolver.Transport) -> Resolver.Answer {
        let client = Resolver.Client(
            namespace: pod.local.namespace,
            network: worker.settings.network
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
        try PodSocket.nameQuery(in: pod.namespace.namespace, to: nameserver)
    }

    func replySocket(as nameserver: SocketAddress) throws(SystemError) -> Descriptor {
        try PodSocket.nameReply(in: pod.namespace.namespace, as: nameserver)
    }

    func streamSocket(to family: IPAddress.Family) throws(SystemError) -> Descriptor {
        try pod.makeSocket(to: family)
    }
}
