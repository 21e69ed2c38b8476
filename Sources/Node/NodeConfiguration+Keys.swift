internal import Mesh
internal import Telemetry

/// One key of the configuration: its name, form and place in the struct.
struct ConfigurationKey: Sendable {
    /// As in the file and, after two dashes, as a flag.
    let name: String
    /// What stands for the value in the help.
    let formName: String
    let help: String
    /// Whether an empty value is refused.
    let isRequired: Bool
    /// Reads a value into the struct; gives the reason when it cannot.
    let read: @Sendable (String, inout NodeConfiguration) -> String?
    /// Writes the value so that it can be read back.
    let show: @Sendable (NodeConfiguration) -> String

    init<Value>(
        _ name: String,
        _ path: any WritableKeyPath<NodeConfiguration, Value> & Sendable,
        _ form: ConfigurationForm<Value>,
        isRequired: Bool = false,
        _ help: String
    ) {
        self.name = name
        self.formName = form.name
        self.help = help
        self.isRequired = isRequired
        self.read = { text, configuration in
            switch form.read(text) {
            case .value(let value):
                configuration[keyPath: path] = value
                return nil
            case .refused(let reason): return reason
            }
        }
        self.show = { form.show($0[keyPath: path]) }
    }

    /// The name of the environment variable: `AMBIT_` and the key in capitals.
    var variable: String {
        "AMBIT_" + name.uppercased().split(separator: "-").joined(separator: "_")
    }

    /// The flag, dashes included.
    var flag: String { "--" + name }
}

extension NodeConfiguration {
    /// All keys, in the order they are printed.
    static let keys: [ConfigurationKey] =
        meshKeys + controlPlaneKeys + dataPathKeys + boundKeys + agentKeys + observationKeys

    private static let meshKeys = [
        ConfigurationKey(
            "node-name",
            \.nodeName,
            .text,
            isRequired: true,
            "The name of the Kubernetes node this runs on."
        ),
        ConfigurationKey(
            "mesh-state",
            \.meshStatePath,
            .path,
            "The JSON file of workloads, services and policies; it is watched."
        ),
        ConfigurationKey(
            "pods",
            \.podsPath,
            .path,
            "The JSON file of this node's enrolled pods; it is watched."
        ),
        ConfigurationKey(
            "signer-socket",
            \.signerSocketPath,
            .path,
            "The Unix socket of the signer of certificates."
        ),
        ConfigurationKey(
            "trust-domain",
            \.trustDomain,
            .trustDomain,
            "The trust domain of this mesh."
        ),
        ConfigurationKey("cluster-id", \.clusterID, .text, "The name of the cluster."),
        ConfigurationKey("network", \.network, .text, "The network this node is on."),
        ConfigurationKey(
            "cluster-domain",
            \.clusterDomain,
            .text,
            "The DNS suffix of the cluster's services."
        ),
        ConfigurationKey(
            "certificate-lifetime",
            \.certificateLifetimeMilliseconds,
            .duration(1000...ConfigurationForm<UInt64>.yearMilliseconds),
            "The lifetime asked for a certificate; it is renewed at half of it."
        ),
        ConfigurationKey(
            "crl-path",
            \.revocationsPath,
            .path,
            "A PEM file of revocation lists, in place of the control plane's; it is watched."
        ),
        ConfigurationKey(
            "crl-outdated",
            \.outdatedLists,
            .choice(),
            "Whether certificates are refused while their issuer's revocation list is out of date."
        ),
    ]

    private static let dataPathKeys = [
        ConfigurationKey(
            "worker-threads",
            \.workerThreads,
            .count(0...256),
            "Threads of the data path; 0 is one for two processors, at most eight."
        ),
        ConfigurationKey(
            "same-node",
            \.sameNode,
            .choice(),
            "How two pods of this node talk: in this process or through a tunnel."
        ),
        ConfigurationKey(
            "preserve-client-address",
            \.preservesClientAddress,
            .boolean,
            "Whether an application sees the address of its client."
        ),
        ConfigurationKey(
            "dns",
            \.answersDNS,
            .boolean,
            "Whether port 53 of the pods is captured and answered."
        ),
        ConfigurationKey(
            "dns-timeout",
            \.dnsTimeoutMilliseconds,
            .duration(100...60_000),
            "How long a forwarded DNS query may take."
        ),
        ConfigurationKey(
            "dns-pending-max",
            \.dnsPendingMax,
            .count(1...65_536),
            "Forwarded DNS queries that may wait, in each thread."
        ),
    ]

