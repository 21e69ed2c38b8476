import Glibc
import JSON
import Mesh
import Node
import Telemetry
import Testing

@Suite struct `The configuration dump` {
    private func dump(_ edit: (StubBackend) throws -> Void) throws -> JSON {
        let stage = try AdminStage()
        try edit(stage.backend)
        let answer = try stage.exchange(
            .admin,
            "GET /config_dump HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        #expect(answer.head.contains("content-type: application/json"))
        return try JSON.parse(Array(answer.body.utf8))
    }

    @Test func `names workloads, services and policies as ztunnel does`() throws {
        var mesh = SampleMesh()
        try mesh.service("web", at: "10.96.0.1") { $0.canonical = true }
        try mesh.pod("web-1", at: "10.1.0.5") { workload in
            workload.node = "node-1"
            workload.services[sampleKey("web")] = [ServicePort(servicePort: 80, targetPort: 8080)]
            workload.status = .unhealthy
        }
        var policy = Policy(name: "p", namespace: "shop", scope: .namespace, action: .deny)
        var match = Policy.Match()
        match.destinationPorts = [80]
        policy.rules = [Policy.Rule(clauses: [Policy.Clause(matches: [match])])]
        mesh.policies = [policy]
        let shown = try dump { $0.snapshot = mesh.snapshot() }
        let workload = try #require(shown["workloads"]?.arrayValue?.first)
        #expect(workload["workloadIps"] == ["10.1.0.5"])
        #expect(workload["protocol"] == "HBONE")
        #expect(workload["status"] == "Unhealthy")
        #expect(workload["trustDomain"] == "cluster.local")
        #expect(workload["node"] == "node-1")
        let service = try #require(shown["services"]?.arrayValue?.first)
        #expect(service["vips"] == ["/10.96.0.1"])
        #expect(service["ports"] == ["80": 8080])
        #expect(service["endpoints"]?["c//Pod/shop/web-1"]?["port"] == ["80": 8080])
        let shownPolicy = try #require(shown["policies"]?.arrayValue?.first)
        #expect(shownPolicy["scope"] == "Namespace")
        #expect(shownPolicy["action"] == "Deny")
        #expect(shownPolicy["rules"] == [[[["destinationPorts": [80]]]]])
    }

    @Test func `shows certificates with PEM in base64 and times`() throws {
        let identity = SPIFFEID(trustDomain: "td", namespace: "shop", serviceAccount: "web")
        let entry = CertificateReport.Entry(
            pem: "PEM!",
            serial: "0A",
            notBefore: 1_700_000_000,
            notAfter: 1_700_086_400
        )
        let report = CertificateReport(
            identity: identity,
            state: "Available",
            chain: [entry],
            roots: [entry]
        )
        let shown = try dump { $0.certificateReports = [report] }
        let certificate = try #require(shown["certificates"]?.arrayValue?.first)
        #expect(certificate["identity"] == "spiffe://td/ns/shop/sa/web")
        #expect(certificate["state"] == "Available")
        let expected: JSON = [
            "pem": "UEVNIQ==", "serialNumber": "0A", "validFrom": "2023-11-14T22:13:20Z",
            "expirationTime": "2023-11-15T22:13:20Z",
        ]
        #expect(certificate["certChain"] == [expected])
        #expect(certificate["rootCerts"] == [expected])
    }

    @Test func `groups connections under the pods of the node`() throws {
        var pod = LocalPod(
            uid: "u1",
            name: "web-1",
            namespace: "shop",
            serviceAccount: "web",
            networkNamespacePath: "/proc/1/ns/net"
        )
        pod.excludedInboundPorts = [8080, 9090]
        let shown = try dump { backend in
            backend.podReports = [PodReport(pod: pod, workloadUID: "w1", state: "Up")]
            backend.reports = [
                ConnectionReport(workloadUID: "w1", direction: .inbound, value: ["src": "a"]),
                ConnectionReport(workloadUID: "w1", direction: .outbound, value: ["src": "b"]),
                ConnectionReport(workloadUID: "gone", direction: .inbound, value: ["src": "c"]),
            ]
        }
        let state = try #require(shown["workloadState"]?["w1"])
        #expect(state["state"] == "Up")
        #expect(state["connections"]?["inbound"] == [["src": "a"]])
        #expect(state["connections"]?["outbound"] == [["src": "b"]])
        #expect(state["info"]?["name"] == "web-1")
        #expect(state["info"]?["excludedInboundPorts"] == [8080, 9090])
        #expect(state["info"]?["excludedOutboundPorts"]?.arrayValue?.isEmpty == true)
        #expect(shown["workloadState"]?.objectValue?.count == 1)
        #expect(shown["version"]?["version"] == "1.2.3")
        #expect(shown["config"]?["trust-domain"] == "cluster.local")
    }
}
