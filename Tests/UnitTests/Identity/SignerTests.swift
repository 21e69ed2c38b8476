import Foundation
import Glibc
import Identity
import Mesh
import Reactor
import TLS
import Testing

@Suite struct `A signer behind a socket` {
    private let web = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "shop",
        serviceAccount: "web"
    )

    private func path(_ name: String) -> String {
        "/tmp/ambit-test-\(getpid())-\(name).sock"
    }

    private func request(_ identity: SPIFFEID) throws -> String {
        let named = Fixture.identity(identity.description)
        return try CertificateRequest(key: PrivateKey(), identity: named).pem
    }

    @Test func `certifies what its node hosts and nothing else`() throws {
        let path = path("hosts")
        let web = self.web
        let signer = try Signer(trustDomain: "cluster.local")
        let server = try SignerServer(path: path, source: signer) { $0 == web }
        defer {
            server.stop()
            unsafe unlink(path)
        }
        let source = SignerClient(path: path)
        let issued = try source.certify(
            request: request(web),
            identity: web,
            lifetimeSeconds: 60
        )
        #expect(issued.roots == signer.bundle)
        let chain = try CertificateChain(pem: issued.chain)
        #expect(try chain.leaf.workloadIdentity().uri == web.description)
        let life = chain.leaf.notAfter - WallClock.nanoseconds() / 1_000_000_000
        #expect((30...61).contains(life))
        let other = SPIFFEID(
            trustDomain: "cluster.local",
            namespace: "shop",
            serviceAccount: "db"
        )
        #expect(throws: CertificateSourceError.self) {
            try source.certify(request: request(other), identity: other, lifetimeSeconds: 60)
        }
        #expect(throws: CertificateSourceError.self) {
            try source.certify(request: request(other), identity: web, lifetimeSeconds: 60)
        }
    }

    @Test func `only its own user may reach it`() throws {
        let path = path("mode")
        let server = try SignerServer(path: path, source: Signer(trustDomain: "cluster.local"))
        defer {
            server.stop()
            unsafe unlink(path)
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func `survives garbage, silence and long messages`() throws {
        let path = path("garbage")
        let server = try SignerServer(path: path, source: Signer(trustDomain: "cluster.local"))
        defer {
            server.stop()
            unsafe unlink(path)
        }
        let silent = try LocalStream(path: path, timeoutMilliseconds: 1000)
        for bytes: [UInt8] in [
            [], [0], [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 4, 1, 2, 3, 4],
            [0, 0, 0, 200, 1], [0, 1, 0, 0] + [UInt8](repeating: 7, count: 1000),
        ] {
            let stream = try LocalStream(path: path, timeoutMilliseconds: 1000)
            try stream.send(bytes)
        }
        let issued = try SignerClient(path: path).certify(
            request: request(web),
            identity: web,
            lifetimeSeconds: 60
        )
        #expect(!issued.chain.isEmpty)
        try silent.send([0])
    }

    @Test func `tells that it is not there`() throws {
        let source = SignerClient(path: path("absent"))
        let error = #expect(throws: CertificateSourceError.self) {
            try source.certify(request: request(web), identity: web, lifetimeSeconds: 60)
        }
        #expect(error?.reason.contains("is it running?") == true)
    }

    @Test func `starts again at the same path`() throws {
        let path = path("again")
        defer { unsafe unlink(path) }
        for _ in 0..<3 {
            let signer = try Signer(trustDomain: "cluster.local")
            let server = try SignerServer(path: path, source: signer)
            let issued = try SignerClient(path: path).certify(
                request: request(web),
                identity: web,
                lifetimeSeconds: 60
            )
            #expect(issued.roots == signer.bundle)
            server.stop()
        }
    }

    @Test func `reads what it writes`() {
        let request = SignerRequest(identity: "a", request: "b\nc", lifetimeSeconds: 86400)
        #expect(SignerRequest(request.bytes) == request)
        for answer in [
            SignerAnswer.refused(reason: "no"),
            .issued(IssuedCertificate(chain: ["x", "", "z"], roots: [])),
        ] {
            #expect(SignerAnswer(answer.bytes) == answer)
            for count in 0..<answer.bytes.count {
                #expect(SignerAnswer(Array(answer.bytes.prefix(count))) == nil)
            }
            #expect(SignerAnswer(answer.bytes + [0]) == nil)
        }
    }
}
