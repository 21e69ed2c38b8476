import Mesh
import Testing

private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

@Suite struct `A snapshot` {
    @Test func `finds workloads by uid, name and address`() throws {
        var mesh = SampleMesh()
        try mesh.pod("web", at: "10.1.0.5", "fd00::5")
        try mesh.pod("web", "other", at: "10.1.0.6")
        let snapshot = mesh.snapshot()
        let web = try #require(snapshot.workload(uid: "c//Pod/shop/web"))
        #expect(web.identity.principal == "cluster.local/ns/shop/sa/web")
        #expect(try snapshot.workload(address: ip("10.1.0.5"), network: "") === web)
        #expect(try snapshot.workload(address: ip("fd00::5"), network: "") === web)
        #expect(snapshot.workload(namespace: "shop", name: "web") === web)
        #expect(snapshot.workload(uid: "c//Pod/shop/nobody") == nil)
        #expect(snapshot.workload(namespace: "shop", name: "nobody") == nil)
        #expect(try snapshot.workload(address: ip("10.1.0.5"), network: "n2") == nil)
        #expect(try snapshot.workload(address: ip("10.1.0.7"), network: "") == nil)
    }

    @Test func `does not find host-network workloads by address`() throws {
        var mesh = SampleMesh()
        try mesh.pod("agent", at: "192.0.2.1") { $0.networkMode = .hostNetwork }
        let snapshot = mesh.snapshot()
        #expect(try snapshot.workload(address: ip("192.0.2.1"), network: "") == nil)
        #expect(snapshot.workload(namespace: "shop", name: "agent") != nil)
    }

    @Test func `prefers the workload that an address most likely means`() throws {
        func make(
            _ uid: String,
            _ tunnel: Workload.TunnelProtocol,
            _ status: Workload.Status = .healthy
        ) throws -> Workload {
            var workload = Workload(uid: uid, name: uid, namespace: "shop")
            workload.addresses = [try ip("10.1.0.5")]
            workload.tunnelProtocol = tunnel
            workload.status = status
            return workload
        }
        let ordered = [
            try make("c//Pod/shop/a", .hbone), try make("c//Pod/shop/b", .hbone),
            try make("c//Pod/shop/c", .hbone, .unhealthy), try make("c//Pod/shop/d", .none),
            try make("c/x/WorkloadEntry/shop/e", .hbone),
            try make("c/x/WorkloadEntry/shop/f", .none),
        ]
        for (index, winner) in ordered.enumerated() {
            for loser in ordered[(index + 1)...] {
                for pair in [[winner, loser], [loser, winner]] {
                    let snapshot = SampleMesh(workloads: pair).snapshot()
                    let found = try snapshot.workload(address: ip("10.1.0.5"), network: "")
                    #expect(found?.workload.uid == winner.uid, "against \(loser.uid)")
                }
            }
        }
    }

