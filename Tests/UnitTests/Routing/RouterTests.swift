import Mesh
import Routing
import Testing

/// A generator whose sequence is fixed, so that a draw is a fact.
struct FixedGenerator: RandomNumberGenerator {
    private var state: UInt64 = 42

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ (state >> 33)) &* 0xFF51_AFD7_ED55_8CCD
    }
}

/// Routes connections of one source through one state.
struct RoutingBench {
    var router: Router
    let source: WorkloadRecord?
    var random = FixedGenerator()
    var loads: [String: Int] = [:]
    var excluded: Set<String> = []

    init(_ mesh: SampleMesh, from name: String = "client") {
        let snapshot = mesh.snapshot()
        router = Router(snapshot: snapshot)
        source = snapshot.workload(namespace: "shop", name: name)
    }

    /// Goes on with the next state.
    mutating func adopt(_ mesh: SampleMesh) {
        let (snapshot, diff) = mesh.snapshot(after: router.snapshot)
        router.adopt(snapshot, diff)
    }

    mutating func route(_ destination: String) throws -> Route {
        let address = try #require(SocketAddress(destination))
        let loads = loads
        return router.route(
            from: source,
            to: OriginalDestination(address),
            excluding: excluded,
            load: { loads[$0.workload.name] ?? 0 },
            random: &random
        )
    }

    /// The route in words: `web 10.1.0.5:8080 hbone`, `passthrough ...` or `refused ...`.
    mutating func words(_ destination: String) throws -> String {
        switch try route(destination) {
        case .passthrough(let address): return "passthrough \(address)"
        case .refused(let refusal): return "refused \(refusal.reason)"
        case .endpoint(let choice):
            return "\(choice.workload.workload.name) \(choice.address)"
                + (choice.viaHBONE ? " hbone" : " plain") + (choice.isSelf ? " self" : "")
        }
    }

    /// The names of the workloads that many connections reach, with how often.
    mutating func spread(_ destination: String, count: Int = 1000) throws -> [String: Int] {
        var spread: [String: Int] = [:]
        for _ in 0..<count {
            guard case .endpoint(let choice) = try route(destination) else { continue }
            spread[choice.workload.workload.name, default: 0] += 1
        }
        return spread
    }
}

/// A client and members of the service `web` at 10.96.0.1:80.
func routingMesh(_ members: String...) throws -> SampleMesh {
    var mesh = SampleMesh()
    try mesh.pod("client", at: "10.1.0.1", "fd00::1")
    try mesh.service("web", at: "10.96.0.1", "fd00:96::1")
    for (index, name) in members.enumerated() {
        try mesh.pod(name, at: "10.1.1.\(index + 1)", "fd00:1::\(index + 1)") {
            $0.services[sampleKey("web")] = [ServicePort(servicePort: 80, targetPort: 8080)]
        }
    }
    return mesh
}

@Suite struct `A connection to an address` {
    @Test func `passes through when nobody is known there`() throws {
        var bench = RoutingBench(try routingMesh())
        #expect(try bench.words("192.0.2.1:443") == "passthrough 192.0.2.1:443")
        #expect(try bench.words("192.0.2.1:15008") == "passthrough 192.0.2.1:15008")
        #expect(try bench.words("[2001:db8::1]:443") == "passthrough [2001:db8::1]:443")
    }

    @Test func `goes by HBONE to a pod that has it and in the clear to one that has not`() throws {
        var mesh = try routingMesh("web")
        try mesh.pod("legacy", at: "10.1.2.1") { $0.tunnelProtocol = .none }
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.1.1.1:9000") == "web 10.1.1.1:9000 hbone")
        #expect(try bench.words("[fd00:1::1]:9000") == "web [fd00:1::1]:9000 hbone")
        #expect(try bench.words("10.1.2.1:9000") == "legacy 10.1.2.1:9000 plain")
    }

    @Test func `reaches a pod that is addressed itself even when it is unhealthy`() throws {
        var mesh = try routingMesh("web")
        mesh.workloads[1].status = .unhealthy
        mesh.workloads[1].capacity = 0
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.1.1.1:9000") == "web 10.1.1.1:9000 hbone")
    }

