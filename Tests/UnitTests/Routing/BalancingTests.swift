import Mesh
import Routing
import Testing

@Suite struct `Balancing` {
    @Test func `spreads over all endpoints`() throws {
        var bench = RoutingBench(try routingMesh("a", "b", "c", "d"))
        let spread = try bench.spread("10.96.0.1:80", count: 4000)
        #expect(spread.count == 4)
        #expect(spread.values.allSatisfy { (800...1200).contains($0) }, "\(spread)")
    }

    @Test func `follows weights when nothing is open`() throws {
        var mesh = try routingMesh("light", "heavy", "none")
        mesh.workloads[2].capacity = 3
        mesh.workloads[3].capacity = 0
        var bench = RoutingBench(mesh)
        let spread = try bench.spread("10.96.0.1:80", count: 4000)
        #expect(spread["none"] == nil)
        #expect((2800...3200).contains(spread["heavy"] ?? 0), "\(spread)")
    }

    @Test func `takes the less loaded of two`() throws {
        var bench = RoutingBench(try routingMesh("busy", "idle"))
        bench.loads = ["busy": 1]
        #expect(try bench.spread("10.96.0.1:80") == ["idle": 1000])
    }

    @Test func `never takes the most loaded of many`() throws {
        var bench = RoutingBench(try routingMesh("a", "b", "c", "busy"))
        bench.loads = ["a": 1, "b": 2, "c": 3, "busy": 4]
        let spread = try bench.spread("10.96.0.1:80", count: 3000)
        #expect(spread["busy"] == nil)
        #expect((spread["a"] ?? 0) > (spread["b"] ?? 0))
        #expect((spread["b"] ?? 0) > (spread["c"] ?? 0))
    }

    @Test func `counts load relative to weight`() throws {
        var mesh = try routingMesh("light", "heavy")
        mesh.workloads[2].capacity = 10
        var bench = RoutingBench(mesh)
        bench.loads = ["light": 2, "heavy": 19]
        #expect(try bench.spread("10.96.0.1:80") == ["heavy": 1000])
        bench.loads = ["light": 2, "heavy": 21]
        #expect(try bench.spread("10.96.0.1:80") == ["light": 1000])
    }

    @Test func `fills endpoints in proportion to their weights`() throws {
        var mesh = try routingMesh("light", "heavy")
        mesh.workloads[2].capacity = 3
        var bench = RoutingBench(mesh)
        for _ in 0..<400 {
            guard case .endpoint(let choice) = try bench.route("10.96.0.1:80") else { continue }
            bench.loads[choice.workload.workload.name, default: 0] += 1
        }
        #expect((295...305).contains(bench.loads["heavy"] ?? 0), "\(bench.loads)")
    }

    @Test func `survives absurd weights and loads`() throws {
        var mesh = try routingMesh("a", "b")
        mesh.workloads[1].capacity = .max
        mesh.workloads[2].capacity = .max
        var bench = RoutingBench(mesh)
        bench.loads = ["a": .max, "b": .min]
        #expect(try bench.spread("10.96.0.1:80", count: 50) == ["b": 50])
    }

    @Test func `leaves out excluded endpoints`() throws {
        var bench = RoutingBench(try routingMesh("a", "b"))
        bench.excluded = ["c//Pod/shop/a"]
        #expect(try bench.spread("10.96.0.1:80", count: 50) == ["b": 50])
        bench.excluded.insert("c//Pod/shop/b")
        #expect(try bench.words("10.96.0.1:80") == "refused noHealthyEndpoint")
        bench.excluded = []
        #expect(try bench.spread("10.96.0.1:80").count == 2)
    }

    @Test func `follows the state it is given`() throws {
        var mesh = try routingMesh("a", "b")
        var bench = RoutingBench(mesh)
        #expect(try bench.spread("10.96.0.1:80").count == 2)
        mesh.workloads[1].status = .unhealthy
        bench.adopt(mesh)
        #expect(try bench.spread("10.96.0.1:80", count: 50) == ["b": 50])
        mesh.workloads[1].status = .healthy
        mesh.services[0].ports = [ServicePort(servicePort: 80, targetPort: 1)]
        mesh.workloads[2].services = [:]
        mesh.workloads[1].services = [sampleKey("web"): []]
        bench.adopt(mesh)
        #expect(try bench.words("10.96.0.1:80") == "a 10.1.1.1:1 hbone")
    }
}

