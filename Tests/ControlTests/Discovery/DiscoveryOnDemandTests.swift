import AmbientProtocol
import Discovery
import Mesh
import Testing

@Suite("Discovery on demand")
struct DiscoveryOnDemandTests {
    private func open(_ stream: RawStream) async throws {
        stream.send(
            RawStream.first(TypeURL.address) { request in
                request.resourceNamesSubscribe = ["*"]
                request.resourceNamesUnsubscribe = ["*"]
            }
        )
        #expect(try await stream.take().resources.isEmpty)
    }

    private func ask(_ stream: RawStream, _ names: String...) {
        stream.send(
            RawStream.first(TypeURL.address) { request in
                request.clearNode()
                request.resourceNamesSubscribe = names
            }
        )
    }

    private func mesh() throws -> TestControlPlane {
        let plane = try TestControlPlane()
        var backend = Sample.workload("web-1", at: "10.0.0.7")
        backend.services = ["shop/web.shop.svc.cluster.local": []]
        plane.store.apply(
            MeshChange(
                workloads: [backend, Sample.workload("other", at: "10.0.0.8")],
                services: [Sample.service("web")]
            )
        )
        return plane
    }

    @Test func `answers by uid, by address and by service, with the service's workloads`()
        async throws
    {
        let plane = try mesh()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                try await self.open(stream)
                self.ask(stream, "Kubernetes//Pod/shop/other")
                #expect(try await stream.take().names == ["Kubernetes//Pod/shop/other"])
                self.ask(stream, "/10.0.0.7")
                let byAddress = try await stream.take()
                #expect(byAddress.names == ["Kubernetes//Pod/shop/web-1"])
                #expect(byAddress.resources.first?.aliases == ["/10.0.0.7"])
                self.ask(stream, "shop/web.shop.svc.cluster.local")
                #expect(
                    try await stream.take().names == [
                        "Kubernetes//Pod/shop/web-1", "shop/web.shop.svc.cluster.local",
                    ]
                )
            }
        }
    }

    @Test func `answers for what does not exist, and sends it when it does`() async throws {
        let plane = try mesh()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                try await self.open(stream)
                self.ask(stream, "/10.0.0.99")
                let response = try await stream.take()
                #expect(response.removedResources == ["/10.0.0.99"])
                #expect(response.resources.isEmpty)
                plane.store.apply(
                    MeshChange(workloads: [Sample.workload("late", at: "10.0.0.99")])
                )
                #expect(try await stream.take().names == ["Kubernetes//Pod/shop/late"])
            }
        }
    }

    @Test func `follows what was asked for and nothing else`() async throws {
        let plane = try mesh()
        try await plane.run { port in
            try await RawStream.with(plane, port) { stream async throws in
                try await self.open(stream)
                self.ask(stream, "shop/web.shop.svc.cluster.local")
                _ = try await stream.take()
                plane.store.apply(MeshChange(workloads: [Sample.workload("unrelated")]))
                #expect(await stream.isQuiet())
                var second = Sample.workload("web-2")
                second.services = ["shop/web.shop.svc.cluster.local": []]
                plane.store.apply(MeshChange(workloads: [second]))
                #expect(try await stream.take().names == ["Kubernetes//Pod/shop/web-2"])
                var removal = MeshChange()
                removal.removedWorkloads = [second.uid, "Kubernetes//Pod/shop/other"]
                plane.store.apply(removal)
                #expect(try await stream.take().removedResources == [second.uid])
            }
        }
    }
}
