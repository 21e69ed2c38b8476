internal import Glibc
internal import Mesh
internal import Tunnel

/// What the data path takes of the configuration, worked out once.
struct DataPathSettings: Sendable {
    let nodeName: String
    let trustDomain: String
    let clusterID: String
    let network: String
    let encryptsSameNode: Bool
    let preservesClientAddress: Bool
    let answersDNS: Bool
    let clusterDomain: String
    let dnsTimeoutMilliseconds: UInt64
    let dnsPendingMax: Int
    let attemptsMax: Int
    let handshakesPerPodMax: Int
    let connectionsPerPodMax: Int
    let tunnel: TunnelLimits
    /// Where the probes come from that a foreign agent lets in; empty without one.
    let foreignProbeSources: Set<IPAddress>
    /// How long a connection waits for the mesh to know its own pod (PROTOCOL.md §1.16).
    let workloadWaitMilliseconds: UInt64 = 5000

    init(_ configuration: NodeConfiguration, workers: Int) {
        nodeName = configuration.nodeName
        trustDomain = configuration.trustDomain
        clusterID = configuration.clusterID
        network = configuration.network
        encryptsSameNode = configuration.sameNode == .encrypt
        preservesClientAddress = configuration.preservesClientAddress
        answersDNS = configuration.answersDNS
        clusterDomain = configuration.clusterDomain
        dnsTimeoutMilliseconds = configuration.dnsTimeoutMilliseconds
        dnsPendingMax = max(1, configuration.dnsPendingMax / workers)
        attemptsMax = configuration.dialAttemptsMax
        // Each worker takes its share of the pod's bounds.
        handshakesPerPodMax = max(1, configuration.handshakesPerPodMax / workers)
        connectionsPerPodMax = max(1, configuration.connectionsPerPodMax / workers)
        var limits = TunnelLimits()
        limits.connectMilliseconds = configuration.connectTimeoutMilliseconds
        limits.handshakeMilliseconds = configuration.handshakeTimeoutMilliseconds
        limits.streamsMax = configuration.streamsPerConnectionMax
        limits.idleMilliseconds = configuration.idleTunnelTimeoutMilliseconds
        limits.pingIntervalMilliseconds = configuration.pingIntervalMilliseconds
        limits.pingTimeoutMilliseconds = configuration.pingTimeoutMilliseconds
        tunnel = limits
        let hasForeignAgent = !configuration.agent.foreignAgentSocketPath.isEmpty
        // The addresses of PROTOCOL.md §1.5: 169.254.7.127 and fd16:9254:7127:1337:ffff:….
        foreignProbeSources =
            hasForeignAgent
            ? [
                IPAddress(v4: 0xA9FE_077F),
                IPAddress(v6High: 0xFD16_9254_7127_1337, low: 0xFFFF_FFFF_FFFF_FFFF),
            ] : []
    }
}

/// The ports of the proxy in a pod (DESIGN.md §5).
enum Ports {
    static let outbound: UInt16 = 15_001
    static let inbound: UInt16 = 15_006
    static let hbone: UInt16 = 15_008
    static let dns: UInt16 = 15_053

    /// Whether a connection to the port would reach the proxy itself.
    static func isOurs(_ port: UInt16) -> Bool {
        port == outbound || port == inbound || port == hbone || port == dns
    }
}

/// The system's words for an errno.
func errnoText(_ code: Int32) -> String {
    switch code {
    case ECONNREFUSED: "connection refused"
    case ECONNRESET: "connection reset"
    case EPIPE: "broken pipe"
    case ETIMEDOUT: "timed out"
    case EHOSTUNREACH: "no route to host"
    case ENETUNREACH: "network is unreachable"
    case EADDRNOTAVAIL: "no source port left"
    case EMFILE, ENFILE: "out of descriptors"
    case ENOMEM, ENOBUFS: "out of memory"
    default: "errno \(code)"
    }
}
