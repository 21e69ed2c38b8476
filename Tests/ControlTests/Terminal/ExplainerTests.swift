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
