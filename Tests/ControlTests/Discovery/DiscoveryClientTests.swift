import Discovery
import Mesh
import NIOCore
import NIOPosix
import Reactor
import TLS
import Testing

@Suite("The discovery client")
struct DiscoveryClientTests {
    /// What a client told so far.
    struct Told {
        var changes: [MeshChange] = []
        var synced = 0
        var connected = 0
        var disconnected: [String] = []
        var rejected: [ResourceRejection] = []
        var revocations: [String?] = []
        /// How many revocation lists had been told of when the mesh was in sync.
        var revocationsBeforeSync = 0
        /// The mesh that comes of it.
        var mesh = MeshState()
    }

    /// Runs a client beside a body.
    private func follow<Value: Sendable>(
        _ endpoint: ControlEndpoint,
        token: SecretSource = .text("good"),
        metrics: DiscoveryClientMetrics = DiscoveryClientMetrics(),
        dialTimeout: Duration = .seconds(10),
        _ body: @escaping @Sendable (Shared<Told>) async throws -> Value
    ) async throws -> Value {
        let told = Shared(Told())
        let loop = ControlLoop()
        var settings = DiscoveryClient.Settings(
            endpoint: endpoint,
            token: token,
            nodeName: "node-1",
            podName: "ambit-node-abc",
            podNamespace: "ambit-system"
        )
        settings.dialTimeout = dialTimeout
        let client = DiscoveryClient(
            settings: settings,
            loop: loop,
            metrics: metrics
        ) { event in
            told.change { told in
                switch event {
                case .change(let change):
                    told.changes.append(change)
                    told.mesh.apply(change)
                case .revocations(let text): told.revocations.append(text)
                case .synced:
                    told.synced += 1
                    told.revocationsBeforeSync = told.revocations.count
                case .connected: told.connected += 1
                case .disconnected(let reason, _): told.disconnected.append(reason)
                case .rejected(let rejections): told.rejected += rejections
                }
            }
        }
        let value = try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                await client.run()
                return nil
            }
            group.addTask { try await body(told) }
            defer { group.cancelAll() }
            return try #require(try await group.next() ?? nil)
        }
        await loop.stop()
        return value
    }

    @Test func `learns the whole mesh at once, then every change`() async throws {
        let plane = try TestControlPlane()
        let workloads = (0..<1500).map { Sample.workload("w\($0)", at: "10.0.0.1") }
        plane.store.apply(
            MeshChange(
                workloads: workloads,
                services: [Sample.service("web")],
                policies: [Sample.policy("p")]
            )
        )
        let metrics = DiscoveryClientMetrics()
        try await plane.run { port in
            try await follow(plane.endpoint(port), metrics: metrics) { told async throws in
                #expect(await eventually { told.value.synced == 1 })
                #expect(told.value.changes.count == 1)
                #expect(told.value.mesh.workloads.count == 1500)
                #expect(told.value.mesh.services == [Sample.service("web")])
                #expect(told.value.mesh.policies == [Sample.policy("p")])
                var change = MeshChange()
                change.removedPolicies = ["shop/p"]
                change.removedServices = ["shop/web.shop.svc.cluster.local"]
                change.removedWorkloads = workloads.dropFirst().map(\.uid)
                plane.store.apply(change)
                #expect(
                    await eventually {
                        told.value.mesh == MeshState(workloads: [workloads[0]])
                    }
                )
                #expect(metrics.current.isConnected)
                #expect(metrics.current.messages[TypeURL.authorization] ?? 0 >= 2)
                #expect(
                    await eventually {
                        plane.metrics.current.pushLatency.counts.reduce(0, +) > 0
                    }
                )
            }
        }
    }

    @Test func `hears of revocation lists before the mesh, and of each change`() async throws {
        let plane = try TestControlPlane()
        plane.store.setRevocations("one")
        plane.store.apply(MeshChange(workloads: [Sample.workload("w")]))
        try await plane.run { port in
            try await follow(plane.endpoint(port)) { told async throws in
                #expect(await eventually { told.value.synced == 1 })
                #expect(told.value.revocations == ["one"])
                #expect(told.value.revocationsBeforeSync == 1)
                plane.store.setRevocations("two")
                #expect(await eventually { told.value.revocations == ["one", "two"] })
                plane.store.setRevocations("two")
                plane.store.setRevocations(nil)
                #expect(await eventually { told.value.revocations == ["one", "two", nil] })
            }
        }
    }

    @Test func `resets nothing of what it holds when lists are gone while it was away`()
        async throws
    {
        let first = try TestControlPlane()
        first.store.setRevocations("one")
        first.store.apply(MeshChange(workloads: [Sample.workload("w")]))
        let port = try await first.run { port in port }
        let address = "127.0.0.1:\(port)"
        let again = try TestControlPlane(authority: first.authority, address: address)
        again.store.apply(MeshChange(workloads: [Sample.workload("w")]))
        let before = try TestControlPlane(authority: first.authority, address: address)
        before.store.setRevocations("one")
        before.store.apply(MeshChange(workloads: [Sample.workload("w")]))
        try await follow(before.endpoint(port)) { told async throws in
            try await before.run { _ in
                #expect(await eventually { told.value.revocations == ["one"] })
            }
            try await again.run { _ in
                #expect(await eventually { told.value.revocations == ["one", nil] })
            }
        }
    }

    @Test func `keeps what it knows without the controller and gets only differences after`()
        async throws
    {
        let first = try TestControlPlane()
        let workloads = (0..<50).map { Sample.workload("w\($0)") }
        first.store.apply(MeshChange(workloads: workloads, policies: [Sample.policy("p")]))
        let port = try await first.run { port in port }
        // Another replica, later: same root, same port, a mesh that went on meanwhile.
        let address = "127.0.0.1:\(port)"
        let authority = first.authority
        try await follow(first.endpoint(port)) { told async throws in
            let before = try TestControlPlane(
                store: first.store,
                authority: authority,
                address: address
            )
            try await before.run { _ in
                #expect(await eventually { told.value.synced == 1 })
            }
            #expect(await eventually { !told.value.disconnected.isEmpty })
            #expect(told.value.mesh.workloads.count == 50)
            let after = try TestControlPlane(authority: authority, address: address)
            after.store.apply(
                MeshChange(
                    workloads: Array(workloads.dropFirst()) + [Sample.workload("new")],
                    policies: [Sample.policy("p")]
                )
            )
            try await after.run { _ in
                #expect(await eventually { told.value.changes.count == 2 })
                var expected = MeshChange(workloads: [Sample.workload("new")])
                expected.removedWorkloads = [workloads[0].uid]
                #expect(told.value.changes.last == expected)
                #expect(told.value.synced == 1)
                #expect(after.metrics.current.pushedResourcesTotal[TypeURL.address] == 2)
            }
        }
    }

    @Test func `trusts only the root and the name it was given`() async throws {
        let plane = try TestControlPlane()
        let stranger = try TestControlPlane()
        try await plane.run { port in
            let roots = SecretSource.text(plane.authority.certificate.pem)
            let wrong: [ControlEndpoint?] = [
                ControlEndpoint(
                    "localhost:\(port)",
                    roots: .text(stranger.authority.certificate.pem)
                ),
                ControlEndpoint("localhost:\(port)", name: "other.test", roots: roots),
                ControlEndpoint("127.0.0.1:\(port)", roots: roots),
                ControlEndpoint("localhost:\(port)", roots: .file("/nonexistent/root.pem")),
            ]
            for endpoint in wrong {
                try await follow(#require(endpoint)) { told async throws in
                    #expect(await eventually { told.value.disconnected.count >= 2 })
                    #expect(told.value.connected == 0)
                }
            }
            let right: [ControlEndpoint?] = [
                ControlEndpoint("127.0.0.1:\(port)", name: "control.test", roots: roots),
                ControlEndpoint("127.0.0.1:\(port)", roots: roots),
            ]
            for (endpoint, name) in zip(right, ["control.test", "127.0.0.1"]) {
                try plane.certificate.replace(
                    authority: plane.authority,
                    names: [name],
                    notBefore: plane.authority.certificate.notBefore,
                    notAfter: plane.authority.certificate.notAfter
                )
                try await follow(#require(endpoint)) { told async throws in
                    #expect(await eventually { told.value.synced == 1 })
                }
            }
        }
        #expect(stranger.metrics.current.connectionsTotal == 0)
        #expect(plane.metrics.current.connectionsTotal == 2)
    }

    @Test func `a server's certificate is replaced without a restart`() async throws {
        let plane = try TestControlPlane()
        let now = WallClock.nanoseconds() / 1_000_000_000
        let next = try Authority.root(
            trustDomain: "cluster.local",
            notBefore: now - 60,
            notAfter: now + 3600
        )
        try await plane.run { port in
            try await follow(plane.endpoint(port)) { told async throws in
                #expect(await eventually { told.value.synced == 1 })
                try plane.certificate.replace(
                    authority: next,
                    names: ["localhost"],
                    notBefore: now - 60,
                    notAfter: now + 600
                )
                // The open stream goes on.
                plane.store.apply(MeshChange(workloads: [Sample.workload("a")]))
                #expect(await eventually { told.value.mesh.workloads.count == 1 })
            }
            let endpoint = ControlEndpoint(
                "localhost:\(port)",
                roots: .text(next.certificate.pem)
            )
            try await follow(#require(endpoint)) { told async throws in
                #expect(await eventually { told.value.synced == 1 })
            }
        }
    }

    @Test func `goes to the next place when one is not there or says nothing`() async throws {
        let plane = try TestControlPlane()
        // It takes connections and never says a word.
        let silent = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let silentPort = try #require(silent.localAddress?.port)
        try await plane.run { port in
            for other in [1, silentPort] {
                let endpoint = ControlEndpoint(
                    "127.0.0.1:\(other),localhost:\(port),127.0.0.1:\(other)",
                    name: "localhost",
                    roots: .text(plane.authority.certificate.pem)
                )
                let followed = try #require(endpoint)
                try await follow(followed, dialTimeout: .seconds(1)) { told async throws in
                    #expect(await eventually { told.value.synced == 1 })
                }
            }
        }
        try await silent.close()
    }

    @Test(arguments: [
        "", ",", "a:1,", "a:1,,b:2", "a:1 ,b:2", "a", "a:0", "a:65536", "[::1]", "a:1;b:2",
        "a/b:1",
    ])
    func `has no place by a text such as`(text: String) {
        #expect(ControlEndpoint(text, roots: .system) == nil)
    }

    @Test func `has each place of a list`() throws {
        let text = "https://a.b:1,[fd00::1]:15012,10.0.0.1:3"
        let endpoint = try #require(ControlEndpoint(text, roots: .system))
        #expect(endpoint.places.map(\.description) == ["a.b:1", "[fd00::1]:15012", "10.0.0.1:3"])
        let many = Array(repeating: "a:1", count: ControlEndpoint.placesMax + 1)
        #expect(ControlEndpoint(many.joined(separator: ","), roots: .system) == nil)
    }

    @Test func `is refused with a foreign token, and taken once it is replaced`() async throws {
        let plane = try TestControlPlane()
        try await plane.run { port in
            try await follow(plane.endpoint(port), token: .text("rotated")) { told async throws in
                #expect(await eventually { told.value.disconnected.count >= 2 })
                #expect(told.value.synced == 0)
                #expect(told.value.disconnected[0].contains("unauthenticated"))
                plane.tokens.change { $0["rotated"] = TestControlPlane.caller }
                #expect(await eventually { told.value.synced == 1 })
            }
        }
    }
}
