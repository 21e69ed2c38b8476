import APIServerDouble
import Controller
import Foundation
import Kubernetes
import Mesh
import Reactor
import TLS
import Testing

private let place = ObjectReference(.secrets, namespace: "ambit-system", name: "ambit-ca")
private let rootsPlace = ObjectReference(
    .configMaps,
    namespace: "ambit-system",
    name: "ambit-ca-root"
)

private func text(_ field: String, of secret: Value?) -> String {
    let data = secret?["data"][field].stringValue.flatMap { Data(base64Encoded: $0) }
    return String(decoding: data ?? Data(), as: UTF8.self)
}

private func publish(_ root: Authority, in double: APIServerDouble) throws {
    try double.put([
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": ["name": "ambit-ca-root", "namespace": "ambit-system"],
        "data": ["root-cert.pem": .string(root.certificate.pem)],
    ])
}

@Suite(.timeLimit(.minutes(2))) struct `The authority's Secret, taken away` {
    private static func secret(_ server: APIServer) -> AuthoritySecret {
        AuthoritySecret(cluster: server, settings: AuthoritySecret.Settings())
    }

    @Test func `is written again by who leads, with all that stood in it`() async throws {
        let pair = try await Pair()
        let secret = Self.secret(pair.server)
        _ = try await secret.load()
        let now = WallClock.nanoseconds() / 1_000_000_000
        _ = try await pair.server.patch(
            place,
            subresource: "",
            with: [
                "metadata": [
                    "annotations": ["ambit.dev/rotate-root": "100", "ambit.dev/revoke-0abc": "x"]
                ]
            ]
        )
        #expect(try await secret.advance(nowSeconds: now))
        let last = try await secret.load()
        try await pair.server.delete(place)
        let again = try await secret.load(after: last.secret)
        #expect(again.loss == .restored)
        #expect(again.material == last.material && !again.material.revocations.isEmpty)
        let held = pair.double.get(place)
        #expect(held?["data"] == last.secret["data"])
        let notes = held?["metadata"]["annotations"]
        #expect(notes == last.secret["metadata"]["annotations"])
        #expect(notes?["ambit.dev/rotation-stage"] == "announced")
        #expect(try await secret.load(after: last.secret).loss == nil)
        // The rotation goes on where it was.
        #expect(try await secret.advance(nowSeconds: now + 100))
        await pair.double.stop()
    }

    @Test func `is left to the leader by who only holds it`() async throws {
        let pair = try await Pair()
        let secret = Self.secret(pair.server)
        let last = try await secret.load()
        try await pair.server.delete(place)
        let reading = try await secret.load(after: last.secret, leads: false)
        #expect(reading.loss == .missing && reading.material == last.material)
        #expect(pair.double.get(place) == nil)
        await pair.double.stop()
    }

    @Test func `is one when several write it again`() async throws {
        let pair = try await Pair()
        let server = pair.server
        let last = try await Self.secret(server).load()
        try await server.delete(place)
        let readings = try await withThrowingTaskGroup(
            of: AuthoritySecret.Reading.self
        ) { group in
            for _ in 0..<8 {
                group.addTask { try await Self.secret(server).load(after: last.secret) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(readings.allSatisfy { $0.material == last.material })
        #expect(readings.filter { $0.loss == .restored }.count == 1)
        await pair.double.stop()
    }

    @Test func `is made anew where nobody holds it, and trusts what was published`() async throws {
        let pair = try await Pair()
        let brought = try BroughtAuthority()
        try publish(brought.root, in: pair.double)
        let list = try brought.list(["01"], number: 1, by: brought.root)
        try pair.double.put([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "ambit-ca-crl", "namespace": "ambit-system"],
            "data": ["ca-crl.pem": .string(list)],
        ])
        let secret = Self.secret(pair.server)
        await #expect(throws: AuthorityError.self) { try await secret.load(mayReplace: false) }
        #expect(pair.double.get(place) == nil)
        let reading = try await secret.load()
        #expect(reading.loss == .replaced(rootsKept: 1))
        let roots = try TrustBundle(pem: [reading.material.roots]).pem
        #expect(roots.count == 2 && roots.last == brought.root.certificate.pem)
        #expect(reading.material.chain != brought.root.certificate.pem)
        // What was revoked stays so, until its root goes with the step that is due.
        let mesh = MeshAuthority(trustDomain: "cluster.local")
        #expect(try mesh.replace(reading.material))
        let keeper = RevocationKeeper()
        let held = try #require(mesh.current)
        #expect(try keeper.take(reading.material.revocations, signedFor: held))
        #expect(keeper.current?.lists.first?.entries.map(\.serial) == ["01"])
        #expect(try await !secret.advance(nowSeconds: brought.now + 60))
        #expect(try await secret.advance(nowSeconds: brought.now + 25 * 3600))
        let done = try await secret.load()
        #expect(done.material.roots == reading.material.chain)
        #expect(done.material.revocations.isEmpty && done.loss == nil)
        await pair.double.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A controller whose Secret is taken away` {
    private static func program(_ pair: Pair, leads: Bool) -> ControllerProgram {
        var settings = ControllerSettings()
        settings.address = SocketAddress(IPAddress(v4: 0x7F00_0001), 0)
        settings.metricsAddress = SocketAddress(IPAddress(v4: 0x7F00_0001), 0)
        settings.debugPort = 0
        settings.authorityPollSeconds = 1
        return ControllerProgram(settings: settings, cluster: pair.server) { changed in
            if leads { changed(true) }
            try? await Pause.wait(for: .seconds(600))
        }
    }

    private static func looks(_ double: APIServerDouble) -> Int {
        double.requests
            .filter { $0.hasPrefix("GET /api/v1/namespaces/ambit-system/secrets/ambit-ca") }.count
    }

    private static func reasons(_ server: APIServer) async throws -> [String] {
        try await server.list(.events, in: ObjectSelection()).filter {
            $0["type"] == "Warning" && $0["regarding"]["name"] == "ambit-ca"
        }.compactMap { $0["reason"].stringValue }
    }

    @Test func `writes it again and says so`() async throws {
        let pair = try await Pair()
        let program = Self.program(pair, leads: true)
        let task = Task { try await program.run() }
        #expect(await soon { pair.double.get(rootsPlace) != nil })
        _ = try await pair.server.patch(
            place,
            subresource: "",
            with: ["metadata": ["annotations": ["example.com/note": "kept"]]]
        )
        let before = pair.double.get(place)
        let count = Self.looks(pair.double)
        // One look for the step that is due, one for what is in it.
        #expect(await soon { Self.looks(pair.double) >= count + 4 })
        try await pair.server.delete(place)
        #expect(await soon { pair.double.get(place) != nil })
        let after = pair.double.get(place)
        #expect(after?["data"] == before?["data"])
        #expect(after?["metadata"]["annotations"]["example.com/note"] == "kept")
        #expect(
            await soon { (try? await Self.reasons(pair.server)) == ["AuthorityRestored"] }
        )
        task.cancel()
        _ = try? await task.value
        await pair.double.stop()
    }

    @Test func `does nothing where it does not lead`() async throws {
        let pair = try await Pair()
        let program = Self.program(pair, leads: false)
        let task = Task { try await program.run() }
        #expect(await soon { pair.double.get(place) != nil })
        let count = Self.looks(pair.double)
        #expect(await soon { Self.looks(pair.double) >= count + 2 })
        try await pair.server.delete(place)
        let gone = Self.looks(pair.double)
        #expect(await soon { Self.looks(pair.double) >= gone + 3 })
        #expect(pair.double.get(place) == nil)
        let writes = pair.double.requests.filter { $0.hasPrefix("POST ") }
        #expect(writes == ["POST /api/v1/namespaces/ambit-system/secrets"])
        task.cancel()
        _ = try? await task.value
        await pair.double.stop()
    }

    @Test func `keeps the root of before trusted when it starts without it`() async throws {
        let pair = try await Pair()
        let old = try BroughtAuthority().root
        try publish(old, in: pair.double)
        let program = Self.program(pair, leads: true)
        let task = Task { try await program.run() }
        #expect(await soon { pair.double.get(place) != nil })
        let secret = pair.double.get(place)
        #expect(text("root.crt", of: secret).hasSuffix(old.certificate.pem))
        #expect(text("ca.crt", of: secret) != old.certificate.pem)
        #expect(
            await soon { (try? await Self.reasons(pair.server)) == ["AuthorityReplaced"] }
        )
        let roots = await soon {
            pair.double.get(rootsPlace)?["data"]["root-cert.pem"].stringValue
                == text("root.crt", of: secret)
        }
        #expect(roots)
        task.cancel()
        _ = try? await task.value
        await pair.double.stop()
    }
}
