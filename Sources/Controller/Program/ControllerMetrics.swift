internal import Discovery
internal import TLS

/// The metrics page, in Prometheus' text format.
struct ControllerMetrics {
    private var lines: [String] = []

    /// Writes down one moment's values.
    init(
        keeper: MeshKeeper.Statistics,
        discovery: DiscoveryMetrics.Values,
        store: ResourceStore.Statistics,
        authority: MeshAuthority.Held?,
        isLeader: Bool
    ) {
        add("ambit_controller_is_leader", "gauge", [("", isLeader ? 1 : 0)])
        add(
            "ambit_controller_object_changes_total",
            "counter",
            keeper.objectChanges.sorted { $0.key < $1.key }.map {
                ("{kind=\"\($0.key)\"}", $0.value)
            }
        )
        add("ambit_controller_mesh_changes_total", "counter", [("", keeper.meshChanges)])
        add("ambit_controller_resources_changed_total", "counter", [("", keeper.resourcesChanged)])
        add("ambit_discovery_connections", "gauge", [("", discovery.connections)])
        add("ambit_discovery_connections_total", "counter", [("", discovery.connectionsTotal)])
        add("ambit_discovery_refused_total", "counter", [("", discovery.refusedTotal)])
        add("ambit_discovery_lagging_total", "counter", [("", discovery.laggingTotal)])
        add("ambit_discovery_pushes_total", "counter", Self.byType(discovery.pushesTotal))
        add(
            "ambit_discovery_pushed_bytes_total",
            "counter",
            Self.byType(discovery.pushedBytesTotal)
        )
        add(
            "ambit_discovery_pushed_resources_total",
            "counter",
            Self.byType(discovery.pushedResourcesTotal)
        )
        add("ambit_discovery_nacks_total", "counter", Self.byType(discovery.nacksTotal))
        add("ambit_discovery_resources", "gauge", Self.byType(store.resources))
        addLatency(discovery.pushLatency)
        add("ambit_certificates_total", "counter", [("", discovery.certificatesTotal)])
        add(
            "ambit_certificates_refused_total",
            "counter",
            [("", discovery.certificatesRefusedTotal)]
        )
        if let authority {
            let expiry = Int(clamping: authority.authority.certificate.notAfter)
            add("ambit_authority_expiry_seconds", "gauge", [("", expiry)])
            add("ambit_authority_roots", "gauge", [("", authority.roots.count)])
        }
    }

    /// The page.
    var text: String { lines.joined(separator: "\n") + "\n" }

    private static func byType(_ values: [String: Int]) -> [(String, Int)] {
        values.sorted { $0.key < $1.key }.map { ("{type=\"\($0.key)\"}", $0.value) }
    }

    private mutating func add(_ name: String, _ kind: String, _ values: [(String, Int)]) {
        lines.append("# TYPE \(name) \(kind)")
        lines += values.map { "\(name)\($0.0) \($0.1)" }
    }

    private mutating func addLatency(_ histogram: LatencyHistogram) {
        let name = "ambit_discovery_push_latency_seconds"
        lines.append("# TYPE \(name) histogram")
        var sum = 0
        for (index, count) in histogram.counts.enumerated() {
            sum += count
            let isLast = index >= LatencyHistogram.bounds.count
            let bound = isLast ? "+Inf" : "\(LatencyHistogram.bounds[index])"
            lines.append("\(name)_bucket{le=\"\(bound)\"} \(sum)")
        }
        lines.append("\(name)_sum \(histogram.sumSeconds)")
        lines.append("\(name)_count \(sum)")
    }
}
