import Foundation

/// A real Envoy in a pod outside the mesh, as a peer that somebody else wrote.
final class Envoy: Sendable {
    /// The program: `AMBIT_ENVOY` names it, `deploy/test` installs it.
    static let path: String? = {
        let named = ProcessInfo.processInfo.environment["AMBIT_ENVOY"]
        return [named, "/var/tmp/ambit-build/envoy/bin/envoy"].compactMap { $0 }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    private let running: Running
    private let name: String

    /// What it wrote: a line for each tunnel as a server.
    var log: String { running.outputSoFar }

    private init(_ foreign: ForeignLab, _ pod: String, _ configuration: [String: Any]) throws {
        guard let path = Self.path else { throw TestLab.Failure("no Envoy: set AMBIT_ENVOY") }
        name = "envoy-\(UInt32.random(in: 0 ... .max)).json"
        let json = try JSONSerialization.data(withJSONObject: configuration)
        let file = try foreign.lab.write(name, String(decoding: json, as: UTF8.self))
        running = try foreign.lab.run(
            pod,
            [path, "-c", file.path, "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]
        )
    }

    deinit { running.stop() }

    /// Starts it as a client: what connects to a port of 127.0.0.1 goes to the same port of a pod
    /// through an HBONE tunnel, under an identity.
    static func client(
        _ foreign: ForeignLab,
        certificate: String,
        to pod: String,
        ports: [Int]
    ) throws -> Envoy {
        let target = try foreign.lab.address(pod)
        let listeners = ports.map { port in
            listener(
                address("127.0.0.1", port),
                filter(
                    "network.tcp_proxy.v3.TcpProxy",
                    [
                        "stat_prefix": "tcp", "cluster": "hbone",
                        "tunneling_config": ["hostname": "\(target):\(port)"],
                    ]
                )
            )
        }
        var hbone = cluster("hbone", target, 15008)
        hbone["transport_socket"] = tls(foreign, certificate, "UpstreamTlsContext")
        hbone["typed_extension_protocol_options"] = [
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "upstreams.http.v3.HttpProtocolOptions",
                ["explicit_http_config": ["http2_protocol_options": [String: Any]()]]
            )
        ]
        let envoy = try Envoy(
            foreign,
            "plain/client",
            ["static_resources": ["listeners": listeners, "clusters": [hbone]]]
        )
        try envoy.waitForPort(foreign, "plain/client", "127.0.0.1", ports[0])
        return envoy
    }

    /// Starts it in `plain/foreign` as a server on 15008 that carries tunnels to the pod's ports.
    static func server(
        _ foreign: ForeignLab,
        certificate: String,
        ports: [Int],
        streamsMax: Int = 100
    ) throws -> Envoy {
        let own = try foreign.lab.address("plain/foreign")
        let hosts = ports.map { port in
            [
                "name": "port-\(port)", "domains": ["\(own):\(port)"],
                "routes": [
                    [
                        "match": ["connect_matcher": [String: Any]()],
                        "route": [
                            "cluster": "port-\(port)", "timeout": "0s",
                            "upgrade_configs": [
                                ["upgrade_type": "CONNECT", "connect_config": [String: Any]()]
                            ],
                        ],
                    ]
                ],
            ]
        }
        let form =
            "peer=%DOWNSTREAM_PEER_URI_SAN% to=%REQ(:AUTHORITY)% status=%RESPONSE_CODE% "
            + "forwarded=%REQ(FORWARDED)% baggage=%REQ(BAGGAGE)% in=%BYTES_RECEIVED%\n"
        let log = typed(
            "access_loggers.stream.v3.StdoutAccessLog",
            ["log_format": ["text_format_source": ["inline_string": form]]]
        )
        let router = typed("filters.http.router.v3.Router", [:])
        let http = filter(
            "network.http_connection_manager.v3.HttpConnectionManager",
            [
                "stat_prefix": "http", "codec_type": "HTTP2",
                "http2_protocol_options": [
                    "allow_connect": true, "max_concurrent_streams": streamsMax,
                ],
                "upgrade_configs": [["upgrade_type": "CONNECT"]],
                "access_log": [["name": "log", "typed_config": log]],
                "access_log_options": ["access_log_flush_interval": "1s"],
                "http_filters": [["name": "router", "typed_config": router]],
                "route_config": ["virtual_hosts": hosts],
            ]
        )
        let hbone = listener(
            address("0.0.0.0", 15008),
            http,
            tls: tls(foreign, certificate, "DownstreamTlsContext")
        )
        let envoy = try Envoy(
            foreign,
            "plain/foreign",
            [
                "static_resources": [
                    "listeners": [hbone],
                    "clusters": ports.map { cluster("port-\($0)", "127.0.0.1", $0) },
                ]
            ]
        )
        try envoy.waitForPort(foreign, "plain/foreign", "127.0.0.1", 15008)
        return envoy
    }

    private func waitForPort(
        _ foreign: ForeignLab,
        _ pod: String,
        _ host: String,
        _ port: Int
    ) throws {
        try foreign.lab.eventually("Envoy listens; it says: \(log)", within: 30) {
            guard running.isRunning else { throw TestLab.Failure("Envoy ended: \(log)") }
            return try foreign.lab.exec(pod, ["nc", "-z", host, "\(port)"]).status == 0
        }
    }

    // MARK: - Parts of a configuration

    private static func typed(_ type: String, _ fields: [String: Any]) -> [String: Any] {
        fields.merging(["@type": "type.googleapis.com/envoy.extensions.\(type)"]) { $1 }
    }

    private static func filter(_ type: String, _ fields: [String: Any]) -> [String: Any] {
        ["name": "filter", "typed_config": typed("filters.\(type)", fields)]
    }

    private static func address(_ host: String, _ port: Int) -> [String: Any] {
        ["socket_address": ["address": host, "port_value": port]]
    }

    private static func listener(
        _ address: [String: Any],
        _ filter: [String: Any],
        tls: [String: Any]? = nil
    ) -> [String: Any] {
        var chain: [String: Any] = ["filters": [filter]]
        chain["transport_socket"] = tls
        return ["address": address, "filter_chains": [chain]]
    }

    private static func cluster(_ name: String, _ host: String, _ port: Int) -> [String: Any] {
        let endpoint = ["endpoint": ["address": address(host, port)]]
        return [
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": ["cluster_name": name, "endpoints": [["lb_endpoints": [endpoint]]]],
        ]
    }

    private static func tls(
        _ foreign: ForeignLab,
        _ certificate: String,
        _ side: String
    ) -> [String: Any] {
        let folder = foreign.certificates.folder
        let names: [String: Any] = [
            "san_type": "URI", "matcher": ["prefix": "spiffe://cluster.local/ns/"],
        ]
        var fields: [String: Any] = [
            "common_tls_context": [
                "alpn_protocols": ["h2"],
                "tls_params": [
                    "tls_minimum_protocol_version": "TLSv1_3",
                    "tls_maximum_protocol_version": "TLSv1_3",
                ],
                "tls_certificates": [
                    [
                        "certificate_chain": ["filename": "\(folder)/\(certificate).crt"],
                        "private_key": ["filename": "\(folder)/\(certificate).key"],
                    ]
                ],
                "validation_context": [
                    "trusted_ca": ["filename": "\(folder)/root.crt"],
                    "match_typed_subject_alt_names": [names],
                ],
            ] as [String: Any]
        ]
        if side == "DownstreamTlsContext" { fields["require_client_certificate"] = true }
        return [
            "name": "tls", "typed_config": typed("transport_sockets.tls.v3.\(side)", fields),
        ]
    }
}
