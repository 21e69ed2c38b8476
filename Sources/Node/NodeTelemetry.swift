internal import Mesh
internal import Telemetry
internal import Tunnel

/// The metrics and the log of the node, with the names its flows use; any thread may call it.
final class NodeTelemetry: Sendable {
    let metrics: Metrics
    let log: Log
    private let outboundSockets: Gauge
    private let inboundSockets: Gauge
    private let clientTunnels: Gauge
    private let serverTunnels: Gauge

    init(metrics: Metrics, log: Log) {
        self.metrics = metrics
        self.log = log
        outboundSockets = metrics.node.openSockets("source")
        inboundSockets = metrics.node.openSockets("destination")
        clientTunnels = metrics.node.openTunnels("client")
        serverTunnels = metrics.node.openTunnels("server")
    }

    func socketOpened(_ direction: Direction) {
        (direction == .outbound ? outboundSockets : inboundSockets).add(1)
    }

    func socketClosed(_ direction: Direction) {
        (direction == .outbound ? outboundSockets : inboundSockets).add(-1)
    }

    func tunnelOpened(isClient: Bool) {
        (isClient ? clientTunnels : serverTunnels).add(1)
        metrics.node.openedTunnels(isClient ? "client" : "server").increment()
    }

    func tunnelClosed(isClient: Bool) {
        (isClient ? clientTunnels : serverTunnels).add(-1)
    }

    func handshakeFailed(isClient: Bool, reason: String) {
        metrics.node.failedHandshakes(isClient ? "client" : "server", reason).increment()
    }

    /// A tunnel that was up ended because of a revocation list.
    func revoked(isClient: Bool, peer: String, _ reason: String) {
        metrics.node.revokedTunnels(isClient ? "client" : "server").increment()
        log.warn(.identity, "tunnel reset", ["peer": "\(peer)", "error": "\(reason)"])
    }

    /// A connection ended before it had labels.
    func refused(_ direction: Direction, reason: String) {
        let reporter = direction == .outbound ? "source" : "destination"
        metrics.node.refusedConnections(reporter, reason).increment()
    }

    func dryRun(_ note: String) {
        metrics.node.dryRunDenials(note).increment()
        log.info(.policy, "dry run", ["result": "\(note)"])
    }

    func handshakeShed(pod: LocalPod) {
        refused(.inbound, reason: "handshakes-per-pod")
        log.warn(.proxy, "handshake refused: too many at once", ["pod": "\(pod.name)"])
    }

    func connectionShed(pod: LocalPod, reason: String) {
        refused(.outbound, reason: reason)
        log.warn(.proxy, "connection refused: the pod has too many", ["pod": "\(pod.name)"])
    }

    func outOfDescriptors(pod: LocalPod, code: Int32) {
        refused(.outbound, reason: "out-of-descriptors")
        log.error(
            .proxy,
            "connection refused: out of descriptors or memory",
            ["pod": "\(pod.name)", "error": "\(errnoText(code))"]
        )
    }

    func retried(_ reason: String) {
        log.info(.proxy, "trying another endpoint", ["after": "\(reason)"])
    }
}

extension TunnelFailure {
    /// The flag of connections that failed for this.
    var flag: ResponseFlag {
        switch stage {
        case .connect: reason.contains("NetworkPolicy") ? .networkPolicy : .connect
        case .tls: .tlsFailure
        case .revoked: .certRevoked
        case .http2: .h2HandshakeFailure
        case .closed: .connect
        }
    }
}

extension RelayEnd {
    /// Whether the stream was lost with its tunnel, or never taken by the peer.
    var isTunnelGone: Bool {
        switch self {
        case .tunnelLost, .revoked: true
        case .resetByPeer(let code): code == 7
        case .finished, .resetBySocket, .closed: false
        }
    }

    /// The flag of connections that ended so.
    var flag: ResponseFlag {
        switch self {
        case .finished, .resetBySocket, .resetByPeer, .closed: .none
        case .tunnelLost: .connect
        case .revoked: .certRevoked
        }
    }
}
