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
        revocations: RevocationKeeper,
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
            discovery.certificatesRefused.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                ("{reason=\"\($0.key.rawValue)\"}", $0.value)
            }
        )
        if let authority { add(authority) }
        add(revocations)
    }

    private mutating func add(_ held: MeshAuthority.Held) {
        let expiry = Int(clamping: held.authority.certificate.notAfter)
        add("ambit_authority_expiry_seconds", "gauge", [("", expiry)])
        add("ambit_authority_roots", "gauge", [("", held.roots.count)])
        add(
            "ambit_authority_rotated_timestamp_seconds",
            "gauge",
            [("", Int(clamping: held.loadedAt))]
        )
        let roots = (try? TrustBundle(pem: held.roots))?.roots ?? []
        add(
            "ambit_authority_root_not_after_timestamp_seconds",
            "gauge",
            roots.map { ("{serial=\"\($0.serial)\"}", Int(clamping: $0.notAfter)) }
        )
    }

    private mutating func add(_ revocations: RevocationKeeper) {
        let lists = revocations.current?.lists ?? []
        let byIssuer: [(String, (RevocationList) -> Int64)] = [
            ("ambit_revocation_list_number", { $0.numberValue }),
            ("ambit_revocation_list_next_update_timestamp_seconds", { $0.nextUpdate }),
            ("ambit_revoked_certificates", { Int64($0.entries.count) }),
        ]
        for (name, value) in byIssuer {
            add(
                name,
                "gauge",
                lists.map { ("{issuer=\"\(Self.escaped($0.issuer))\"}", Int(clamping: value($0))) }
            )
        }
        let refusals = revocations.refusals.sorted { $0.key.rawValue < $1.key.rawValue }
        add(
            "ambit_revocation_lists_refused_total",
            "counter",
            refusals.map { ("{reason=\"\($0.key.rawValue)\"}", $0.value) }
        )
        add("ambit_revocation_lists_good", "gauge", [("", revocations.problem == nil ? 1 : 0)])
    }

    /// A label value as the text format has it.
    private static func escaped(_ value: String) -> String {
        value.map { character in
            switch character {
            case "\\": "\\\\"
            case "\"": "\\\""
            case "\n": "\\n"
            default: String(character)
            }
        }.joined()
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
