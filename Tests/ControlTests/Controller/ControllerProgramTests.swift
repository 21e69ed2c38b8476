import APIServerDouble
import Controller
import Kubernetes
import Mesh
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A controller` {
    private static func put(_ yaml: String, into double: APIServerDouble) throws {
        for document in try YAMLDocuments(Array(yaml.utf8)).documents {
            try double.put(try Value(yaml: document.text))
        }
    }

    private static func settings() -> ControllerSettings {
        var settings = ControllerSettings()
        settings.address = SocketAddress(IPAddress(v4: 0x7F00_0001), 0)
        settings.metricsAddress = SocketAddress(IPAddress(v4: 0x7F00_0001), 0)
        settings.debugPort = 0
        settings.authorityPollSeconds = 1
        return settings
    }

    private static func condition(
        _ type: String,
        of name: String,
        in double: APIServerDouble
    ) -> Value {
        let resource = Resource(
            AuthorizationPolicy.objectType,
            version: "security.ambit.dev/v1alpha1"
        )
        let object = double.get(ObjectReference(resource, namespace: "shop", name: name))
        return object?["status"]["conditions"].listValue?
            .first { $0["type"].stringValue == type } ?? .null
    }

    // What the server could not take is written when it can.
    private static func refuseOnce(_ double: APIServerDouble) async throws {
        double.faults.answers = [
            Faults.Answer(path: "/status", method: "PATCH", status: 503, times: 1)
        ]
        try put(Manifest.authorization("late", "action: DENY\nrules: [{}]"), into: double)
        #expect(await soon { condition("Enforced", of: "late", in: double)["status"] == "True" })
        #expect(double.faults.answers.allSatisfy { $0.times == 0 })
    }

    private static let objects = Manifest.joined([
        Manifest.namespace("ambit-system"),
        Manifest.namespace("shop", "ambit.dev/dataplane-mode: sometimes"),
        Manifest.authorization("good", "action: DENY\nrules: [{}]"),
        Manifest.authorization("bad", "action: DENY\nrules: [{to: []}]"),
        Manifest.authorization("lost", "action: DENY\nrules: [{to: []}]") + """

            status: {conditions: [{type: Enforced, status: "True", reason: Enforced}]}
            """,
    ])

    @Test func `that leads keeps an authority and tells authors what became of their objects`()
        async throws
    {
        let pair = try await Pair()
        try Self.put(Self.objects, into: pair.double)
        let election = LeaderElection(
            cluster: pair.server,
            settings: LeaderElection.Settings(
                namespace: "ambit-system",
                name: "ambit-controller",
                identity: "one"
            )
        )
        let program = ControllerProgram(
            settings: Self.settings(),
            cluster: pair.server,
            election: { await election.run($0) }
        )
        let task = Task { try await program.run() }
        #expect(
            await soon {
                Self.condition("Accepted", of: "good", in: pair.double)["status"] == "True"
                    && Self.condition("Accepted", of: "bad", in: pair.double)["status"] == "False"
            }
        )
        let bad = Self.condition("Accepted", of: "bad", in: pair.double)
        #expect(bad["reason"] == "Invalid")
        #expect(bad["message"].stringValue?.contains("spec.rules[0].to") == true)
        #expect(Self.condition("Enforced", of: "good", in: pair.double)["status"] == "True")
        #expect(Self.condition("Enforced", of: "bad", in: pair.double)["reason"] == "Invalid")
        #expect(
            await soon {
                Self.condition("Enforced", of: "lost", in: pair.double)["reason"] == "FailsClosed"
            }
        )
        let secret = ObjectReference(.secrets, namespace: "ambit-system", name: "ambit-ca")
        let roots = ObjectReference(.configMaps, namespace: "ambit-system", name: "ambit-ca-root")
        #expect(await soon { pair.double.get(roots) != nil && pair.double.get(secret) != nil })
        let events = try await pair.server.list(.events, in: ObjectSelection())
        #expect(
            events.contains {
                $0["regarding"]["name"] == "shop" && $0["regarding"]["uid"].stringValue != nil
            }
        )
        try await Self.refuseOnce(pair.double)
        // What is as it should be is not written again.
        let writes = pair.double.requests.filter { $0.contains("/status") }.count
        try Self.put(Manifest.namespace("other"), into: pair.double)
        try await Pause.wait(for: .milliseconds(200))
        #expect(pair.double.requests.filter { $0.contains("/status") }.count == writes)
        let lease = ObjectReference(
            .leases,
            namespace: "ambit-system",
            name: "ambit-controller"
        )
        #expect(pair.double.get(lease)?["spec"]["holderIdentity"] == "one")
        task.cancel()
        _ = try? await task.value
        // Who comes next need not wait until the lease has run out.
        #expect(pair.double.get(lease)?["spec"]["holderIdentity"] == "")
        await pair.double.stop()
    }

    @Test func `that does not lead writes nothing but the authority that is missing`() async throws
    {
        let pair = try await Pair()
        try Self.put(Self.objects, into: pair.double)
        let program = ControllerProgram(
            settings: Self.settings(),
            cluster: pair.server,
            election: { _ in try? await Pause.wait(for: .seconds(600)) }
        )
        let task = Task { try await program.run() }
        let secret = ObjectReference(.secrets, namespace: "ambit-system", name: "ambit-ca")
        #expect(await soon { pair.double.get(secret) != nil })
        try await Pause.wait(for: .milliseconds(300))
        let writes = pair.double.requests.filter { !$0.hasPrefix("GET ") }
        #expect(writes == ["POST /api/v1/namespaces/ambit-system/secrets"])
        task.cancel()
        _ = try? await task.value
        await pair.double.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct `The authority's Secret` {
    private static func secret(_ server: APIServer) -> AuthoritySecret {
        AuthoritySecret(cluster: server, settings: AuthoritySecret.Settings())
    }

    @Test func `is one, however many replicas make it at once`() async throws {
        let pair = try await Pair()
        let server = pair.server
        let materials = try await withThrowingTaskGroup(of: AuthorityMaterial.self) { group in
            for _ in 0..<8 { group.addTask { try await Self.secret(server).load().material } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(materials.allSatisfy { $0 == materials.first })
        await pair.double.stop()
    }

    @Test func `is replaced in steps that overlap`() async throws {
        let pair = try await Pair()
        let secret = Self.secret(pair.server)
        let first = try await secret.load().material
        #expect(try await !secret.advance(nowSeconds: 1_000))
        let place = ObjectReference(.secrets, namespace: "ambit-system", name: "ambit-ca")
        _ = try await pair.server.patch(
            place,
            subresource: "",
            with: ["metadata": ["annotations": ["ambit.dev/rotate-root": "100"]]]
        )
        #expect(try await secret.advance(nowSeconds: 1_000))
        let announced = try await secret.load().material
        #expect(announced.key == first.key)
        #expect(announced.roots.hasPrefix(first.roots) && announced.roots != first.roots)
        #expect(try await !secret.advance(nowSeconds: 1_099))
        #expect(try await secret.advance(nowSeconds: 1_100))
        let signing = try await secret.load().material
        #expect(signing.key != first.key)
        #expect(signing.roots == announced.roots)
        #expect(try await !secret.advance(nowSeconds: 1_199))
        #expect(try await secret.advance(nowSeconds: 1_200))
        let done = try await secret.load().material
        #expect(done.key == signing.key)
        #expect(done.roots == signing.chain)
        #expect(try await !secret.advance(nowSeconds: 9_999))
        await pair.double.stop()
    }
}