    @Test func `finds services by key and virtual address`() throws {
        var mesh = SampleMesh()
        try mesh.service("web", at: "10.96.0.1", "fd00:96::1")
        try mesh.service("headless")
        let snapshot = mesh.snapshot()
        let web = try #require(snapshot.service(key: sampleKey("web")))
        for address in ["10.96.0.1", "fd00:96::1"] {
            let found = try snapshot.service(
                address: ip(address),
                network: "",
                clientNamespace: "x"
            )
            #expect(found === web)
        }
        #expect(
            try snapshot.service(address: ip("10.96.0.1"), network: "n", clientNamespace: "x")
                == nil
        )
        #expect(
            try snapshot.service(address: ip("10.96.0.2"), network: "", clientNamespace: "x") == nil
        )
        #expect(snapshot.service(key: sampleKey("headless")) != nil)
    }

    @Test func `prefers among services of one address`() throws {
        var mesh = SampleMesh()
        try mesh.service("first", "a", at: "10.96.0.1") { $0.canonical = false }
        try mesh.service("second", "b", at: "10.96.0.1") { $0.canonical = false }
        try mesh.service("canonical", "c", at: "10.96.0.1")
        try mesh.service("hidden", "d", at: "10.96.0.1") { $0.visibility = .namespace }
        let snapshot = mesh.snapshot()
        let table = [
            ("a", "first"), ("b", "second"), ("c", "canonical"), ("d", "hidden"),
            ("e", "canonical"),
        ]
        for (client, name) in table {
            let found = try snapshot.service(
                address: ip("10.96.0.1"),
                network: "",
                clientNamespace: client
            )
            #expect(found?.service.name == name, "for \(client)")
        }
    }

    @Test func `hides a service of another namespace that is not public`() throws {
        var mesh = SampleMesh()
        try mesh.service("hidden", "d", at: "10.96.0.1") { $0.visibility = .namespace }
        let snapshot = mesh.snapshot()
        #expect(
            try snapshot.service(address: ip("10.96.0.1"), network: "", clientNamespace: "e") == nil
        )
        #expect(
            snapshot.services(hostname: "hidden.d.svc.cluster.local", clientNamespace: "e").isEmpty
        )
        #expect(
            snapshot.services(hostname: "hidden.d.svc.cluster.local", clientNamespace: "d").count
                == 1
        )
    }

    @Test func `prefers among blocks the client's namespace, then length, then canonical`() throws {
        var mesh = SampleMesh()
        try mesh.service("wide", "a", at: "10.0.0.0/8")
        try mesh.service("middle", "b", at: "10.1.0.0/16") { $0.canonical = false }
        try mesh.service("middle-canonical", "c", at: "10.1.0.0/16")
        try mesh.service("exact", "d", at: "10.1.2.3/32")
        try mesh.service("six", "a", at: "fd00::/8")
        try mesh.service("all", "z", at: "0.0.0.0/0")
        let snapshot = mesh.snapshot()
        let table = [
            ("10.1.2.3", "a", "exact"), ("10.1.2.4", "a", "wide"), ("10.1.2.4", "b", "middle"),
            ("10.1.2.4", "x", "middle-canonical"), ("10.2.0.1", "b", "wide"),
            ("fd12::1", "x", "six"), ("192.0.2.1", "x", "all"), ("10.1.2.4", "z", "all"),
        ]
        for (address, client, name) in table {
            let found = try snapshot.service(
                address: ip(address),
                network: "",
                clientNamespace: client
            )
            #expect(found?.service.name == name, "\(address) for \(client)")
        }
        #expect(
            try snapshot.service(address: ip("2001:db8::1"), network: "", clientNamespace: "a")
                == nil
        )
    }

    @Test func `orders the services of a hostname`() throws {
        var mesh = SampleMesh()
        for (namespace, canonical) in [("a", false), ("b", false), ("c", true)] {
            try mesh.service("x", namespace) {
                $0.hostname = "API.example.com"
                $0.canonical = canonical
            }
        }
        let snapshot = mesh.snapshot()
        func order(_ client: String) -> [String] {
            snapshot.services(hostname: "api.example.com", clientNamespace: client)
                .map(\.service.namespace)
        }
        #expect(order("x") == ["c", "a", "b"])
        #expect(order("b") == ["b", "c", "a"])
        #expect(snapshot.services(hostname: "example.com", clientNamespace: "a").isEmpty)
    }

    @Test func `gives a service its endpoints and ports`() throws {
        var mesh = SampleMesh()
        try mesh.service("web", at: "10.96.0.1")
        try mesh.pod("one", at: "10.1.0.1") {
            $0.services[sampleKey("web")] = [ServicePort(servicePort: 81, targetPort: 9)]
        }
        try mesh.pod("two", at: "10.1.0.2") { $0.services[sampleKey("unknown")] = [] }
        let snapshot = mesh.snapshot()
        #expect(snapshot.endpoints(of: sampleKey("web")).map(\.workload.workload.name) == ["one"])
        #expect(snapshot.endpoints(of: sampleKey("unknown")).isEmpty)
        #expect(snapshot.service(key: sampleKey("web"))?.servicePorts == [80, 81])
    }
}
