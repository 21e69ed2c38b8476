import JSON
import Mesh
import Testing

@Suite struct `Arbitrary bytes as mesh state` {
    private static let corpus: [[UInt8]] = [
        #"""
        {"workloads": [{"uid": "c//Pod/shop/web", "name": "web", "namespace": "shop",
          "addresses": ["10.1.0.5", "fd00::5"], "network": "n", "tunnelProtocol": "HBONE",
          "trustDomain": "td", "serviceAccount": "web", "node": "n1", "workloadType": "JOB",
          "status": "UNHEALTHY", "capacity": 7, "networkMode": 1, "locality": {"zone": "z"},
          "waypoint": {"hostname": {"namespace": "s", "hostname": "w"}, "hboneMtlsPort": 1},
          "services": {"shop/web": {"ports": [{"service_port": 80, "targetPort": 0}]}},
          "authorizationPolicies": ["shop/p"]}]}
        """#,
        #"""
        {"services": [{"name": "web", "namespace": "shop", "hostname": "web.shop",
          "addresses": ["10.96.0.1", "10.97.0.0/16", {"network": "n", "address": "fd00::", "length": 8}],
          "ports": [{"servicePort": 80, "targetPort": 8080, "appProtocol": "TLS"}],
          "subjectAltNames": ["spiffe://td/ns/a/sa/b"], "ipFamilies": "DUAL", "canonical": true,
          "weightedWaypoints": [{"destination": {"address": {"address": "::1"}}, "weight": 3}],
          "loadBalancing": {"routingPreference": ["NETWORK", 1], "mode": "STRICT"}}]}
        """#,
        #"""
        {"policies": [{"name": "p", "namespace": "shop", "scope": "GLOBAL", "action": "DENY",
          "dryRun": true, "groups": [{"rules": [{"matches": [{"namespaces": [{"exact": "a"}],
          "notPrincipals": [{"presence": {}}], "principals": [{"prefix": "b"}, {"suffix": "c"}],
          "sourceIps": ["10.0.0.0/8"], "destinationPorts": [80],
          "serviceAccounts": [{"namespace": "a", "serviceAccount": "b"}]}]}]}]}]}
        """#,
        "{}",
    ].map { Array($0.utf8) }

    @Test func `are refused or survive being written and read again`() {
        fuzz("MeshState", corpus: Self.corpus) { input, _ in
            let state: MeshState
            do {
                state = try MeshState(json: input)
            } catch let error as MeshStateError {
                try #require(!error.description.isEmpty)
                return
            }
            try #require(MeshState(json: state.json.compact()) == state)
            // Whatever is accepted must be fit to be indexed and compared.
            let snapshot = Snapshot(
                version: 1,
                workloads: state.workloads,
                services: state.services,
                policies: state.policies
            )
            for record in snapshot.workloads {
                try #require(snapshot.workload(uid: record.workload.uid) === record)
                try #require(SPIFFEID(uri: record.identity.description) == record.identity)
            }
            let change = MeshChange(from: .empty, to: state)
            let (later, diff) = Snapshot.empty.applying(change, version: 2)
            try #require(diff.arrived.count == snapshot.workloadCount)
            try #require(MeshChange(from: later, to: state).isEmpty)
        }
    }

    @Test func `are refused or survive as a pods file`() {
        let corpus = [
            #"""
            {"pods": [{"uid": "1-2", "name": "web", "namespace": "shop", "serviceAccount": "web",
              "addresses": ["10.1.0.5"], "netns": "/proc/42/ns/net", "excludedOutboundPorts": [25],
              "excludedInboundPorts": [9000], "capturesDNS": false}]}
            """#
        ].map { Array($0.utf8) }
        fuzz("LocalPods", corpus: corpus) { input, _ in
            let pods: LocalPods
            do {
                pods = try LocalPods(json: input)
            } catch is MeshStateError {
                return
            }
            try #require(LocalPods(json: pods.json.compact()) == pods)
        }
    }
}

@Suite struct `Arbitrary text as an address or identity` {
    @Test func `is refused or has one canonical form`() {
        let corpus = [
            "1.2.3.4", "::", "::1", "2001:db8::1:0:0:1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8",
            "1.2.3.4:80", "[::1]:443", "10.0.0.0/8", "fd00::/8", "::ffff:10.0.0.0/104", "fe80::%1",
            "spiffe://cluster.local/ns/shop/sa/web", "spiffe://a.b-c_d/ns/X.y/sa/Z_1",
        ].map { Array($0.utf8) }
        fuzz("addresses", corpus: corpus) { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            if let address = IPAddress(text) {
                try #require(IPAddress(address.description) == address)
                try #require(IPAddress(bytes: address.bytes) == address)
            }
            if let address = SocketAddress(text) {
                try #require(SocketAddress(address.description) == address)
            }
            if let prefix = IPPrefix(text) {
                try #require(IPPrefix(prefix.description) == prefix)
                try #require(prefix.contains(prefix.address))
            }
            // An identity is taken only in the very form it is written in.
            if let identity = SPIFFEID(uri: text) { try #require(identity.description == text) }
        }
    }
}
