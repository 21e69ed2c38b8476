internal import Discovery
internal import Identity
internal import Mesh
internal import Node
internal import Telemetry

/// The node's clients of its control plane: what the mesh is, and who signs its certificates.
struct ControlPlane: Sendable {
    let certificates: CertificateClient
    private let settings: DiscoveryClient.Settings
    private let metrics = DiscoveryClientMetrics()
    private let loop = ControlLoop()

    /// Reads the configuration; nil when it names no control plane.
    init?(_ configuration: NodeConfiguration) throws(ConfigurationFailure) {
        let plane = configuration.controlPlane
        guard !plane.address.isEmpty else { return nil }
        guard configuration.meshStatePath.isEmpty, configuration.signerSocketPath.isEmpty else {
            throw ConfigurationFailure(
                key: "controller-address",
                reason: "is given beside mesh-state or signer-socket, which it replaces"
            )
        }
        let discovery = try Self.endpoint("controller-address", plane.address, plane, plane.roots)
        let authority = try Self.endpoint(
            "ca-address",
            plane.authorityAddress.isEmpty ? plane.address : plane.authorityAddress,
            plane,
            plane.authorityRoots.isEmpty ? plane.roots : plane.authorityRoots
        )
        guard !plane.podName.isEmpty else {
            throw ConfigurationFailure(key: "pod-name", reason: "is needed with a controller")
        }
        let token = Self.source(plane.token, isText: { !$0.utf8.contains(UInt8(ascii: "/")) })
        var settings = DiscoveryClient.Settings(
            endpoint: discovery,
            token: token,
            nodeName: configuration.nodeName,
            podName: plane.podName,
            podNamespace: configuration.agent.namespace
        )
        settings.clusterID = configuration.clusterID
        settings.instanceIP = plane.instanceIP
        settings.network = configuration.network
        self.settings = settings
        self.certificates = CertificateClient(
            endpoint: authority,
            token: token,
            clusterID: configuration.clusterID,
            loop: loop
        )
    }

    private static func endpoint(
        _ key: String,
        _ address: String,
        _ plane: ControlPlaneConfiguration,
        _ roots: String
    ) throws(ConfigurationFailure) -> ControlEndpoint {
        let endpoint = ControlEndpoint(
            address,
            name: plane.name.isEmpty ? nil : plane.name,
            roots: roots == "SYSTEM"
                ? .system : source(roots, isText: { $0.hasPrefix("-----BEGIN") })
        )
        guard let endpoint else {
            let reason = "is neither host:port nor several of them with commas"
            throw ConfigurationFailure(key: key, reason: reason)
        }
        return endpoint
    }

    /// A path, or what would stand at it.
    private static func source(_ value: String, isText: (String) -> Bool) -> SecretSource {
        isText(value) ? .text(value) : .file(value)
    }

    /// Begins to follow the mesh; goes on until the process ends.
    func start(_ feed: NodeFeed, _ log: Log, _ metrics: Metrics) {
        observe(metrics)
        let address = settings.endpoint.places.map(\.description).joined(separator: ",")
        log.info(.mesh, "following the controller", ["address": "\(address)"])
        let hasMesh = FirstChange()
        let client = DiscoveryClient(
            settings: settings,
            loop: loop,
            metrics: self.metrics
        ) { event in
            Self.take(event, address, hasMesh, feed, log)
        }
        Task.detached { await client.run() }
    }

    private static func take(
        _ event: DiscoveryClient.Event,
        _ address: String,
        _ hasMesh: FirstChange,
        _ feed: NodeFeed,
        _ log: Log
    ) {
        switch event {
        case .change(let change):
            guard hasMesh.isFirst() else { return feed.send(.change(change)) }
            feed.send(
                .mesh(
                    MeshState(
                        workloads: change.workloads,
                        services: change.services,
                        policies: change.policies
                    )
                )
            )
        case .revocations(let text): feed.send(.revocations(text))
        case .synced: log.info(.mesh, "in sync with the controller", ["address": "\(address)"])
        case .connected(let place):
            log.info(.mesh, "connected to the controller", ["address": "\(place)"])
            feed.send(.controlPlaneFound)
        case .disconnected(let reason, let wait):
            log.warn(
                .mesh,
                "no controller",
                [
                    "address": "\(address)", "error": "\(reason)",
                    "retry_ms": LogValue(Int64(wait / .milliseconds(1))),
                ]
            )
        case .rejected(let rejections):
            for rejection in rejections.prefix(20) {
                log.error(
                    .mesh,
                    "resource refused",
                    ["resource": "\(rejection.resource)", "error": "\(rejection)"]
                )
            }
        }
    }

    private func observe(_ all: Metrics) {
        let values = metrics
        all.observe(
            "istio_xds_connection_terminations",
            help: "Connections to the control plane that ended.",
            kind: .counter,
            labels: ["reason"]
        ) {
            values.current.terminations.map {
                Observation(Int64($0.value), labels: [$0.key.rawValue])
            }
        }
        let byType: [(String, String, @Sendable () -> [String: Int])] = [
            (
                "istio_xds_message", "Responses of the control plane.",
                { values.current.messages }
            ),
            (
                "istio_xds_message_bytes", "Bytes of responses of the control plane.",
                { values.current.messageBytes }
            ),
            (
                "ambit_xds_resources_rejected", "Resources that were refused.",
                { values.current.rejections }
            ),
        ]
        for (name, help, read) in byType {
            all.observe(name, help: help, kind: .counter, labels: ["url"]) {
                read().map { Observation(Int64($0.value), labels: [$0.key]) }
            }
        }
        all.observe(
            "ambit_xds_connected",
            help: "Whether a discovery stream is open.",
            kind: .gauge
        ) {
            [Observation(values.current.isConnected ? 1 : 0)]
        }
    }
}
