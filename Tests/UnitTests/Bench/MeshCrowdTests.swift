import Bench
import Mesh
import Testing

@Suite struct `The crowd of the benchmark's mesh` {
    private static let pods = ["ambit-client", "ambit-server"].enumerated().map { index, name in
        MeshCrowd.Pod(
            name: name,
            namespace: "mesh",
            node: "node-\(index + 1)",
            addresses: ["10.244.\(index).2"]
        )
    }

    private static func state(_ workloads: Int, _ policies: Int) throws -> MeshState {
        let crowd = try MeshCrowd(workloads: workloads, policies: policies, around: pods)
        return try MeshState(json: Array(try crowd.json()))
    }

    @Test(arguments: [(2, 1), (10, 1), (10, 1000), (3210, 7)])
    func `is a state that nodes take, of the size asked for`(
        workloads: Int,
        policies: Int
    ) throws {
        let state = try Self.state(workloads, policies)
        #expect(state.workloads.count == workloads)
        #expect(state.policies.count == policies)
        #expect(state.services.count == (workloads - 2 + 9) / 10)
        let addresses = state.workloads.flatMap(\.addresses)
        #expect(Set(addresses).count == workloads)
        let snapshot = Snapshot(
            version: 1,
            workloads: state.workloads,
            services: state.services,
            policies: state.policies
        )
        // Every workload of the crowd is found by its service, and none of them by the pods'.
        let members = snapshot.services.reduce(0) { $0 + $1.endpoints.count }
        #expect(members == workloads - 2)
    }

    @Test func `leaves the pods one policy that lets them through`() throws {
        let state = try Self.state(100, 1000)
        let own = state.policies.filter { $0.namespace == "mesh" }
        #expect(own.map(\.name) == ["own"])
        #expect(own.first?.action == .allow)
        #expect(state.policies.allSatisfy { $0.scope != .global })
        let pod = try #require(state.workloads.first { $0.name == "ambit-server" })
        #expect(pod.uid == "Kubernetes//Pod/mesh/ambit-server")
        #expect(pod.tunnelProtocol == .hbone)
        #expect(pod.node == "node-2")
    }

    @Test(arguments: [(1, 1), (10, 0), (1_000_001, 1)])
    func `is refused where it does not fit`(workloads: Int, policies: Int) {
        #expect(throws: MeshCrowd.Invalid.self) {
            try MeshCrowd(workloads: workloads, policies: policies, around: Self.pods)
        }
    }
}
