internal import Bench
internal import Foundation

/// The configurations of a pair of Envoys.
///
/// They follow Istio's listeners and clusters, and Envoy's page on benchmarking: no access log, no
/// request ids, no dynamic stats, no circuit breaking, reuse_port, one worker for each core.
struct EnvoyConfiguration {
    private(set) var client: [String: Any] = [:]
    private(set) var server: [String: Any] = [:]
    private let certificates: Certificates

    init(_ name: ContenderName, _ certificates: Certificates, server address: String) throws {
        self.certificates = certificates
        switch name {
        case .envoyL4: makeL4()
        case .envoyL7: makeL7(server: address)
        case .envoyHBONE: makeHBONE(server: address)
        case .none, .splice, .copy, .ambit, .ambitB:
            throw BenchFailure("\(name.title) is no Envoy")
        }
    }

    private init(_ certificates: Certificates) { self.certificates = certificates }

    /// An L4 sidecar with both listeners, as every pod of a mesh has one.
    static func sidecar(_ certificates: Certificates) -> [String: Any] {
        let parts = EnvoyConfiguration(certificates)
        return bootstrap(
            [
                listener(15001, tcpProxy(["cluster": "outbound"])),
                listener(
                    15006,
                    tcpProxy(["cluster": "inbound"]),
                    tls: parts.downstream("istio")
                ),
            ],
            [originalDestination("outbound", parts.upstream("istio")), inbound]
        )
    }

    private mutating func makeL4() {
        let out = Self.tcpProxy(["cluster": "outbound"])
        client = Self.bootstrap(
            [Self.listener(15001, out)],
            [Self.originalDestination("outbound", upstream("istio"))]
        )
        let into = Self.tcpProxy(["cluster": "inbound"])
        server = Self.bootstrap(
            [Self.listener(15006, into, tls: downstream("istio"))],
            [Self.inbound]
        )
    }

    private mutating func makeL7(server address: String) {
        var cluster = Self.fixed("outbound", address, ServerPort.http)
        cluster["transport_socket"] = upstream("h2")
        cluster["typed_extension_protocol_options"] = Self.http2
        client = Self.bootstrap(
            [Self.listener(15001, Self.httpManager(Self.everything(to: "outbound")))],
            [cluster]
        )
        let into = Self.httpManager(Self.everything(to: "inbound"))
        server = Self.bootstrap(
            [Self.listener(15006, into, tls: downstream("h2"))],
            [Self.inbound]
        )
    }

    private mutating func makeHBONE(server address: String) {
        let out = Self.tcpProxy([
            "cluster": "outbound",
            "tunneling_config": ["hostname": "%DOWNSTREAM_LOCAL_ADDRESS%"],
        ])
        var cluster = Self.originalDestination("outbound", upstream("h2"))
        cluster["original_dst_lb_config"] = ["upstream_port_override": 15008]
        cluster["typed_extension_protocol_options"] = Self.http2
        client = Self.bootstrap([Self.listener(15001, out)], [cluster])
        let hosts: [[String: Any]] = ServerPort.all.map { port in
            let upgrade: [String: Any] = [
                "upgrade_type": "CONNECT", "connect_config": [String: Any](),
            ]
            let route: [String: Any] = [
                "cluster": "port-\(port)", "timeout": "0s", "upgrade_configs": [upgrade],
            ]
            return [
                "name": "port-\(port)", "domains": ["\(address):\(port)"],
                "routes": [["match": ["connect_matcher": [String: Any]()], "route": route]],
            ]
        }
        var manager = Self.httpFields(["virtual_hosts": hosts])
        manager["codec_type"] = "HTTP2"
        manager["http2_protocol_options"] = ["allow_connect": true]
        manager["upgrade_configs"] = [["upgrade_type": "CONNECT"]]
        var listener = Self.listener(
            15008,
            Self.httpManager(fields: manager),
            tls: downstream("h2")
        )
        listener["listener_filters"] = nil
        server = Self.bootstrap(
            [listener],
            ServerPort.all.map { Self.fixed("port-\($0)", "127.0.0.1", $0) }
        )
    }
}

// MARK: - Parts

extension EnvoyConfiguration {
    private static func bootstrap(
        _ listeners: [[String: Any]],
        _ clusters: [[String: Any]]
    ) -> [String: Any] {
        ["static_resources": ["listeners": listeners, "clusters": clusters]]
    }

    private static func typed(_ type: String, _ fields: [String: Any]) -> [String: Any] {
        fields.merging(["@type": "type.googleapis.com/envoy.extensions.\(type)"]) { $1 }
    }

    private static func named(
        _ name: String,
        _ type: String,
        _ fields: [String: Any] = [:]
    ) -> [String: Any] {
        ["name": name, "typed_config": typed(type, fields)]
    }