@Suite struct `Locality` {
    /// Endpoints from here outwards: same node, subzone, zone, region, and another region.
    private func mesh(
        _ preference: [LoadBalancing.Scope],
        _ mode: LoadBalancing.Mode
    ) throws -> SampleMesh {
        var mesh = try routingMesh("node", "subzone", "zone", "region", "away")
        for index in mesh.workloads.indices {
            mesh.workloads[index].locality.region = "r"
            mesh.workloads[index].locality.zone = "z"
            mesh.workloads[index].locality.subzone = "s"
            mesh.workloads[index].node = "n"
        }
        for index in 2..<6 { mesh.workloads[index].node = "n\(index)" }
        for index in 3..<6 { mesh.workloads[index].locality.subzone = "s\(index)" }
        for index in 4..<6 { mesh.workloads[index].locality.zone = "z\(index)" }
        mesh.workloads[5].locality.region = "r5"
        mesh.services[0].loadBalancing.routingPreference = preference
        mesh.services[0].loadBalancing.mode = mode
        return mesh
    }

    private func reached(
        _ mesh: SampleMesh,
        excluding names: Set<String> = []
    ) throws -> Set<String> {
        var bench = RoutingBench(mesh)
        bench.excluded = Set(names.map { "c//Pod/shop/" + $0 })
        return try Set(bench.spread("10.96.0.1:80", count: 200).keys)
    }

    private static let all: Set<String> = ["node", "subzone", "zone", "region", "away"]

    @Test(
        arguments: [
            ([LoadBalancing.Scope.node], LoadBalancing.Mode.unspecified, all),
            ([.node], .strict, ["node"]), ([], .strict, all), ([], .failover, all),
            ([.region], .strict, ["node", "subzone", "zone", "region"]),
            ([.region, .zone], .strict, ["node", "subzone", "zone"]),
            ([.network, .region, .zone], .failover, ["node", "subzone", "zone"]),
            ([.network, .region, .zone, .subzone], .failover, ["node", "subzone"]),
            ([.network, .region, .zone, .subzone, .node], .failover, ["node"]),
            ([.region, .zone, .subzone, .node], .failover, ["node"]),
            ([.node], .failover, ["node"]),
        ] as [([LoadBalancing.Scope], LoadBalancing.Mode, Set<String>)]
    )
    func `keeps to the nearest`(
        preference: [LoadBalancing.Scope],
        mode: LoadBalancing.Mode,
        expected: Set<String>
    ) throws {
        #expect(try reached(mesh(preference, mode)) == expected)
    }

    @Test func `fails over outwards step by step`() throws {
        let mesh = try mesh([.network, .region, .zone, .subzone, .node], .failover)
        var gone: Set<String> = []
        for name in ["node", "subzone", "zone", "region", "away"] {
            #expect(try reached(mesh, excluding: gone) == [name])
            gone.insert(name)
        }
        #expect(try reached(mesh, excluding: gone).isEmpty)
    }

    @Test func `does not fail over when it is strict`() throws {
        var mesh = try mesh([.node], .strict)
        #expect(try reached(mesh, excluding: ["node"]).isEmpty)
        mesh.workloads[1].status = .unhealthy
        #expect(try reached(mesh).isEmpty)
    }

    @Test func `leaves unhealthy endpoints out before it looks for the nearest`() throws {
        var mesh = try mesh([.network, .region, .zone, .subzone, .node], .failover)
        mesh.workloads[1].status = .unhealthy
        #expect(try reached(mesh) == ["subzone"])
    }

    @Test func `ends the walk at the first mismatch`() throws {
        var mesh = try mesh([.region, .zone, .node], .failover)
        // Same node by name but in another region: its node counts for nothing.
        mesh.workloads[5].node = "n"
        mesh.workloads[1].status = .unhealthy
        #expect(try reached(mesh) == ["subzone", "zone"])
    }

    @Test func `knows no node that has no name`() throws {
        var mesh = try mesh([.node], .strict)
        for index in mesh.workloads.indices { mesh.workloads[index].node = "" }
        #expect(try reached(mesh).isEmpty)
    }

    @Test func `tells clusters apart`() throws {
        var mesh = try mesh([.cluster], .strict)
        mesh.workloads[3].clusterID = "other"
        #expect(try reached(mesh) == Self.all.subtracting(["zone"]))
    }
}