    @Test func `is refused for a source nobody knows`() throws {
        var bench = RoutingBench(try routingMesh("web"), from: "stranger")
        #expect(try bench.words("10.1.1.1:9000") == "refused unknownSource")
        #expect(try bench.words("192.0.2.1:443") == "refused unknownSource")
    }

    @Test func `is refused at the ports of the proxy`() throws {
        var mesh = try routingMesh("web")
        try mesh.pod("legacy", at: "10.1.2.1") { $0.tunnelProtocol = .none }
        var bench = RoutingBench(mesh)
        for port in Router.illegalPorts {
            #expect(try bench.words("127.0.0.1:\(port)") == "refused selfCall")
            #expect(try bench.words("[::1]:\(port)") == "refused selfCall")
            #expect(try bench.words("10.1.1.1:\(port)") == "refused selfCall")
            #expect(try bench.words("10.1.2.1:\(port)") == "legacy 10.1.2.1:\(port) plain")
        }
    }

    @Test func `knows itself`() throws {
        var bench = RoutingBench(try routingMesh("web"))
        #expect(try bench.words("10.1.0.1:80") == "client 10.1.0.1:80 hbone self")
    }

    @Test func `is refused once the only workload there was excluded`() throws {
        var bench = RoutingBench(try routingMesh("web"))
        bench.excluded = ["c//Pod/shop/web"]
        #expect(try bench.words("10.1.1.1:9000") == "refused noHealthyEndpoint")
    }

    @Test func `looks only at its own network`() throws {
        var mesh = try routingMesh("web")
        mesh.workloads[1].network = "elsewhere"
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.1.1.1:80") == "passthrough 10.1.1.1:80")
    }

    @Test func `is refused when the workload asks for a waypoint`() throws {
        let address = try #require(IPAddress("10.1.2.1"))
        let virtual = try #require(IPAddress("10.96.0.9"))
        let destinations: [GatewayAddress.Destination] = [
            .address(network: "", address), .address(network: "", virtual),
            .hostname(namespace: "shop", hostname: "waypoint.shop.svc.cluster.local"),
        ]
        for destination in destinations {
            var mesh = try routingMesh("web")
            try mesh.service("waypoint", at: "10.96.0.9")
            try mesh.pod("waypoint", at: "10.1.2.1") { $0.services[sampleKey("waypoint")] = [] }
            mesh.workloads[1].waypoint = GatewayAddress(
                destination: destination,
                hboneMTLSPort: 15_008
            )
            var bench = RoutingBench(mesh)
            #expect(try bench.words("10.1.1.1:80") == "refused waypointNotReachable")
            var waypoint = RoutingBench(mesh, from: "waypoint")
            #expect(try waypoint.words("10.1.1.1:80") == "web 10.1.1.1:80 hbone")
        }
    }
}

@Suite struct `A connection to a service` {
    @Test func `goes to an endpoint and its target port`() throws {
        var bench = RoutingBench(try routingMesh("web"))
        #expect(try bench.words("10.96.0.1:80") == "web 10.1.1.1:8080 hbone")
        guard case .endpoint(let choice) = try bench.route("10.96.0.1:80") else {
            Issue.record("no endpoint")
            return
        }
        #expect(choice.service?.key == sampleKey("web"))
        #expect(choice.expectedIdentities == [choice.workload.identity])
    }

