import AmbientProtocol
import Discovery
import FoundationEssentials
import GRPCCore
import Mesh
import SwiftProtobuf
import TLS
import Testing

/// A control plane that answers as a test says, as a foreign one might.
private struct ScriptedDiscovery: Envoy_Service_Discovery_V3_AggregatedDiscoveryService
        .SimpleServiceProtocol
{
    let requests = Shared<[DiscoveryRequest]>([])
    /// What to send for a request.
    let answer: @Sendable (DiscoveryRequest) -> [DiscoveryResponse]

    func deltaAggregatedResources(
        request: RPCAsyncSequence<DiscoveryRequest, any Error>,
        response: RPCWriter<DiscoveryResponse>,
        context: ServerContext
    ) async throws {
        for try await one in request {
            requests.change { $0.append(one) }
            for message in answer(one) { try await response.write(message) }
        }
    }

    /// Requests of a type so far.
    func requests(_ typeURL: String) -> [DiscoveryRequest] {
        requests.value.filter { $0.typeURL == typeURL }
    }
}

@Suite("Under a foreign control plane")
struct ForeignControlPlaneTests {
    private static func response(
        _ typeURL: String,
        nonce: String = "n",
        _ resources: [(name: String, version: String, message: any Message)],
        removed: [String] = []
    ) throws -> DiscoveryResponse {
        var response = DiscoveryResponse()
        response.typeURL = typeURL
        response.nonce = nonce
        response.systemVersionInfo = "2026-11-21T00:00:00Z/7"
        response.removedResources = removed
        response.resources = try resources.map { name, version, message in
            var resource = Envoy_Service_Discovery_V3_Resource()
            resource.name = name
            resource.version = version
            resource.resource.typeURL = typeURL
            resource.resource.value = try message.serializedData()
            return resource
        }
        return response
    }

    private static func address(_ workload: Workload) -> Istio_Workload_Address {
        .with { $0.workload = workload.wire }
    }

