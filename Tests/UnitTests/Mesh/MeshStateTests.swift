import JSON
import Mesh
import Testing

@Suite struct `A mesh state file` {
    private static let full = #"""
        {
          "workloads": [{
            "uid": "cluster//Pod/shop/web-1", "name": "web-1", "namespace": "shop",
            "addresses": ["10.1.0.5", "fd00::5"], "hostname": "h", "network": "n1",
            "tunnelProtocol": "HBONE", "trust_domain": "td", "serviceAccount": "web",
            "node": "node-1", "canonicalName": "web", "canonicalRevision": "v1",
            "workloadType": "DEPLOYMENT", "workloadName": "web", "nativeTunnel": true,
            "clusterId": "c1", "status": "UNHEALTHY", "capacity": 7, "networkMode": 1,
            "locality": {"region": "r", "zone": "z", "subzone": "s"},
            "waypoint": {"hostname": {"namespace": "shop", "hostname": "w"}, "hboneMtlsPort": 15009},
            "networkGateway": {"address": {"network": "n2", "address": "192.0.2.1"}},
            "services": {"shop/web.shop.svc.cluster.local":
              {"ports": [{"servicePort": 80, "targetPort": 8080, "appProtocol": "HTTP11"}]}},
            "authorizationPolicies": ["shop/p"], "extensions": [{"name": "x"}]
          }],
          "services": [{
            "name": "web", "namespace": "shop", "hostname": "web.shop.svc.cluster.local",
            "addresses": ["10.96.0.1", "10.97.0.0/16", {"network": "n1", "address": "10.96.0.2"},
              {"network": "n1", "address": "10.98.0.0", "length": 16}],
            "ports": [{"service_port": 80, "target_port": 0}],
            "subjectAltNames": ["spiffe://td/ns/a/sa/b"],
            "weightedWaypoints": [{"destination": {"address": {"address": "192.0.2.9"}}, "weight": 3}],
            "loadBalancing": {"routingPreference": ["NETWORK", "REGION", "ZONE", "SUBZONE", "NODE", "CLUSTER"],
              "mode": "FAILOVER", "healthPolicy": "ALLOW_ALL"},
            "ipFamilies": "DUAL", "canonical": true, "visibility": "NAMESPACE", "ingressUseWaypoint": true
          }],
          "policies": [{
            "name": "p", "namespace": "shop", "scope": "WORKLOAD_SELECTOR", "action": "DENY",
            "dryRun": true,
            "groups": [{"rules": [{"matches": [{
              "namespaces": [{"exact": "a"}], "notNamespaces": [{"prefix": "b"}],
              "principals": [{"suffix": "/sa/c"}], "not_principals": [{"presence": {}}],
              "sourceIps": ["10.0.0.0/8", {"address": "fd00::", "length": 8}],
              "notSourceIps": ["10.1.1.1"], "destinationIps": ["::1"], "notDestinationIps": ["::2"],
              "destinationPorts": [80, 443], "notDestinationPorts": [22],
              "serviceAccounts": [{"namespace": "a", "serviceAccount": "b"}],
              "notServiceAccounts": [{"namespace": "c", "serviceAccount": "d"}]
            }]}]}]
          }]
        }
        """#

    private func decode(_ text: String) throws(MeshStateError) -> MeshState {
        try MeshState(json: Array(text.utf8))
    }

    @Test func `is decoded with every field`() throws {
        let state = try decode(Self.full)
        let workload = try #require(state.workloads.first)
        #expect(workload.uid == "cluster//Pod/shop/web-1")
        #expect(workload.addresses.map(\.description) == ["10.1.0.5", "fd00::5"])
        #expect(workload.tunnelProtocol == .hbone)
        #expect(workload.identity.description == "spiffe://td/ns/shop/sa/web")
        #expect(workload.kind == .deployment)
        #expect(workload.status == .unhealthy)
        #expect(workload.networkMode == .hostNetwork)
        #expect(workload.capacity == 7)
        #expect(workload.locality.subzone == "s")
        #expect(workload.waypoint?.hboneMTLSPort == 15_009)
        #expect(workload.networkGateway?.hboneMTLSPort == 15_008)
        let ports = workload.services["shop/web.shop.svc.cluster.local"]
        #expect(ports == [ServicePort(servicePort: 80, targetPort: 8080)])
        let service = try #require(state.services.first)
        #expect(
            service.addresses.map(\.prefix.description) == [
                "10.96.0.1/32", "10.97.0.0/16", "10.96.0.2/32", "10.98.0.0/16",
            ]
        )
        #expect(service.addresses.map(\.network) == ["", "", "n1", "n1"])
        #expect(
            service.loadBalancing.routingPreference == [
                .network, .region, .zone, .subzone, .node, .cluster,
            ]
        )
        #expect(service.loadBalancing.mode == .failover)
        #expect(service.loadBalancing.healthPolicy == .allowAll)
        #expect(service.visibility == .namespace)
        #expect(service.weightedWaypoints.first?.weight == 3)
        let policy = try #require(state.policies.first)
        #expect(policy.action == .deny && policy.dryRun && policy.scope == .workloadSelector)
        let match = try #require(policy.rules.first?.clauses.first?.matches.first)
        #expect(match.sourceIPs.map(\.description) == ["10.0.0.0/8", "fd00::/8"])
        #expect(match.notPrincipals == [.presence])
        #expect(match.principals == [.suffix("/sa/c")])
        #expect(match.notServiceAccounts.first?.serviceAccount == "d")
    }

    @Test func `is written as it is read`() throws {
        let state = try decode(Self.full)
        #expect(try MeshState(state.json) == state)
        #expect(try MeshState(json: state.json.pretty()) == state)
    }

    @Test func `may leave everything out`() throws {
        #expect(try decode("{}") == MeshState())
        let workload = try #require(
            try decode(
                #"{"workloads": [{"uid": "u", "name": "n", "namespace": "s", "#
                    + #""trustDomain": null}]}"#
            ).workloads.first
        )
        #expect(workload.identity.description == "spiffe://cluster.local/ns/s/sa/default")
        #expect(workload.capacity == 1)
        #expect(workload.clusterID == "Kubernetes")
    }

    @Test(arguments: [
        ("[]", "is an array, not an object"),
        ("{", "line 1, column 2: expected a member name"),
        (#"{"workload": []}"#, "workload: is not a known field"),
        (#"{"workloads": {}}"#, "workloads: is an object, not an array"),
        (#"{"workloads": [1]}"#, "workloads[0]: is an integer, not an object"),
        (
            #"{"workloads": [{"uid": "u", "name": "n"}]}"#,
            #"workloads[0] "u": namespace: is missing"#
        ),
        (
            #"{"workloads": [{"uid": "u", "name": "n", "namespace": "a/b"}]}"#,
            #"workloads[0] "u": namespace: is not made of letters, digits, '-', '_' and '.' only"#
        ),
    ])
    func `is refused with object, field and reason`(text: String, message: String) {
        let error = #expect(throws: MeshStateError.self) { try decode(text) }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        #""adresses": []"#, #""addresses": ["10.0.0"]"#, #""addresses": "10.0.0.1""#,
        #""addresses": ["10.0.0.0/8"]"#, #""tunnelProtocol": "hbone""#,
        #""tunnelProtocol": "LEGACY_ISTIO_MTLS""#, #""tunnelProtocol": 2"#, #""capacity": -1"#,
        #""capacity": 4294967296"#, #""capacity": "1""#, #""serviceAccount": "a/sa/b""#,
        #""trustDomain": "Cluster.Local""#, #""name2": "x""#, #""nativeTunnel": 1"#,
        #""locality": {"regio": "r"}"#, #""waypoint": {}"#, #""networkMode": "HOST""#,
        #""waypoint": {"address": {"address": "10.0.0.0/8"}}"#,
        #""waypoint": {"address": {"address": "10.0.0.1"}, "hboneMtlsPort": 65536}"#,
        #""services": {"x": {"ports": []}}"#, #""services": {"a/b": {"ports": [{}]}}"#,
        #""services": {"a/b": {"ports": [{"servicePort": 80, "targetPort": 70000}]}}"#,
        #""services": {"a/b": {"port": []}}"#, #""authorizationPolicies": [1]"#,
        #""applicationTunnel": {"protocol": "PROXY"}"#, #""node": "a\nb""#,
        #""trust_domain": "a", "trustDomain": "a""#,
    ])
    func `is refused for one bad field of a workload`(field: String) {
        let text = #"{"workloads": [{"uid": "u", "name": "n", "namespace": "s", \#(field)}]}"#
        let error = #expect(throws: MeshStateError.self) { try decode(text) }
        #expect(error?.object == #"workloads[0] "u""#)
        #expect(error?.field.isEmpty == false)
    }

    @Test(arguments: [
        #""addresses": ["10.0.0.0/33"]"#, #""addresses": [{"address": "10.0.0.0/8", "length": 8}]"#,
        #""addresses": [{"address": "10.0.0.0", "length": 99}]"#,
        #""addresses": [{"network": "n"}]"#,
        #""ports": [{"servicePort": 0}]"#, #""subjectAltNames": ["spiffe://td/ns/a"]"#,
        #""loadBalancing": {"mode": "RANDOM"}"#, #""visibility": "ALL""#,
        #""loadBalancing": {"routingPreference": ["UNSPECIFIED_SCOPE"]}"#,
        #""weightedWaypoints": [{"weight": 1}]"#, #""ipFamilies": 9"#, #""canonical": "true""#,
    ])
    func `is refused for one bad field of a service`(field: String) {
        let text = #"{"services": [{"name": "n", "namespace": "s", "hostname": "h", \#(field)}]}"#
        let error = #expect(throws: MeshStateError.self) { try decode(text) }
        #expect(error?.object == #"services[0] "h""#)
    }

    @Test(arguments: [
        #"{"namespaces": ["a"]}"#, #"{"namespaces": [{}]}"#, #"{"namespaces": [{"exact": ""}]}"#,
        #"{"namespaces": [{"prefix": ""}]}"#, #"{"principals": [{"exact": "a", "prefix": "a"}]}"#,
        #"{"principals": [{"regex": "a"}]}"#, #"{"principals": [{"presence": {"x": 1}}]}"#,
        #"{"sourceIps": ["10.0.0.0/33"]}"#, #"{"sourceIps": [{"length": 8}]}"#,
        #"{"destinationPorts": [65536]}"#, #"{"destinationPorts": ["80"]}"#, #"{"port": [1]}"#,
        #"{"serviceAccounts": [{"namespace": "a"}]}"#, #"{"extensions": [{"name": "x"}]}"#,
    ])
    func `is refused for one bad field of a match`(match: String) {
        let text = #"""
            {"policies": [{"name": "p", "namespace": "s", "scope": "GLOBAL", "action": "ALLOW",
              "rules": [{"clauses": [{"matches": [\#(match)]}]}]}]}
            """#
        let error = #expect(throws: MeshStateError.self) { try decode(text) }
        #expect(error?.object == #"policies[0] "p""#)
        #expect(error?.field.hasPrefix("rules[0].clauses[0].matches[0].") == true)
    }

    @Test(arguments: [
        #""scope": "GLOBAL""#, #""action": "ALLOW""#, #""scope": "MESH", "action": "ALLOW""#,
        #""scope": "GLOBAL", "action": "AUDIT""#,
        #""scope": "GLOBAL", "action": "DENY", "rule": []"#,
        #""scope": "GLOBAL", "action": "DENY", "rules": [{}], "groups": [{}]"#,
    ])
    func `is refused for one bad field of a policy`(field: String) {
        let text = #"{"policies": [{"name": "p", "namespace": "s", \#(field)}]}"#
        #expect(throws: MeshStateError.self) { try decode(text) }
    }

    @Test(arguments: [
        (#"{"workloads": [W, W]}"#, "workloads[1]: uid: u comes twice"),
        (#"{"services": [S, S]}"#, "services[1]: hostname: s/h comes twice"),
        (#"{"policies": [P, P]}"#, "policies[1]: name: s/p comes twice"),
    ])
    func `is refused when a key comes twice`(template: String, message: String) {
        let text = template.map { character -> String in
            switch character {
            case "W": #"{"uid": "u", "name": "n", "namespace": "s"}"#
            case "S": #"{"name": "n", "namespace": "s", "hostname": "h"}"#
            case "P": #"{"name": "p", "namespace": "s", "scope": "GLOBAL", "action": "DENY"}"#
            default: String(character)
            }
        }.joined()
        let error = #expect(throws: MeshStateError.self) { try decode(text) }
        #expect(error?.description == message)
    }
}

@Suite struct `A pods file` {
    private let full = #"""
        {"pods": [{"uid": "1-2", "name": "web", "namespace": "shop", "serviceAccount": "web",
          "addresses": ["10.1.0.5"], "netns": "/proc/42/ns/net", "excludedOutboundPorts": [25],
          "excludedInboundPorts": [9000], "capturesDNS": false}]}
        """#

    @Test func `is read and written`() throws {
        let pods = try LocalPods(json: Array(full.utf8))
        let pod = try #require(pods.pods.first)
        #expect(pod.networkNamespacePath == "/proc/42/ns/net")
        #expect(pod.excludedOutboundPorts == [25] && pod.excludedInboundPorts == [9000])
        #expect(!pod.capturesDNS && pod.addresses.count == 1)
        #expect(try LocalPods(json: pods.json.compact()) == pods)
    }

    @Test(arguments: [
        ("\"netns\": \"/proc", "\"netns\": \"proc"), ("\"uid\": \"1-2\", ", ""), ("[25]", "[-1]"),
        ("10.1.0.5", "10.1.0"), ("capturesDNS", "captureDns"), ("\"shop\"", "\"a/b\""),
    ])
    func `is refused for one bad field`(old: String, new: String) {
        let parts = full.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
        #expect(parts.count == 2)
        let text = parts.joined(separator: new)
        #expect(throws: MeshStateError.self) { try LocalPods(json: Array(text.utf8)) }
    }
}