    private static let boundKeys = [
        ConfigurationKey(
            "connect-timeout",
            \.connectTimeoutMilliseconds,
            .duration(10...600_000),
            "How long a TCP connect may take."
        ),
        ConfigurationKey(
            "handshake-timeout",
            \.handshakeTimeoutMilliseconds,
            .duration(10...600_000),
            "How long a TLS handshake may take."
        ),
        ConfigurationKey(
            "dial-attempts",
            \.dialAttemptsMax,
            .count(1...16),
            "Endpoints that are tried before a connection is refused."
        ),
        ConfigurationKey(
            "handshakes-per-pod",
            \.handshakesPerPodMax,
            .count(1...65_536),
            "TLS handshakes that may be under way for one pod, in each thread."
        ),
        ConfigurationKey(
            "connections-per-pod",
            \.connectionsPerPodMax,
            .count(1...1_048_576),
            "Connections of one pod, in each thread."
        ),
        ConfigurationKey(
            "streams-per-connection",
            \.streamsPerConnectionMax,
            .count(1...1000),
            "Streams on one pooled tunnel."
        ),
        ConfigurationKey(
            "idle-tunnel-timeout",
            \.idleTunnelTimeoutMilliseconds,
            .duration(100...86_400_000),
            "An unused tunnel closes after this."
        ),
        ConfigurationKey(
            "ping-interval",
            \.pingIntervalMilliseconds,
            .duration(100...3_600_000),
            "A tunnel is asked for a sign of life after this much silence."
        ),
        ConfigurationKey(
            "ping-timeout",
            \.pingTimeoutMilliseconds,
            .duration(100...3_600_000),
            "A tunnel without a sign of life ends after this."
        ),
        ConfigurationKey(
            "drain-deadline",
            \.drainDeadlineMilliseconds,
            .duration(0...ConfigurationForm<UInt64>.weekMilliseconds),
            "How long live connections may go on after SIGTERM."
        ),
    ]

    private static let observationKeys = [
        ConfigurationKey(
            "admin-address",
            \.adminAddress,
            .loopbackAddress,
            "Where the admin interface listens; loopback only."
        ),
        ConfigurationKey(
            "metrics-address",
            \.metricsAddress,
            .address,
            "Where metrics are served."
        ),
        ConfigurationKey(
            "readiness-address",
            \.readinessAddress,
            .address,
            "Where readiness is served."
        ),
        ConfigurationKey(
            "readiness-socket",
            \.readinessSocketPath,
            .path,
            "A Unix socket of this process alone, which ambit-node --ready asks."
        ),
        ConfigurationKey(
            "log-level",
            \.logLevels,
            .levels,
            "A level, and others for scopes: info,dns=debug."
        ),
        ConfigurationKey("log-format", \.logFormat, .choice(), "How log lines are written."),
        ConfigurationKey(
            "log-queue-bytes",
            \.logQueueBytesMax,
            .count(16_384...1_073_741_824),
            "Bytes of log lines that may wait; lines beyond are dropped and counted."
        ),
        ConfigurationKey(
            "access-log",
            \.writesAccessLog,
            .boolean,
            "Whether each connection has a line in the log."
        ),
        ConfigurationKey(
            "metric-series",
            \.metricSeriesMax,
            .count(16...1_000_000),
            "Combinations of labels that TCP metrics may have."
        ),
        ConfigurationKey(
            "metric-grace",
            \.metricGraceMilliseconds,
            .duration(0...86_400_000),
            "How long metrics of workloads that left are still shown."
        ),
    ]
}