    @Test func `expects the service's other identities as well`() throws {
        var mesh = try routingMesh("web")
        mesh.services[0].subjectAltNames = [
            "spiffe://td/ns/a/sa/b", "spiffe://cluster.local/ns/shop/sa/web", "not-an-id",
        ]
        var bench = RoutingBench(mesh)
        guard case .endpoint(let choice) = try bench.route("10.96.0.1:80") else {
            Issue.record("no endpoint")
            return
        }
        #expect(
            choice.expectedIdentities.map(\.description) == [
                "spiffe://cluster.local/ns/shop/sa/web", "spiffe://td/ns/a/sa/b",
            ]
        )
    }

    @Test func `takes the endpoint's port before the service's`() throws {
        let table: [(service: UInt16?, endpoint: UInt16?, expected: String)] = [
            (8080, 9090, "web 10.1.1.1:9090 hbone"), (8080, nil, "web 10.1.1.1:8080 hbone"),
            (8080, 0, "web 10.1.1.1:8080 hbone"), (0, 9090, "web 10.1.1.1:9090 hbone"),
            (0, nil, "refused noTargetPort"), (0, 0, "refused noTargetPort"),
            (nil, 9090, "web 10.1.1.1:9090 hbone"), (nil, nil, "refused noTargetPort"),
        ]
        for (service, endpoint, expected) in table {
            var mesh = try routingMesh("web")
            let make = { (target: UInt16) in ServicePort(servicePort: 80, targetPort: target) }
            mesh.services[0].ports = service.map { [make($0)] } ?? []
            mesh.workloads[1].services[sampleKey("web")] = endpoint.map { [make($0)] } ?? []
            var bench = RoutingBench(mesh)
            #expect(try bench.words("10.96.0.1:80") == expected)
        }
    }

    @Test func `leaves out endpoints that do not serve the port`() throws {
        var mesh = try routingMesh("one", "two")
        mesh.services[0].ports = [ServicePort(servicePort: 80, targetPort: 0)]
        mesh.workloads[1].services[sampleKey("web")] = []
        var bench = RoutingBench(mesh)
        #expect(try bench.spread("10.96.0.1:80", count: 50) == ["two": 50])
    }

    @Test func `is refused on a port nobody serves`() throws {
        var bench = RoutingBench(try routingMesh("web"))
        #expect(try bench.words("10.96.0.1:81") == "refused noTargetPort")
    }

    @Test func `is refused without an endpoint that may be chosen`() throws {
        let edits: [(inout Workload) -> Void] = [
            { $0.status = .unhealthy }, { $0.capacity = 0 }, { $0.addresses = [] },
            { $0.services = [:] },
        ]
        for edit in edits {
            var mesh = try routingMesh("web")
            edit(&mesh.workloads[1])
            var bench = RoutingBench(mesh)
            #expect(try bench.words("10.96.0.1:80") == "refused noHealthyEndpoint")
        }
    }

    @Test func `uses unhealthy endpoints when the service allows all`() throws {
        var mesh = try routingMesh("web")
        mesh.workloads[1].status = .unhealthy
        mesh.services[0].loadBalancing.healthPolicy = .allowAll
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "web 10.1.1.1:8080 hbone")
        mesh.workloads[1].capacity = 0
        bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused noHealthyEndpoint")
    }

    @Test func `is refused when its endpoints are in another network only`() throws {
        var mesh = try routingMesh("near", "far")
        mesh.workloads[2].network = "elsewhere"
        var bench = RoutingBench(mesh)
        #expect(try bench.spread("10.96.0.1:80", count: 20) == ["near": 20])
        mesh.workloads[1].status = .unhealthy
        bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused networkNotReachable")
    }

    @Test func `is refused when the service asks for a waypoint`() throws {
        let gateway = GatewayAddress(
            destination: .hostname(namespace: "shop", hostname: "w"),
            hboneMTLSPort: 15_008
        )
        var mesh = try routingMesh("web")
        mesh.services[0].waypoint = gateway
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused waypointNotReachable")
        mesh.services[0].waypoint = nil
        mesh.services[0].weightedWaypoints = [
            Service.WeightedWaypoint(destination: gateway, weight: 1)
        ]
        bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused waypointNotReachable")
    }

    @Test func `goes to the service when a workload has the same address`() throws {
        var mesh = try routingMesh("web")
        try mesh.pod("same", at: "10.96.0.1")
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "web 10.1.1.1:8080 hbone")
    }

    @Test func `passes through a passthrough service but to its known workloads`() throws {
        var mesh = try routingMesh("web")
        mesh.services[0].loadBalancing.mode = .passthrough
        mesh.services[0].addresses = [
            Service.VirtualAddress(network: "", prefix: try #require(IPPrefix("10.0.0.0/8")))
        ]
        mesh.services[0].subjectAltNames = ["spiffe://td/ns/a/sa/b"]
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.9.9.9:80") == "passthrough 10.9.9.9:80")
        #expect(try bench.words("10.1.1.1:80") == "web 10.1.1.1:80 hbone")
        guard case .endpoint(let choice) = try bench.route("10.1.1.1:80") else {
            Issue.record("no endpoint")
            return
        }
        #expect(choice.expectedIdentities.count == 2)
    }

    @Test func `may lead back to the caller`() throws {
        var mesh = try routingMesh()
        mesh.workloads[0].services[sampleKey("web")] = []
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "client 10.1.0.1:8080 hbone self")
    }

    @Test func `is refused when its target is a port of the proxy`() throws {
        var mesh = try routingMesh("web")
        mesh.workloads[1].services[sampleKey("web")] = [
            ServicePort(servicePort: 80, targetPort: 15_008)
        ]
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused selfCall")
    }
}