    private static func listener(
        _ port: Int,
        _ filter: [String: Any],
        tls: [String: Any]? = nil
    ) -> [String: Any] {
        var chain: [String: Any] = ["filters": [filter]]
        chain["transport_socket"] = tls
        return [
            "name": "port-\(port)", "enable_reuse_port": true,
            "address": ["socket_address": ["address": "0.0.0.0", "port_value": port]],
            "listener_filters": [
                named("original_dst", "filters.listener.original_dst.v3.OriginalDst")
            ],
            "filter_chains": [chain],
        ]
    }

    private static func tcpProxy(_ fields: [String: Any]) -> [String: Any] {
        let all = fields.merging(["stat_prefix": "tcp"]) { $1 }
        return named("tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy", all)
    }

    private static func everything(to cluster: String) -> [String: Any] {
        let route: [String: Any] = [
            "match": ["prefix": "/"], "route": ["cluster": cluster, "timeout": "0s"],
        ]
        return ["virtual_hosts": [["name": "all", "domains": ["*"], "routes": [route]]]]
    }

    private static func httpFields(_ routes: [String: Any]) -> [String: Any] {
        let router = named(
            "router",
            "filters.http.router.v3.Router",
            ["dynamic_stats": false, "suppress_envoy_headers": true]
        )
        return [
            "stat_prefix": "http", "generate_request_id": false, "http_filters": [router],
            "route_config": routes,
        ]
    }

    private static func httpManager(_ routes: [String: Any]) -> [String: Any] {
        httpManager(fields: httpFields(routes))
    }

    private static func httpManager(fields: [String: Any]) -> [String: Any] {
        named(
            "http",
            "filters.network.http_connection_manager.v3.HttpConnectionManager",
            fields
        )
    }

    private static var http2: [String: Any] {
        [
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "upstreams.http.v3.HttpProtocolOptions",
                ["explicit_http_config": ["http2_protocol_options": [String: Any]()]]
            )
        ]
    }

    // As Istio sets them: no limit.
    private static var limits: [String: Any] {
        let most = UInt32.max
        let threshold: [String: Any] = [
            "max_connections": most, "max_pending_requests": most, "max_requests": most,
            "max_retries": most,
        ]
        return ["thresholds": [threshold]]
    }

    private static func originalDestination(
        _ name: String,
        _ tls: [String: Any]?
    ) -> [String: Any] {
        var cluster: [String: Any] = [
            "name": name, "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED",
            "connect_timeout": "10s", "circuit_breakers": limits,
        ]
        cluster["transport_socket"] = tls
        return cluster
    }

    // To the port the connection came for, from the address by which the rules let it pass.
    private static var inbound: [String: Any] {
        var cluster = originalDestination("inbound", nil)
        cluster["upstream_bind_config"] = [
            "source_address": ["address": "127.0.0.6", "port_value": 0]
        ]
        return cluster
    }

    private static func fixed(_ name: String, _ host: String, _ port: UInt16) -> [String: Any] {
        let address: [String: Any] = ["address": host, "port_value": Int(port)]
        let endpoint = ["endpoint": ["address": ["socket_address": address]]]
        return [
            "name": name, "type": "STATIC", "connect_timeout": "10s", "circuit_breakers": limits,
            "load_assignment": ["cluster_name": name, "endpoints": [["lb_endpoints": [endpoint]]]],
        ]
    }

    private func upstream(_ protocolName: String) -> [String: Any] {
        Self.named(
            "tls",
            "transport_sockets.tls.v3.UpstreamTlsContext",
            [
                "common_tls_context": common("client", Certificates.serverName, protocolName),
                // A ticket of TLS 1.3 serves once: keep one for each connection under way. With
                // the default of one, two thirds of the connections did not resume.
                "max_session_keys": 64,
            ]
        )
    }

    private func downstream(_ protocolName: String) -> [String: Any] {
        Self.named(
            "tls",
            "transport_sockets.tls.v3.DownstreamTlsContext",
            [
                "common_tls_context": common("server", Certificates.clientName, protocolName),
                "require_client_certificate": true,
            ]
        )
    }

    // Resumption is on unless it is turned off. AES-128-GCM is what BoringSSL takes first in TLS
    // 1.3 where the processor has AES; it cannot be set.
    private func common(_ own: String, _ peer: String, _ protocolName: String) -> [String: Any] {
        let name: [String: Any] = ["san_type": "URI", "matcher": ["exact": peer]]
        let files = certificates.folder
        return [
            "alpn_protocols": [protocolName],
            "tls_params": [
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3", "ecdh_curves": ["X25519"],
            ],
            "tls_certificates": [
                [
                    "certificate_chain": ["filename": "\(files)/\(own).crt"],
                    "private_key": ["filename": "\(files)/\(own).key"],
                ]
            ],
            "validation_context": [
                "trusted_ca": ["filename": "\(files)/root.crt"],
                "match_typed_subject_alt_names": [name],
            ],
        ]
    }
}