    /// Runs the client against a script until the body is through.
    private func follow(
        _ script: ScriptedDiscovery,
        _ body: @escaping @Sendable (Shared<MeshState>, Shared<[String]>) async throws -> Void
    ) async throws {
        let plane = try TestControlPlane()
        let server = try ControlServer(
            address: try #require(SocketAddress("127.0.0.1:0")),
            certificate: plane.certificate,
            services: [script]
        )
        let mesh = Shared(MeshState())
        let rejected = Shared<[String]>([])
        let loop = ControlLoop()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var settings = DiscoveryClient.Settings(
                endpoint: try plane.endpoint(try await server.port),
                token: .text("token"),
                nodeName: "node-1",
                podName: "ztunnel-x",
                podNamespace: "istio-system"
            )
            settings.instanceIP = "10.9.8.7"
            settings.network = "net-1"
            let client = DiscoveryClient(settings: settings, loop: loop) { event in
                switch event {
                case .change(let change): mesh.change { $0.apply(change) }
                case .rejected(let all): rejected.change { $0 += all.map(\.description) }
                case .connected, .disconnected, .synced, .revocations: break
                }
            }
            group.addTask { await client.run() }
            defer { group.cancelAll() }
            try await body(mesh, rejected)
        }
        await loop.stop()
    }

    @Test func `asks for everything, as the node it is`() async throws {
        let script = ScriptedDiscovery { _ in [] }
        try await follow(script) { _, _ in
            #expect(await eventually { script.requests.value.count == 3 })
            let requests = script.requests.value
            // Policies, and what is revoked, before what they guard.
            #expect(
                requests.map(\.typeURL)
                    == [TypeURL.revocation, TypeURL.authorization, TypeURL.address]
            )
            for request in requests {
                #expect(request.resourceNamesSubscribe.isEmpty)
                #expect(request.responseNonce.isEmpty)
                #expect(
                    request.node.id
                        == "ztunnel~10.9.8.7~ztunnel-x.istio-system~istio-system.svc.cluster.local"
                )
                let fields = request.node.metadata.fields.mapValues(\.stringValue)
                #expect(fields["NAME"] == "ztunnel-x")
                #expect(fields["NAMESPACE"] == "istio-system")
                #expect(fields["NODE_NAME"] == "node-1")
                #expect(fields["INSTANCE_IPS"] == "10.9.8.7")
                #expect(fields["NETWORK"] == "net-1")
            }
        }
    }

    @Test func `refuses bad resources one by one and takes the good ones`() async throws {
        let good = Sample.workload("good", at: "10.0.0.1")
        var legacy = Sample.workload("legacy").wire
        legacy.tunnelProtocol = .legacyIstioMtls
        let bad = legacy
        let script = ScriptedDiscovery { request in
            guard request.responseNonce.isEmpty else { return [] }
            if request.typeURL == TypeURL.authorization {
                return [(try? Self.response(request.typeURL, []))].compactMap { $0 }
            }
            // What it does not know, a foreign control plane leaves unanswered.
            guard request.typeURL == TypeURL.address else { return [] }
            let response = try? Self.response(
                request.typeURL,
                nonce: "first",
                [
                    (good.uid, "1", Self.address(good)),
                    (bad.uid, "1", Istio_Workload_Address.with { $0.workload = bad }),
                    ("Kubernetes//Pod/shop/other-name", "1", Self.address(Sample.workload("x"))),
                    ("nothing", "1", Istio_Workload_Address()),
                    (good.uid, "2", Self.address(good)),
                ]
            )
            return [response].compactMap { $0 }
        }
        try await follow(script) { mesh, rejected in
            #expect(await eventually { mesh.value.workloads == [good] })
            #expect(await eventually { script.requests(TypeURL.address).count == 2 })
            let answer = try #require(script.requests(TypeURL.address).last)
            #expect(answer.responseNonce == "first")
            let reasons = answer.errorDetail.message
            #expect(reasons.contains("\(bad.uid): tunnel_protocol: LEGACY_ISTIO_MTLS"))
            #expect(reasons.contains("other-name: name: is not its content's"))
            #expect(reasons.contains("nothing: is neither a workload nor a service"))
            #expect(reasons.contains("comes twice"))
            #expect(rejected.value.count == 4)
            #expect(script.requests(TypeURL.authorization).last?.hasErrorDetail == false)
        }
    }

    @Test func `keeps the last good policy`()
        async throws
    {
        let policy = Sample.policy("p")
        var spoilt = policy.wire
        spoilt.action = .UNRECOGNIZED(7)
        let bad = spoilt
        let connections = Shared(0)
        let script = ScriptedDiscovery { request in
            let answers: [DiscoveryResponse?]
            switch (request.typeURL, request.responseNonce) {
            case (TypeURL.authorization, ""):
                connections.change { $0 += 1 }
                answers =
                    connections.value == 1
                    ? [
                        try? Self.response(
                            request.typeURL,
                            nonce: "good",
                            [(policy.key, "1", policy.wire)]
                        )
                    ] : []
            case (TypeURL.authorization, "good"):
                answers = [
                    try? Self.response(request.typeURL, nonce: "bad", [(policy.key, "2", bad)])
                ]
            case (TypeURL.authorization, "bad"):
                // A removal of what is not held, and of what is a service's name.
                answers = [
                    try? Self.response(
                        request.typeURL,
                        nonce: "end",
                        [],
                        removed: ["shop/unknown"]
                    )
                ]
            case (TypeURL.address, ""): answers = [try? Self.response(request.typeURL, [])]
            default: answers = []
            }
            return answers.compactMap { $0 }
        }
        try await follow(script) { mesh, rejected in
            #expect(await eventually { rejected.value.count == 1 })
            #expect(rejected.value == ["shop/p: action: has the unknown value 7"])
            #expect(await eventually { script.requests(TypeURL.authorization).count == 4 })
            #expect(mesh.value.policies == [policy])
            let answers = script.requests(TypeURL.authorization)
            #expect(answers[1].responseNonce == "good" && !answers[1].hasErrorDetail)
            #expect(answers[2].responseNonce == "bad" && answers[2].hasErrorDetail)
            #expect(answers[3].responseNonce == "end" && !answers[3].hasErrorDetail)
        }
    }

    @Test func `a name that goes is a workload's or a service's, whichever is held`() async throws {
        let service = Sample.service("web")
        let workload = Sample.workload("a")
        let script = ScriptedDiscovery { request in
            guard request.typeURL == TypeURL.address else {
                guard request.responseNonce.isEmpty else { return [] }
                return [(try? Self.response(request.typeURL, []))].compactMap { $0 }
            }
            let answer: DiscoveryResponse?
            switch request.responseNonce {
            case "":
                answer = try? Self.response(
                    request.typeURL,
                    nonce: "1",
                    [
                        (workload.uid, "1", Self.address(workload)),
                        (
                            service.key, "1",
                            Istio_Workload_Address.with { $0.service = service.wire }
                        ),
                        ("Kubernetes//Pod/shop/b", "1", Self.address(Sample.workload("b"))),
                    ]
                )
            case "1":
                answer = try? Self.response(
                    request.typeURL,
                    nonce: "2",
                    [],
                    removed: [service.key, workload.uid, "shop/x.example", "no/such/thing"]
                )
            default: answer = nil
            }
            return [answer].compactMap { $0 }
        }
        try await follow(script) { mesh, _ in
            #expect(await eventually { mesh.value.workloads.map(\.name) == ["b"] })
            #expect(await eventually { mesh.value.services.isEmpty })
            #expect(await eventually { script.requests(TypeURL.address).count == 3 })
        }
    }
}
