import APIServerDouble
import Controller
import Discovery
import Foundation
import Identity
import Kubernetes
import Mesh
import Reactor
import TLS
import Testing

/// An authority with its root beside it, as an operator would bring it.
struct BroughtAuthority {
    let root: Authority
    let below: Authority
    let now: Int64

    init() throws {
        now = WallClock.nanoseconds() / 1_000_000_000
        root = try Authority.root(
            trustDomain: "cluster.local",
            notBefore: now - 60,
            notAfter: now + 86_400
        )
        below = try root.intermediate(
            .authority(
                commonName: "intermediate",
                notBefore: now - 60,
                notAfter: now + 86_400,
                pathLength: 0
            )
        )
    }

    var key: String { String(below.secretPEM.dropFirst(below.certificate.pem.count)) }

    func material() -> AuthorityMaterial {
        AuthorityMaterial(chain: below.certificate.pem, key: key, roots: root.certificate.pem)
    }

    func held() throws -> MeshAuthority.Held {
        let mesh = MeshAuthority(trustDomain: "cluster.local")
        _ = try mesh.replace(material())
        return try #require(mesh.current)
    }

    func list(
        _ serials: [String],
        number: UInt64,
        by authority: Authority? = nil
    ) throws -> String {
        try (authority ?? below).revocationList(
            serials.map { Authority.Revoked(serial: $0, revokedAt: now) },
            number: number,
            thisUpdate: now,
            nextUpdate: now + 3600
        )
    }
}

@Suite struct `The controller's revocation lists` {
    @Test func `are pushed with the authorities that signed them`() throws {
        let brought = try BroughtAuthority()
        let keeper = RevocationKeeper()
        #expect(keeper.current == nil)
        #expect(try keeper.take("", signedFor: brought.held()))
        #expect(keeper.current?.lists.isEmpty == true && keeper.current?.text == nil)
        let text =
            try brought.list(["01"], number: 1)
            + brought.list(["02"], number: 1, by: brought.root)
        #expect(try keeper.take(text, signedFor: brought.held()))
        #expect(try !keeper.take(text, signedFor: brought.held()))
        #expect(keeper.current?.lists.count == 2)
        // A node that knows the root alone can read them.
        let pushed = try #require(keeper.current?.text)
        let reading = try RevocationList.read(
            pushed,
            roots: [brought.root.certificate],
            authorities: [],
            nowSeconds: brought.now
        )
        #expect(reading.lists.count == 2 && reading.foreign.isEmpty)
    }

    @Test func `stay when what follows is garbage, foreign or older, and it is counted`() throws {
        let brought = try BroughtAuthority()
        let keeper = RevocationKeeper()
        let held = try brought.held()
        #expect(try keeper.take(brought.list(["01"], number: 5), signedFor: held))
        let good = keeper.current?.text
        let foreign = try BroughtAuthority()
        let bad: [(String, RevocationError.Kind)] = [
            ("garbage", .malformed), (try foreign.list(["02"], number: 9), .foreign),
            (try brought.list([], number: 4), .older),
        ]
        for (text, kind) in bad {
            #expect(throws: RevocationError.self) { try keeper.take(text, signedFor: held) }
            #expect(keeper.problem?.kind == kind)
            #expect(keeper.refusals[kind] == 1)
            #expect(keeper.current?.text == good)
            // The same text again is no news.
            #expect(try !keeper.take(text, signedFor: held))
        }
        #expect(try keeper.take(brought.list(["01", "02"], number: 6), signedFor: held))
        #expect(keeper.problem == nil && keeper.current?.lists.first?.entries.count == 2)
    }

