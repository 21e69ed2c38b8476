import Kubernetes
import Mesh
import Terminal
import Testing

@Suite struct `An explanation` {
    // A mesh of two nodes: web and other may be clients, payments is the server.
    private func view(_ policies: [Policy] = [], edit: (inout MeshState) -> Void = { _ in }) throws
        -> MeshView
    {
        var state = MeshState(policies: policies)
        let pods = [
            ("web", "10.0.0.1", "n1"), ("other", "10.0.0.2", "n1"), ("payments", "10.0.1.1", "n2"),
            ("plain", "10.0.1.2", "n2"),
        ]
        for (name, address, node) in pods {
            var workload = Workload(uid: "c//Pod/shop/\(name)", name: name, namespace: "shop")
            workload.addresses = [try #require(IPAddress(address))]
            workload.tunnelProtocol = name == "plain" ? .none : .hbone
            workload.serviceAccount = name
            workload.workloadName = name + "-deployment"
            workload.node = node
            workload.authorizationPolicies =
                name == "payments"
                ? policies.filter { $0.scope == .workloadSelector }.map(\.key) : []
            if name == "payments" {
                workload.services = [
                    "shop/payments.shop.svc.cluster.local": [
                        ServicePort(servicePort: 80, targetPort: 8080)
                    ]
                ]
            }
            state.workloads.append(workload)
        }
        var service = Service(
            name: "payments",
            namespace: "shop",
            hostname: "payments.shop.svc.cluster.local"
        )
        service.addresses = [
            Service.VirtualAddress(network: "", prefix: try #require(IPPrefix("10.96.0.1")))
        ]
        service.ports = [ServicePort(servicePort: 80, targetPort: 8080)]
        service.canonical = true
        state.services = [service]
        edit(&state)
        return MeshView(state)
    }

    private func policy(
        _ action: Policy.Action,
        principal: String? = nil,
        port: UInt16? = nil,
        withRule: Bool = true
    ) -> Policy {
        var policy = Policy(
            name: action == .allow ? "allow" : "deny",
            namespace: "shop",
            scope: .workloadSelector,
            action: action
        )
        var clauses: [Policy.Clause] = []
        if let principal {
            var match = Policy.Match()
            match.principals = [.exact(principal)]
            clauses.append(Policy.Clause(matches: [match]))
        }
        if let port {
            var match = Policy.Match()
            match.destinationPorts = [port]
            clauses.append(Policy.Clause(matches: [match]))
        }
        policy.rules = withRule ? [Policy.Rule(clauses: clauses)] : []
        return policy
    }

    private let web = "cluster.local/ns/shop/sa/web"

    // Client, what it dials, the policies, what becomes of it, and which policy decides.
    @Test func `agrees with the node for every kind of end`() throws {
        typealias Row = (String, String, [Policy], Explanation.Outcome, String)
        let allowWeb = policy(.allow, principal: web)
        let rows: [Row] = [
            ("shop/web", "payments:80", [], .allowed, ""),
            ("shop/web", "payments.shop:80", [allowWeb], .allowed, "shop/allow"),
            ("shop/web", "payments.shop.svc.cluster.local.:80", [allowWeb], .allowed, "shop/allow"),
            ("shop/web", "shop/payments:80", [allowWeb], .allowed, "shop/allow"),
            ("shop/web", "10.96.0.1:80", [allowWeb], .allowed, "shop/allow"),
            ("shop/web", "10.0.1.1:8080", [allowWeb], .allowed, "shop/allow"),
            ("10.0.0.1", "10.0.1.1:8080", [allowWeb], .allowed, "shop/allow"),
            ("shop/web-deployment", "payments:80", [allowWeb], .allowed, "shop/allow"),
            ("shop/other", "payments:80", [allowWeb], .denied, "shop/allow"),
            ("shop/plain", "payments:80", [allowWeb], .denied, "shop/allow"),
            ("shop/plain", "payments:80", [], .allowed, ""),
            ("shop/web", "payments:80", [policy(.allow, withRule: false)], .denied, "shop/allow"),
            (
                "shop/web", "payments:80", [allowWeb, policy(.deny, port: 8080)], .denied,
                "shop/deny"
            ),
            ("shop/web", "payments:80", [policy(.deny, port: 80)], .allowed, ""),
            ("shop/web", "payments:81", [], .refused, ""),
            ("shop/web", "10.0.1.2:80", [], .allowed, ""),
            ("shop/web", "192.0.2.1:443", [], .allowed, ""),
            ("shop/web", "[2001:db8::1]:443", [], .allowed, ""),
        ]
        for (client, target, policies, outcome, decided) in rows {
            let explainer = Explainer(try view(policies))
            let explanation = try explainer.explain(from: client, to: target)
            #expect(explanation.outcome == outcome, "\(client) to \(target)")
            #expect((explanation.hops.first?.policy ?? "") == decided, "\(client) to \(target)")
        }
    }

    @Test func `says what an ALLOW rule misses, and nothing that it has`() throws {
        let view = try view([policy(.allow, principal: web, port: 8080)])
        let text = try Explainer(view).explain(from: "shop/other", to: "payments:80").text()
        #expect(text.contains("rules[0] does not match: needs principal is \(web)\n"))
        #expect(!text.contains("port is 8080"))
        #expect(text.contains("the client is cluster.local/ns/shop/sa/other from 10.0.0.2"))
        #expect(text.contains("denied by policy"))
    }

    @Test func `names the rule that decides`() throws {
        let view = try view([policy(.deny, port: 8080)])
        let text = try Explainer(view).explain(from: "shop/web", to: "payments:80").text()
        #expect(text.contains("shop/deny denies it by rules[0]: port is 8080"))
        #expect(text.contains("HTTP CONNECT in mutual TLS"))
        #expect(text.contains("it must prove spiffe://cluster.local/ns/shop/sa/payments"))
    }

    @Test func `denies while a policy is not known yet`() throws {
        let view = try view { state in
            for index in state.workloads.indices {
                state.workloads[index].authorizationPolicies = ["shop/later"]
            }
        }
        let explanation = try Explainer(view).explain(from: "shop/web", to: "payments:80")
        #expect(explanation.outcome == .denied)
        #expect(explanation.hops.first?.reasons == ["policy shop/later is not known yet"])
    }

    @Test func `tells apart endpoints that allow and endpoints that deny`() throws {
        let view = try view([policy(.deny, port: 8080)]) { state in
            guard var second = state.workloads.first(where: { $0.name == "payments" }) else {
                return
            }
            second.uid += "-2"
            second.name += "-2"
            second.addresses = [IPAddress(v4: 0x0A00_0109)]
            second.authorizationPolicies = []
            state.workloads.append(second)
        }
        let explanation = try Explainer(view).explain(from: "shop/web", to: "payments:80")
        #expect(explanation.outcome == .mixed)
        #expect(explanation.hops.count == 2)
        #expect(explanation.value["outcome"] == "mixed")
    }

    // A pod that is not ready, behind a service without an address.
    private func headless(publishesAll: Bool) throws -> MeshView {
        try view { state in
            for index in state.workloads.indices where state.workloads[index].name == "payments" {
                state.workloads[index].status = .unhealthy
            }
            state.services[0].addresses = []
            state.services[0].loadBalancing.healthPolicy = publishesAll ? .allowAll : .onlyHealthy
        }
    }

    @Test(arguments: ["shop/web", "shop/plain"])
    func `dials pods that are not ready where their service publishes them`(client: String) throws {
        let all = Explainer(try headless(publishesAll: true))
        let allowed = try all.explain(from: client, to: "payments:8080")
        #expect(allowed.outcome == .allowed)
        #expect(allowed.hops.map(\.address) == ["10.0.1.1:8080"])
        let ready = Explainer(try headless(publishesAll: false))
        let refused = try ready.explain(from: client, to: "payments:8080")
        #expect(refused.outcome == .refused)
        #expect(refused.text().contains("has no ready pod: the name does not resolve"))
    }

    @Test func `counts the endpoints that can be used`() throws {
        func endpoints(_ view: MeshView) -> String? {
            Listing.services(view).table.rows.first?[4]
        }
        #expect(try endpoints(view()) == "1/1")
        #expect(try endpoints(headless(publishesAll: true)) == "1/1")
        #expect(try endpoints(headless(publishesAll: false)) == "0/1")
        // Nothing says where the port leads.
        let unnamed = try view { state in
            state.services[0].ports = [ServicePort(servicePort: 80, targetPort: 0)]
            for index in state.workloads.indices where state.workloads[index].name == "payments" {
                let key = "shop/payments.shop.svc.cluster.local"
                state.workloads[index].services[key] = []
            }
        }
        #expect(endpoints(unnamed) == "0/1")
    }

    @Test func `lists why a pod of its node's network is not in the mesh`() throws {
        let view = try view { state in
            for index in state.workloads.indices where state.workloads[index].name == "plain" {
                state.workloads[index].networkMode = .hostNetwork
            }
        }
        let listing = Listing.workloads(view)
        let protocols = listing.table.rows.map { $0[5] }
        #expect(protocols == ["HBONE", "HBONE", "TCP (host network)", "HBONE"])
        #expect(listing.note.contains("cannot be enrolled"))
        #expect(try Listing.workloads(self.view()).note.isEmpty)
    }

    private func node(_ name: String, _ pod: String, _ ports: String) throws -> NodeDump {
        let text = """
            {"config": {"node-name": "\(name)"}, "workloadState": {"u": {"state": "Up",
             "info": {"name": "\(pod)", "namespace": "shop", \(ports)}}}}
            """
        return try NodeDump(node: name, bytes: Array(text.utf8))
    }

    @Test func `takes a connection past the mesh from a port that the client excludes`() throws {
        let view = try view([policy(.allow, principal: web)])
        let dump = try node("n1", "web", "\"excludedOutboundPorts\": [80]")
        let explainer = Explainer(view, excluded: ExcludedPorts([dump]))
        let denied = try explainer.explain(from: "shop/web", to: "payments:80")
        #expect(denied.outcome == .denied)
        #expect(denied.identity == "")
        #expect(denied.text().contains("ambit.dev/exclude-outbound-ports"))
        #expect(denied.hops.map(\.address) == ["10.0.1.1:8080"])
        #expect(denied.nodesNotAsked == ["n2"])
        let outside = try explainer.explain(from: "shop/web", to: "192.0.2.1:80")
        #expect(outside.outcome == .allowed)
        // It is the port that is dialled that counts.
        let allowed = try explainer.explain(from: "shop/web", to: "10.0.1.1:8080")
        #expect(allowed.outcome == .allowed)
        #expect(allowed.identity.hasSuffix("/sa/web"))
        #expect(allowed.nodesNotAsked == [])
    }

    @Test func `asks no policy at a port that the server excludes, but in a tunnel`() throws {
        let view = try view([policy(.allow, withRule: false)])
        let dump = try node("n2", "payments", "\"excludedInboundPorts\": [8080]")
        let explainer = Explainer(view, excluded: ExcludedPorts([dump]))
        let clear = try explainer.explain(from: "shop/plain", to: "payments:80")
        #expect(clear.outcome == .allowed)
        #expect(clear.text().contains("exclude-inbound-ports: no policy is asked"))
        #expect(clear.nodesNotAsked == [])
        let tunnelled = try explainer.explain(from: "shop/web", to: "payments:80")
        #expect(tunnelled.outcome == .denied)
        #expect(tunnelled.nodesNotAsked == ["n1"])
        let unknown = try Explainer(view).explain(from: "shop/plain", to: "payments:80")
        #expect(unknown.outcome == .denied)
        #expect(unknown.text().contains("are not known of n2."))
    }

    @Test(
        arguments: [
            ("shop/web", "127.0.0.1:15000", .local), ("shop/web", "localhost:80", .local),
            ("shop/web", "[::1]:15020", .local), ("shop/web", "127.0.0.1:15001", .refused),
            ("shop/web", "[::1]:15008", .refused), ("shop/plain", "127.0.0.1:15001", .local),
        ] as [(String, String, Explanation.Outcome)]
    )
    func `leaves loopback to the pod`(
        client: String,
        target: String,
        outcome: Explanation.Outcome
    ) throws {
        let explanation = try Explainer(try view()).explain(from: client, to: target)
        #expect(explanation.outcome == outcome)
        #expect(explanation.hops.isEmpty)
        #expect(explanation.text().contains("loopback stays in the pod"))
    }

    @Test(arguments: [
        ("shop/web", "payments"), ("shop/web", "payments:0"), ("shop/web", "payments:http"),
        ("shop/web", "nobody:80"), ("shop/nobody", "payments:80"), ("a/b/c", "payments:80"),
        ("shop/web", "2001:db8::1:443"), ("", "payments:80"), ("10.9.9.9", "payments:80"),
    ])
    func `refuses what names nothing`(client: String, target: String) throws {
        let explainer = Explainer(try view())
        #expect(throws: ReachError.self) { try explainer.explain(from: client, to: target) }
    }
}
