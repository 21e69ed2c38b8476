import AmbientProtocol
import Discovery
import GRPCCore
import Mesh
import SwiftProtobuf
import Testing

@Suite("Refusals of the discovery server")
struct DiscoveryRefusalTests {
    /// The error a stream ends with after some first requests.
    private func ending(
        _ plane: TestControlPlane,
        token: String?,
        _ requests: [DiscoveryRequest]
    ) async throws -> RPCError {
        try await plane.run { port in
            try await RawStream.with(plane, port, token: token) { stream async throws in
                for request in requests { stream.send(request) }
                return try await stream.end()
            }
        }
    }

    @Test(arguments: [nil, "foreign", ""])
    func `no token and foreign tokens get nothing`(token: String?) async throws {
        let plane = try TestControlPlane()
        plane.store.apply(MeshChange(workloads: [Sample.workload("a")]))
        let error = try await ending(plane, token: token, [RawStream.first(TypeURL.address)])
        #expect(error.code == .unauthenticated)
        // The caller learns nothing of the reason.
        #expect(error.message == "authentication failed")
        #expect(plane.metrics.current.refusedTotal == 1)
        #expect(plane.metrics.current.pushesTotal.isEmpty)
    }

    @Test(arguments: [
        "ztunnel~10.0.0.1~ambit-node-abc.kube-system~kube-system.svc.cluster.local",
        "ztunnel~10.0.0.1~other-pod.ambit-system~ambit-system.svc.cluster.local",
        "sidecar~10.0.0.1~ambit-node-abc.ambit-system~x",
        "ztunnel~nowhere~ambit-node-abc.ambit-system~x",
        "ztunnel~10.0.0.1~ambit-node-abc~x", "ztunnel~10.0.0.1", "",
    ])
    func `a node must be the pod its token is bound to`(id: String) async throws {
        let plane = try TestControlPlane()
        plane.store.apply(MeshChange(workloads: [Sample.workload("a")]))
        let error = try await ending(
            plane,
            token: "good",
            [RawStream.first(TypeURL.address, id: id)]
        )
        #expect(error.code == .permissionDenied)
        #expect(plane.metrics.current.pushesTotal.isEmpty)
    }

    @Test(arguments: [
        ("NAMESPACE", "shop"), ("SERVICE_ACCOUNT", "admin"), ("NODE_NAME", "node-2"),
    ])
    func `metadata that claims another identity is refused`(key: String, value: String)
        async throws
    {
        let plane = try TestControlPlane()
        let request = RawStream.first(TypeURL.address) {
            $0.node.metadata.fields[key] = .init(stringValue: value)
        }
        let error = try await ending(plane, token: "good", [request])
        #expect(error.code == .permissionDenied)
    }

    @Test func `a flood of names ends the stream`() async throws {
        let plane = try TestControlPlane()
        let requests = (0..<3).map { round in
            RawStream.first(TypeURL.address) { request in
                request.resourceNamesSubscribe = (0..<9000).map { "shop/\(round)-\($0).example" }
            }
        }
        let error = try await ending(plane, token: "good", requests)
        #expect(error.code == .resourceExhausted)
    }

    @Test func `a giant name ends the stream`() async throws {
        let plane = try TestControlPlane()
        let request = RawStream.first(TypeURL.address) {
            $0.resourceNamesSubscribe = [String(repeating: "x", count: 5000)]
        }
        let error = try await ending(plane, token: "good", [request])
        #expect(error.code == .invalidArgument)
    }

    @Test func `types that are not known are left unanswered`() async throws {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first("type.googleapis.com/envoy.config.cluster.v3.Cluster"))
                stream.send(RawStream.first(TypeURL.address))
                #expect(try await stream.take().typeURL == TypeURL.address)
            }
        }
    }

    @Test func `a token that is revoked ends its stream`() async throws {
        var settings = DiscoveryServer.Settings()
        settings.catchUpSeconds = 0
        settings.firstRequestSeconds = 1
        settings.reviewSeconds = 1
        let plane = try TestControlPlane(discovery: settings)
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(TypeURL.address))
                _ = try await stream.take()
                plane.tokens.change { $0 = [:] }
                #expect(try await stream.end().code == .unauthenticated)
            }
        }
    }

    @Test func `one pod has only so many streams`() async throws {
        var settings = DiscoveryServer.Settings()
        settings.streamsPerPodMax = 1
        let plane = try TestControlPlane(discovery: settings)
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(TypeURL.address))
                _ = try await stream.take()
                let error = try await RawStream.with(plane, port) { second async throws in
                    second.send(RawStream.first(TypeURL.address))
                    return try await second.end()
                }
                #expect(error.code == .resourceExhausted)
            }
        }
    }

    @Test func `a node gets the policies of namespaces it runs, and no others`() async throws {
        let plane = try TestControlPlane(discovery: DiscoveryServer.Settings())
        var here = Sample.workload("a")
        here.node = "node-1"
        var elsewhere = Sample.workload("b", "bank")
        elsewhere.node = "node-2"
        plane.store.apply(
            MeshChange(
                workloads: [here, elsewhere],
                policies: [
                    Sample.policy("mine"), Sample.policy("theirs", "bank"),
                    Sample.policy("root", "ambit-system"), Sample.policy("all", "bank", .global),
                ]
            )
        )
        let moving = elsewhere
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(
                    RawStream.first(TypeURL.authorization) {
                        // A policy of a namespace that is not here any more is taken back.
                        $0.initialResourceVersions = ["bank/theirs": "old"]
                    }
                )
                let first = try await stream.take()
                #expect(first.names == ["ambit-system/root", "bank/all", "shop/mine"])
                #expect(first.removedResources == ["bank/theirs"])
                stream.send(
                    RawStream.first(TypeURL.authorization) {
                        $0.resourceNamesSubscribe = ["bank/theirs"]
                    }
                )
                #expect(try await stream.take().removedResources == ["bank/theirs"])
                plane.store.apply(MeshChange(policies: [Sample.policy("theirs2", "bank")]))
                #expect(await stream.isQuiet())
                // A pod of the namespace comes to the node.
                var moved = moving
                moved.node = "node-1"
                plane.store.apply(MeshChange(workloads: [moved]))
                #expect(try await stream.take().names == ["bank/theirs", "bank/theirs2"])
                moved.node = "node-2"
                plane.store.apply(MeshChange(workloads: [moved]))
                let left = try await stream.take()
                #expect(left.removedResources.sorted() == ["bank/theirs", "bank/theirs2"])
            }
        }
    }
}
