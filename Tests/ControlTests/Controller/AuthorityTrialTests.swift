import Controller
import Identity
import Mesh
import Reactor
import TLS
import Testing

@Suite struct `An authority that cannot be used` {
    private static let now = WallClock.nanoseconds() / 1_000_000_000

    private static func material(
        below root: Authority,
        roots: String? = nil,
        _ change: (inout CertificateTemplate) -> Void = { _ in }
    ) throws -> AuthorityMaterial {
        var template = CertificateTemplate.authority(
            commonName: "brought",
            notBefore: now - 60,
            notAfter: now + 86_400,
            pathLength: 0
        )
        change(&template)
        let authority = try root.intermediate(template)
        return AuthorityMaterial(
            chain: authority.certificate.pem,
            key: String(authority.secretPEM.dropFirst(authority.certificate.pem.count)),
            roots: roots ?? root.certificate.pem
        )
    }

    private static func root() throws -> Authority {
        try Authority.root(
            trustDomain: "cluster.local",
            notBefore: now - 60,
            notAfter: now + 86_400
        )
    }

    /// A mesh that works with a good authority.
    private static func mesh(_ root: Authority) throws -> MeshAuthority {
        let mesh = MeshAuthority(trustDomain: "cluster.local")
        #expect(try mesh.replace(material(below: root)))
        return mesh
    }

    @Test func `because its chain leads elsewhere leaves the last in force`() throws {
        let root = try Self.root()
        let mesh = try Self.mesh(root)
        let good = mesh.current?.material
        let other = try Self.root()
        let error = #expect(throws: AuthorityError.self) {
            try mesh.replace(Self.material(below: other, roots: root.certificate.pem))
        }
        #expect(error?.reason.contains("CN=brought") == true, "\(String(describing: error))")
        #expect(good != nil && mesh.current?.material == good)
    }

    @Test func `yet is taken when its time comes`() throws {
        let root = try Self.root()
        let mesh = try Self.mesh(root)
        let good = mesh.current?.material
        let start = Self.now + 3_600
        let early = try Self.material(below: root) { $0.notBefore = start }
        let error = #expect(throws: AuthorityError.self) { try mesh.replace(early) }
        #expect(error?.reason.contains("not valid yet") == true, "\(String(describing: error))")
        #expect(good != nil && mesh.current?.material == good)
        let taken = try early.authority(trustDomain: "cluster.local", nowSeconds: start)
        #expect(taken.roots == [root.certificate.pem])
    }

    @Test func `is not one that lacks a key identifier`() throws {
        let root = try Self.root()
        let plain = try Self.material(below: root) { template in
            template.extensions.removeAll { $0.name == "subjectKeyIdentifier" }
        }
        let mesh = try Self.mesh(root)
        #expect(try mesh.replace(plain))
        let identity = try PeerIdentity(uri: "spiffe://cluster.local/ns/shop/sa/web")
        let issued = try mesh.certify(
            request: try CertificateRequest(key: try PrivateKey(), identity: identity).pem,
            identity: try #require(SPIFFEID(uri: identity.uri)),
            lifetimeSeconds: 600
        )
        let trust = try TrustBundle(pem: issued.roots)
        let keys = try trust.verify(CertificateChain(pem: issued.chain), atSeconds: Self.now)
        #expect(keys.count == 2)
    }
}
