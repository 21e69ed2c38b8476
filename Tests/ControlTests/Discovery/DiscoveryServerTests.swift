import AmbientProtocol
import Discovery
import GRPCCore
import Mesh
import SwiftProtobuf
import Testing

@Suite("The discovery server")
struct DiscoveryServerTests {
    private let address = TypeURL.address
    private let authorization = TypeURL.authorization

    @Test func `sends all of a type to who asks for nothing by name`() async throws {
        let plane = try TestControlPlane()
        plane.store.apply(
            MeshChange(workloads: [Sample.workload("a"), Sample.workload("b")])
        )
        plane.store.apply(MeshChange(services: [Sample.service("web")]))
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                let response = try await stream.take()
                #expect(
                    response.names == [
                        "Kubernetes//Pod/shop/a", "Kubernetes//Pod/shop/b",
                        "shop/web.shop.svc.cluster.local",
                    ]
                )
                #expect(response.typeURL == self.address)
                #expect(!response.nonce.isEmpty)
                #expect(response.resources.allSatisfy { $0.resource.typeURL == self.address })
            }
        }
    }

    @Test func `answers with nothing when there is nothing, so that nodes become ready`()
        async throws
    {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.authorization))
                let response = try await stream.take()
                #expect(response.resources.isEmpty)
                #expect(await stream.isQuiet())
            }
        }
    }

    @Test func `sends what changed and nothing else`() async throws {
        let plane = try TestControlPlane()
        plane.store.apply(MeshChange(workloads: [Sample.workload("a"), Sample.workload("b")]))
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                let first = try await stream.take()
                var changed = Sample.workload("b")
                changed.status = .unhealthy
                // The same again is no change.
                plane.store.apply(MeshChange(workloads: [Sample.workload("a"), changed]))
                let second = try await stream.take()
                #expect(second.names == ["Kubernetes//Pod/shop/b"])
                #expect(
                    second.versions["Kubernetes//Pod/shop/b"]
                        != first.versions["Kubernetes//Pod/shop/b"]
                )
                var removal = MeshChange()
                removal.removedWorkloads = [
                    "Kubernetes//Pod/shop/a", "Kubernetes//Pod/shop/nobody",
                ]
                plane.store.apply(removal)
                let third = try await stream.take()
                #expect(third.resources.isEmpty)
                #expect(third.removedResources == ["Kubernetes//Pod/shop/a"])
                #expect(await stream.isQuiet())
            }
        }
    }

    @Test func `puts many changes of a moment into one response`() async throws {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                _ = try await stream.take()
                for round in 0..<50 {
                    var workload = Sample.workload("a")
                    workload.capacity = UInt32(round)
                    plane.store.apply(MeshChange(workloads: [workload]))
                }
                #expect(try await stream.take().names == ["Kubernetes//Pod/shop/a"])
                // The moment is long where others take the processor, and then there are some.
                var responses = 1
                while await !stream.isQuiet() {
                    _ = try await stream.take()
                    responses += 1
                }
                #expect(responses < 25)
            }
        }
    }

    @Test func `sends only differences to who says what it holds`() async throws {
        let plane = try TestControlPlane()
        plane.store.apply(MeshChange(workloads: [Sample.workload("a"), Sample.workload("b")]))
        try await plane.run { port in
            let held = try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                return try await stream.take().versions
            }
            var change = MeshChange(workloads: [Sample.workload("c")])
            change.removedWorkloads = ["Kubernetes//Pod/shop/a"]
            plane.store.apply(change)
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(
                    RawStream.first(self.address) { request in
                        request.initialResourceVersions = held
                        request.initialResourceVersions["shop/gone.example"] = "x"
                    }
                )
                let response = try await stream.take()
                #expect(response.names == ["Kubernetes//Pod/shop/c"])
                #expect(
                    response.removedResources.sorted() == [
                        "Kubernetes//Pod/shop/a", "shop/gone.example",
                    ]
                )
                #expect(await stream.isQuiet())
            }
        }
    }

    @Test func `gives the same versions from any replica, in any order`() async throws {
        var versions: [[String: String]] = []
        var one = Sample.workload("a")
        one.services = ["shop/x": [], "shop/y": [], "shop/z": [], "shop/w": []]
        var other = Sample.workload("a")
        for key in ["shop/w", "shop/z", "shop/y", "shop/x"] { other.services[key] = [] }
        for workload in [one, other] {
            let plane = try TestControlPlane()
            plane.store.apply(MeshChange(workloads: [workload]))
            let found = try await plane.run { port in
                try await RawStream.with(plane, port) { stream async throws in
                    stream.send(RawStream.first(self.address))
                    return try await stream.take().versions
                }
            }
            versions.append(found)
        }
        #expect(versions[0] == versions[1])
        #expect(versions[0].count == 1)
    }

    @Test func `sends policies before the workloads they guard`() async throws {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                _ = try await stream.take()
                stream.send(RawStream.first(self.authorization))
                _ = try await stream.take()
                for round in 0..<5 {
                    plane.store.apply(
                        MeshChange(
                            workloads: [Sample.workload("w\(round)")],
                            policies: [Sample.policy("p\(round)")]
                        )
                    )
                    #expect(try await stream.take().typeURL == self.authorization)
                    #expect(try await stream.take().typeURL == self.address)
                }
            }
        }
    }

    @Test func `counts a refusal and waits for the next change`() async throws {
        let plane = try TestControlPlane()
        plane.store.apply(MeshChange(policies: [Sample.policy("p")]))
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.authorization))
                let response = try await stream.next()
                stream.acknowledge(response, refusing: "shop/p: no\u{1}good")
                #expect(await stream.isQuiet())
                #expect(
                    await eventually {
                        plane.metrics.current.nacksTotal[self.authorization] == 1
                    }
                )
                let event = DiscoveryEvent.notAcknowledged(
                    TestControlPlane.caller,
                    typeURL: self.authorization,
                    reason: "shop/p: no?good"
                )
                #expect(await eventually { plane.events.value.contains(event) })
                plane.store.apply(MeshChange(policies: [Sample.policy("q")]))
                #expect(try await stream.take().names == ["shop/q"])
            }
        }
    }

    @Test func `sends a sync in parts to who understands it, and whole to others`() async throws {
        let plane = try TestControlPlane()
        plane.store.apply(
            MeshChange(workloads: (0..<2500).map { Sample.workload("w\($0)") })
        )
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                #expect(try await stream.take().resources.count == 2500)
                #expect(await stream.isQuiet())
            }
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address, takesPartial: true))
                let parts = [
                    try await stream.take(), try await stream.take(), try await stream.take(),
                ]
                #expect(parts.map(\.resources.count) == [1000, 1000, 500])
                #expect(parts.map(\.systemVersionInfo) == ["partial", "partial", ""])
                #expect(Set(parts.flatMap(\.names)).count == 2500)
            }
        }
    }

    @Test func `cuts off who falls too far behind, and lets it resume`() async throws {
        var settings = ResourceStore.Settings()
        settings.lagMax = 500
        settings.quietMilliseconds = 1
        settings.debounceMilliseconds = 1
        let plane = try TestControlPlane(store: ResourceStore(settings: settings))
        plane.store.apply(MeshChange(workloads: [Sample.workload("stays")]))
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                // It takes what comes, but never says so.
                for round in 0..<20 {
                    plane.store.apply(MeshChange(workloads: [Sample.workload("w\(round)")]))
                    _ = try? await within(.milliseconds(200)) { try await stream.next() }
                }
                for round in 0..<6000 {
                    let workload = Sample.workload("churn\(round)")
                    plane.store.apply(MeshChange(workloads: [workload]))
                    var removal = MeshChange()
                    removal.removedWorkloads = [workload.uid]
                    plane.store.apply(removal)
                }
                while true {
                    do { _ = try await stream.next() } catch is RPCError { break }
                }
                #expect(try await stream.end().code == .unavailable)
            }
            #expect(plane.metrics.current.laggingTotal == 1)
            #expect(plane.store.statistics.changesKept < 2500)
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(
                    RawStream.first(self.address) {
                        $0.initialResourceVersions = ["Kubernetes//Pod/shop/churn1": "x"]
                    }
                )
                let response = try await stream.take()
                #expect(response.resources.count == 21)
                #expect(response.removedResources == ["Kubernetes//Pod/shop/churn1"])
            }
        }
    }

    @Test func `waits for acknowledgements, and then sends the latest of each once`() async throws {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                stream.send(RawStream.first(self.address))
                var received = 1
                var last = try await stream.take()
                // The client takes nothing while a few resources change over and over.
                for round in 0..<60 {
                    for name in ["a", "b"] {
                        var workload = Sample.workload(name)
                        workload.capacity = UInt32(round + 2)
                        plane.store.apply(MeshChange(workloads: [workload]))
                    }
                    try await Task.sleep(for: .milliseconds(15))
                }
                while await !stream.isQuiet() {
                    last = try await stream.next()
                    received += 1
                }
                #expect(received <= 17)
                #expect(plane.store.statistics.changesKept <= 1030)
                stream.acknowledge(last)
                let latest = try await stream.take()
                #expect(latest.names == ["Kubernetes//Pod/shop/a", "Kubernetes//Pod/shop/b"])
                #expect(await stream.isQuiet())
            }
        }
    }
}
