package import DNS
package import Mesh
package import Reactor
package import Telemetry

/// What the name service of a pod needs around it; all on the thread of the worker.
package protocol PodDNSHost: AnyObject {
    var loop: EventLoop { get }
    /// What sockets are read into, one after the other; shared by the pods of a worker.
    var buffer: PodDNSBuffer { get }
    var metrics: NodeMetrics { get }
    /// Canonical service and revision of the pod, as labels of metrics.
    var sourceLabels: (service: String, revision: String) { get }
    /// Decides about a query in today's mesh.
    func answer(_ query: [UInt8], over transport: Resolver.Transport) -> Resolver.Answer
    /// Whether one more datagram may be forwarded, among those of all pods; counts it if so.
    func admitForward() -> Bool
    /// A datagram that was admitted is answered or given up.
    func forwardEnded()
    /// A marked UDP socket in the pod that is connected to a nameserver.
    func querySocket(to nameserver: SocketAddress) throws(SystemError) -> Descriptor
    /// A UDP socket in the pod that sends as a nameserver.
    func replySocket(as nameserver: SocketAddress) throws(SystemError) -> Descriptor
    /// A marked TCP socket in the pod, not connected yet.
    func streamSocket(to family: IPAddress.Family) throws(SystemError) -> Descriptor
}

/// Room for the longest DNS message.
package final class PodDNSBuffer {
    var bytes = [UInt8](repeating: 0, count: DNSMessage.streamBytesMax + 1)

    package init() {}
}

/// The bounds of one pod's name service on one worker.
package struct PodDNSLimits: Sendable {
    /// Forwarded datagrams that may wait for an answer; each holds a socket.
    package var pendingMax = 256
    /// TCP connections that may be open; a further one ends the one that is idle longest.
    package var streamsMax = 64
    /// Forwarded queries of one TCP connection that may wait for an answer.
    package var streamPendingMax = 64
    /// Until a forwarded query counts as unanswered; also for a connect to a nameserver.
    package var timeoutMilliseconds: UInt64 = 5000
    /// Without progress until a TCP connection ends.
    package var idleMilliseconds: UInt64 = 10_000

    package init() {}
}

/// One forwarded query while its answer is awaited, for the metrics.
struct ForwardedQuery {
    let type: UInt16
    let startedAt: UInt64
}

/// Counts the queries of a pod under the names of PROTOCOL.md §5.1.
struct PodDNSCounting {
    private unowned let host: any PodDNSHost
    private let transport: String

    init(host: any PodDNSHost, transport: Resolver.Transport) {
        self.host = host
        self.transport = transport == .datagram ? "udp" : "tcp"
    }

    /// A query arrived.
    func asked(_ type: UInt16) {
        let source = host.sourceLabels
        host.metrics.dnsRequests(Self.name(type), transport, source.service, source.revision)
            .increment()
    }

    /// A query goes to a nameserver.
    func forwarded(_ type: UInt16) -> ForwardedQuery {
        let source = host.sourceLabels
        host.metrics.dnsUpstreamRequests(
            Self.name(type),
            transport,
            source.service,
            source.revision
        ).increment()
        return ForwardedQuery(type: type, startedAt: host.loop.now)
    }

    /// The nameserver answered.
    func answered(_ query: ForwardedQuery) {
        let source = host.sourceLabels
        host.metrics.dnsUpstreamDuration(
            Self.name(query.type),
            transport,
            source.service,
            source.revision
        ).record(nanoseconds: host.loop.now &- query.startedAt)
    }

    /// The nameserver did not answer, or could not be asked.
    func failed(_ type: UInt16) {
        let source = host.sourceLabels
        host.metrics.dnsUpstreamFailures(
            Self.name(type),
            transport,
            source.service,
            source.revision
        ).increment()
    }

    /// A type's name; those that are rare share one, as the pod chooses the number.
    private static func name(_ type: UInt16) -> String {
        switch type {
        case 1: "A"
        case 2: "NS"
        case 5: "CNAME"
        case 6: "SOA"
        case 12: "PTR"
        case 15: "MX"
        case 16: "TXT"
        case 28: "AAAA"
        case 33: "SRV"
        case 35: "NAPTR"
        case 64: "SVCB"
        case 65: "HTTPS"
        case 255: "ANY"
        default: "other"
        }
    }

    /// The type a query asks for; 0 when it is none.
    static func type(of query: [UInt8]) -> UInt16 {
        (try? DNSMessage(query))?.questions.first?.type ?? 0
    }
}
