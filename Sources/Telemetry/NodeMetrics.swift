/// The metrics every node has: their names, help and labels in one place.
package struct NodeMetrics: Sendable {
    /// Connections that were refused before they had a series; each has a line in the access log.
    package let refusedConnections = counter(
        "ambit_connections_refused",
        "Connections refused before they had labels to count under.",
        ["reporter", "reason"]
    )
    /// Connections that a dry-run policy would have denied.
    package let dryRunDenials = counter(
        "ambit_policy_dry_run_denials",
        "Connections a dry-run policy would have denied.",
        ["policy"],
        combinationsMax: 1000
    )
    /// Sockets that are relayed now, by reporter.
    package let openSockets = gauge(
        "istio_tcp_sockets_open",
        "Sockets relayed now.",
        ["reporter"]
    )
    /// Pods whose traffic is captured now.
    package let activePods = gauge(
        "workload_manager_active_proxy_count",
        "Pods captured now.",
        []
    )
    /// Pods that wait to be captured.
    package let pendingPods = gauge(
        "workload_manager_pending_proxy_count",
        "Pods that wait to be captured.",
        []
    )
    /// Pods whose capture began.
    package let startedPods = counter(
        "workload_manager_proxies_started",
        "Pods whose capture began.",
        []
    )
    /// Pods whose capture ended.
    package let stoppedPods = counter(
        "workload_manager_proxies_stopped",
        "Pods whose capture ended.",
        []
    )
    /// Tunnels that are open now, by role `client` or `server`.
    package let openTunnels = gauge("ambit_tunnels_open", "Tunnels open now.", ["role"])
    /// Tunnels that were opened, by role.
    package let openedTunnels = counter("ambit_tunnels_opened", "Tunnels opened.", ["role"])
    /// Streams that are open now in tunnels, by role.
    package let openStreams = gauge(
        "ambit_tunnel_streams_open",
        "Streams open in tunnels.",
        ["role"]
    )
    /// TLS handshakes that failed, by role and a reason of a fixed list.
    package let failedHandshakes = counter(
        "ambit_tls_handshakes_failed",
        "TLS handshakes that failed.",
        ["role", "reason"]
    )
    /// Certificates that were obtained.
    package let issuedCertificates = counter(
        "ambit_certificates_issued",
        "Certificates obtained.",
        []
    )
    /// Requests for a certificate that failed, by `CertificateSourceError.Kind`.
    package let failedCertificates = counter(
        "ambit_certificate_requests_failed",
        "Requests for a certificate that failed.",
        ["reason"]
    )
    /// When the certificate of each identity was obtained, in seconds of Unix time.
    package let certificateRotations = gauge(
        "ambit_certificate_rotated_timestamp_seconds",
        "When the certificate was obtained, in Unix time.",
        ["identity"],
        combinationsMax: 1000
    )
    /// Texts of revocation lists that were not taken, by `RevocationError.Kind`.
    package let refusedRevocations = counter(
        "ambit_revocation_lists_refused",
        "Revocation lists that were not taken.",
        ["reason"]
    )
    /// Tunnels that were open when a certificate of theirs was revoked, by role.
    package let revokedTunnels = counter(
        "ambit_tunnels_revoked",
        "Tunnels reset because a certificate was revoked.",
        ["role"]
    )
    /// When the certificate of each identity ends, in seconds of Unix time.
    package let certificateEnds = gauge(
        "ambit_certificate_not_after_timestamp_seconds",
        "When the certificate ends, in Unix time.",
        ["identity"],
        combinationsMax: 1000
    )
    /// States of the mesh that were read, by result `accepted` or `refused`.
    package let meshStates = counter(
        "ambit_mesh_states",
        "States of the mesh read, by what became of them.",
        ["result"]
    )
    /// DNS queries by type, protocol and the asking pod's canonical service and revision.
    package let dnsRequests = counter("istio_dns_requests", "DNS queries.", dnsLabels)
    /// DNS queries that were forwarded.
    package let dnsUpstreamRequests = counter(
        "istio_dns_upstream_requests",
        "DNS queries forwarded.",
        dnsLabels
    )
    /// DNS queries that were forwarded and not answered.
    package let dnsUpstreamFailures = counter(
        "istio_dns_upstream_failures",
        "DNS queries forwarded and not answered.",
        dnsLabels
    )
    /// How long forwarded DNS queries took.
    package let dnsUpstreamDuration = MetricFamily(
        MetricDescription(
            name: "istio_dns_upstream_request_duration_seconds",
            help: "How long forwarded DNS queries took.",
            kind: .histogram,
            labelNames: dnsLabels
        ),
        combinationsMax: 1000
    ) { Histogram(boundsMicroseconds: [500, 1000, 10_000, 100_000, 1_000_000, 5_000_000]) }

    init() {}

    /// All of them in the order they are written.
    var sources: [any MetricSource] {
        [
            refusedConnections, dryRunDenials, openSockets, activePods, pendingPods, startedPods,
            stoppedPods, openTunnels, openedTunnels, openStreams, failedHandshakes,
            issuedCertificates, failedCertificates, certificateEnds, certificateRotations,
            refusedRevocations, revokedTunnels, meshStates, dnsRequests,
            dnsUpstreamRequests, dnsUpstreamFailures, dnsUpstreamDuration,
        ]
    }

    private static let dnsLabels = [
        "request_query_type", "request_protocol", "source_canonical_service",
        "source_canonical_revision",
    ]

    private static func counter(
        _ name: String,
        _ help: String,
        _ labels: [String],
        combinationsMax: Int = 1000
    ) -> MetricFamily<Counter> {
        let description = MetricDescription(
            name: name,
            help: help,
            kind: .counter,
            labelNames: labels
        )
        return MetricFamily(description, combinationsMax: combinationsMax) { Counter() }
    }

    private static func gauge(
        _ name: String,
        _ help: String,
        _ labels: [String],
        combinationsMax: Int = 1000
    ) -> MetricFamily<Gauge> {
        let description = MetricDescription(
            name: name,
            help: help,
            kind: .gauge,
            labelNames: labels
        )
        return MetricFamily(description, combinationsMax: combinationsMax) { Gauge() }
    }
}