@Suite struct `The family of an endpoint's address` {
    @Test(arguments: [
        (Service.IPFamilies.automatic, ["10.1.1.1", "fd00:1::1"], "10.96.0.1:80", "10.1.1.1:8080"),
        (.automatic, ["10.1.1.1", "fd00:1::1"], "[fd00:96::1]:80", "[fd00:1::1]:8080"),
        (.automatic, ["fd00:1::1"], "10.96.0.1:80", "[fd00:1::1]:8080"),
        (.automatic, ["10.1.1.1"], "[fd00:96::1]:80", "10.1.1.1:8080"),
        (.dual, ["fd00:1::1", "10.1.1.1"], "10.96.0.1:80", "10.1.1.1:8080"),
        (.v4Only, ["fd00:1::1", "10.1.1.1"], "[fd00:96::1]:80", "10.1.1.1:8080"),
        (.v6Only, ["10.1.1.1", "fd00:1::1"], "10.96.0.1:80", "[fd00:1::1]:8080"),
    ])
    func `follows the service and then what was dialled`(
        families: Service.IPFamilies,
        addresses: [String],
        dialled: String,
        expected: String
    ) throws {
        var mesh = try routingMesh("web")
        mesh.services[0].ipFamilies = families
        mesh.workloads[1].addresses = try addresses.map { try #require(IPAddress($0)) }
        var bench = RoutingBench(mesh)
        #expect(try bench.words(dialled) == "web \(expected) hbone")
    }

    @Test(arguments: [(Service.IPFamilies.v4Only, "fd00:1::1"), (.v6Only, "10.1.1.1")])
    func `rules out an endpoint without one`(families: Service.IPFamilies, address: String) throws {
        var mesh = try routingMesh("web")
        mesh.services[0].ipFamilies = families
        mesh.workloads[1].addresses = [try #require(IPAddress(address))]
        var bench = RoutingBench(mesh)
        #expect(try bench.words("10.96.0.1:80") == "refused noHealthyEndpoint")
    }

    @Test func `rules out an endpoint the source has no address to dial from`() throws {
        var mesh = try routingMesh("four", "six")
        mesh.workloads[1].addresses = [try #require(IPAddress("10.1.1.1"))]
        mesh.workloads[2].addresses = [try #require(IPAddress("fd00:1::2"))]
        var dual = RoutingBench(mesh)
        #expect(try dual.spread("10.96.0.1:80", count: 200).count == 2)
        mesh.workloads[0].addresses = [try #require(IPAddress("10.1.0.1"))]
        var four = RoutingBench(mesh)
        #expect(try four.spread("10.96.0.1:80", count: 50) == ["four": 50])
        mesh.workloads[0].addresses = [try #require(IPAddress("fd00::1"))]
        var six = RoutingBench(mesh)
        #expect(try six.spread("[fd00:96::1]:80", count: 50) == ["six": 50])
    }
}