    @Test func `reach a node, which renews what is revoked`() async throws {
        let plane = try TestControlPlane()
        let web = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web")
        let store = try CertificateStore(source: plane.signer) { _, _ in }
        store.want([web])
        #expect(await soon { store.credentials(web) != nil })
        let serial = try #require(store.credentials(web)?.serial)
        try await plane.run { port in
            let loop = ControlLoop()
            let client = DiscoveryClient(
                settings: DiscoveryClient.Settings(
                    endpoint: try plane.endpoint(port),
                    token: .text("good"),
                    nodeName: "node-1",
                    podName: "ambit-node-abc",
                    podNamespace: "ambit-system"
                ),
                loop: loop
            ) { event in
                if case .revocations(let text) = event { store.revoke(text) }
            }
            let task = Task { await client.run() }
            let now = WallClock.nanoseconds() / 1_000_000_000
            plane.store.setRevocations(
                try plane.signer.revocationLists(
                    [Authority.Revoked(serial: serial, revokedAt: now)],
                    lifetimeSeconds: 60
                )
            )
            #expect(await soon { store.revocations?.count == 1 })
            #expect(await soon { store.credentials(web).map { $0.serial != serial } ?? false })
            task.cancel()
            await task.value
            await loop.stop()
        }
        store.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct `The authority's Secret, asked to revoke` {
    private static let place = ObjectReference(
        .secrets,
        namespace: "ambit-system",
        name: "ambit-ca"
    )

    private static func annotate(_ server: APIServer, _ notes: Value) async throws {
        _ = try await server.patch(
            place,
            subresource: "",
            with: ["metadata": ["annotations": notes]]
        )
    }

    private static func lists(
        _ material: AuthorityMaterial,
        _ now: Int64
    ) throws -> [RevocationList] {
        guard !material.revocations.isEmpty else { return [] }
        return try RevocationList.read(
            material.revocations,
            roots: try TrustBundle(pem: [material.roots]).roots,
            authorities: [],
            nowSeconds: now
        ).lists
    }

    @Test func `signs lists, makes them anew in time, and follows the root's rotation`()
        async throws
    {
        let pair = try await Pair()
        let secret = AuthoritySecret(
            cluster: pair.server,
            settings: AuthoritySecret.Settings()
        )
        let now = WallClock.nanoseconds() / 1_000_000_000
        #expect(try Self.lists(try await secret.load().material, now).isEmpty)
        try await Self.annotate(
            pair.server,
            ["ambit.dev/revoke-0abc": "cli", "ambit.dev/revoke-nonsense": "x"]
        )
        #expect(try await secret.advance(nowSeconds: now))
        #expect(try await !secret.advance(nowSeconds: now))
        let first = try #require(try Self.lists(try await secret.load().material, now).first)
        #expect(first.entries.map(\.serial) == ["0ABC"])
        let notes = pair.double.get(Self.place)?["metadata"]["annotations"].mapValue ?? [:]
        #expect(!notes.keys.contains { $0.hasPrefix("ambit.dev/revoke-") }, "\(notes)")
        // Half of its life later there is another one, with the same certificate on it.
        let later = now + 4 * 86_400
        #expect(try await secret.advance(nowSeconds: later))
        let second = try #require(try Self.lists(try await secret.load().material, later).first)
        #expect(second.numberValue > first.numberValue && second.nextUpdate > first.nextUpdate)
        #expect(second.entries.map(\.serial) == ["0ABC"])
        // While two roots are trusted, both keys say what is revoked.
        try await Self.annotate(pair.server, ["ambit.dev/rotate-root": "100"])
        #expect(try await secret.advance(nowSeconds: later))
        try await Self.annotate(pair.server, ["ambit.dev/revoke-0def": "cli"])
        #expect(try await secret.advance(nowSeconds: later + 1))
        let both = try Self.lists(try await secret.load().material, later + 1)
        #expect(both.count == 2 && both.allSatisfy { $0.entries.contains { $0.serial == "0DEF" } })
        #expect(try await secret.advance(nowSeconds: later + 200))
        #expect(try Self.lists(try await secret.load().material, later + 200).count == 2)
        // With its root the old list goes.
        #expect(try await secret.advance(nowSeconds: later + 400))
        let done = try await secret.load().material
        #expect(try Self.lists(done, later + 400).count == 1)
        #expect(pair.double.get(Self.place)?["data"]["previous.key"] == .null)
        await pair.double.stop()
    }
}

@Suite struct `An authority that was brought` {
    private static func secret(_ data: [String: String]) -> Value {
        [
            "metadata": ["name": "brought"],
            "data": .map(data.mapValues { .string(Data($0.utf8).base64EncodedString()) }),
        ]
    }

    /// As `MeshAuthority` works with it: what it signs leads to the root.
    private static func check(_ material: AuthorityMaterial, _ root: Authority) throws {
        let mesh = MeshAuthority(trustDomain: "cluster.local")
        #expect(try mesh.replace(material))
        let key = try PrivateKey()
        let identity = try PeerIdentity(uri: "spiffe://cluster.local/ns/shop/sa/web")
        let issued = try mesh.certify(
            request: try CertificateRequest(key: key, identity: identity).pem,
            identity: try #require(SPIFFEID(uri: identity.uri)),
            lifetimeSeconds: 600
        )
        #expect(issued.chain.count == 2, "leaf and intermediate, the root is not sent")
        let trust = try TrustBundle(pem: issued.roots)
        #expect(trust.pem == [root.certificate.pem])
        let keys = try trust.verify(
            CertificateChain(pem: issued.chain),
            atSeconds: WallClock.nanoseconds() / 1_000_000_000
        )
        #expect(keys.count == 2)
    }

    @Test func `is read in cert-manager's layout, with or without the root in the chain`() throws {
        let brought = try BroughtAuthority()
        let root = brought.root.certificate.pem
        for chain in [brought.below.certificate.pem, brought.below.certificate.pem + root] {
            let list = try brought.list(["01"], number: 1)
            let material = try AuthorityMaterial(
                secret: Self.secret([
                    "tls.crt": chain, "tls.key": brought.key, "ca.crt": root, "ca-crl.pem": list,
                ])
            )
            #expect(material.revocations == list)
            try Self.check(material, brought.root)
        }
    }

    @Test func `is read in Istio's layout, from a folder too`() throws {
        let brought = try BroughtAuthority()
        let root = brought.root.certificate.pem
        let own = brought.below.certificate.pem
        let list = try brought.list(["01"], number: 1)
        for chain in ["", own, own + root] {
            let files = [
                "ca-cert.pem": own, "ca-key.pem": brought.key, "root-cert.pem": root,
                "cert-chain.pem": chain, "ca-crl.pem": list,
            ]
            try Self.check(try AuthorityMaterial(secret: Self.secret(files)), brought.root)
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "ambit-ca-\(UInt64.random(in: 0 ... .max))"
            )
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            for (name, text) in files {
                try Data(text.utf8).write(to: folder.appending(path: name))
            }
            let material = try AuthorityMaterial(folder: folder.path)
            #expect(material.revocations == list)
            try Self.check(material, brought.root)
        }
    }
}
