import Crypto
import Discovery
import Identity
import Mesh
import Reactor
import SwiftASN1
import TLS
import Testing
import X509

@Suite("Certificates over gRPC")
struct CertificateTests {
    private static let hosted = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "shop",
        serviceAccount: "web"
    )
    private static let foreign = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "bank",
        serviceAccount: "vault"
    )

    private func plane(
        _ settings: CertificateService.Settings = CertificateService.Settings()
    ) throws -> TestControlPlane {
        try TestControlPlane(certificates: settings, hosted: [Self.hosted])
    }

    /// Asks as a node's store does, on a thread that may block.
    private func certify(
        _ plane: TestControlPlane,
        _ port: UInt16,
        _ pem: String,
        _ identity: SPIFFEID = hosted,
        token: String = "good",
        lifetime: Int64 = 600
    ) async throws -> IssuedCertificate {
        let loop = ControlLoop()
        let client = CertificateClient(
            endpoint: try plane.endpoint(port),
            token: .text(token),
            clusterID: "Kubernetes",
            loop: loop
        )
        let result = try await withCheckedThrowingContinuation {
            (
                answer: CheckedContinuation<
                    Result<IssuedCertificate, CertificateSourceError>, any Error
                >
            ) in
            do {
                try WorkerThread.start(name: "certify") {
                    do throws(CertificateSourceError) {
                        answer.resume(
                            returning: .success(
                                try client.certify(
                                    request: pem,
                                    identity: identity,
                                    lifetimeSeconds: lifetime
                                )
                            )
                        )
                    } catch {
                        answer.resume(returning: .failure(error))
                    }
                }
            } catch {
                answer.resume(throwing: error)
            }
        }
        client.stop()
        return try result.get()
    }

    private func request(_ identity: SPIFFEID, key: TLS.PrivateKey? = nil) throws -> String {
        try CertificateRequest(
            key: key ?? TLS.PrivateKey(),
            identity: PeerIdentity(uri: identity.description)
        ).pem
    }

    /// A request with any names, as `openssl req` could make it.
    private func request(_ names: [GeneralName]) throws -> String {
        let key = P256.Signing.PrivateKey()
        let extensions = try Certificate.Extensions {
            SubjectAlternativeNames(names)
        }
        let request = try CertificateSigningRequest(
            version: .v1,
            subject: DistinguishedName(),
            privateKey: Certificate.PrivateKey(key),
            attributes: CertificateSigningRequest.Attributes([
                .init(ExtensionRequest(extensions: extensions))
            ]),
            signatureAlgorithm: .ecdsaWithSHA256
        )
        return try request.serializeAsPEM().pemString
    }

    @Test func `a hosted identity is certified for the time allowed, with every root`() async throws
    {
        var settings = CertificateService.Settings()
        settings.lifetimeSeconds = 60...900
        let plane = try plane(settings)
        try plane.signer.rotateRoot(overlapSeconds: 3600)
        try await plane.run { port in
            let key = try TLS.PrivateKey()
            let issued = try await certify(
                plane,
                port,
                try request(Self.hosted, key: key),
                lifetime: 1_000_000
            )
            let now = WallClock.nanoseconds() / 1_000_000_000
            let credentials = try Credentials(
                identity: Self.hosted,
                key: key,
                chain: CertificateChain(pem: issued.chain),
                trust: TrustBundle(pem: issued.roots),
                nowSeconds: now
            )
            #expect(credentials.notAfter <= now + 901)
            #expect(credentials.notAfter > now + 600)
            #expect(credentials.trust.roots.count == 2)
        }
        #expect(plane.metrics.current.certificatesTotal == 1)
    }

    @Test func `an identity that is not hosted is refused without a reason`() async throws {
        let plane = try plane()
        try await plane.run { port in
            let pem = try request(Self.foreign)
            let error = try await #require(throws: CertificateSourceError.self) {
                try await certify(plane, port, pem, Self.foreign)
            }
            #expect(error.reason.contains("permissionDenied"))
            #expect(!error.reason.contains("not on its node"))
            let reasons = plane.events.value.compactMap { event in
                if case .notCertified(_, let reason) = event { reason } else { nil }
            }
            #expect(reasons.count == 1)
            #expect(reasons[0].contains("not on its node"))
        }
        #expect(plane.metrics.current.certificatesTotal == 0)
        #expect(plane.metrics.current.certificatesRefusedTotal == 1)
    }

    @Test func `a foreign token is refused`() async throws {
        let plane = try plane()
        try await plane.run { port in
            let pem = try request(Self.hosted)
            let error = try await #require(throws: CertificateSourceError.self) {
                try await certify(plane, port, pem, token: "foreign")
            }
            #expect(error.reason.contains("unauthenticated"))
        }
    }

    @Test func `requests with other names than the one asked for are refused`() async throws {
        let plane = try plane()
        let own = GeneralName.uniformResourceIdentifier(Self.hosted.description)
        let other = GeneralName.uniformResourceIdentifier(Self.foreign.description)
        let bad: [[GeneralName]] = [
            [], [other], [own, other], [other, own], [own, own], [own, .dnsName("localhost")],
            [.dnsName(Self.hosted.description)],
            [.uniformResourceIdentifier(Self.hosted.description + "/")],
            [.uniformResourceIdentifier("SPIFFE://cluster.local/ns/shop/sa/web")],
            [.uniformResourceIdentifier("spiffe://cluster.local.evil/ns/shop/sa/web")],
            [.uniformResourceIdentifier(Self.hosted.description + "\u{0}")],
        ]
        try await plane.run { port in
            for names in bad {
                let pem = try request(names)
                await #expect(throws: CertificateSourceError.self, "\(names)") {
                    try await certify(plane, port, pem)
                }
            }
            #expect(plane.metrics.current.certificatesTotal == 0)
            let pem = try request([own])
            _ = try await certify(plane, port, pem)
        }
    }

    @Test func `other keys than P-256 and malformed requests are refused`() async throws {
        let plane = try plane()
        let good = try request(Self.hosted)
        let bad = [
            try request(Self.hosted, key: TLS.PrivateKey(curve: nil, rsaBits: 1024)),
            try request(Self.hosted, key: TLS.PrivateKey(curve: nil, rsaBits: 2048)),
            try request(Self.hosted, key: TLS.PrivateKey(curve: "secp384r1", rsaBits: 0)),
            "", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            String(repeating: "A", count: 200_000), good + String(repeating: "\n", count: 20_000),
            String(good.prefix(good.utf8.count / 2)),
        ]
        try await plane.run { port in
            for pem in bad {
                await #expect(throws: CertificateSourceError.self, "\(pem.prefix(80))") {
                    try await certify(plane, port, pem)
                }
            }
        }
        #expect(plane.metrics.current.certificatesTotal == 0)
    }

    @Test func `one caller may ask only so often`() async throws {
        var settings = CertificateService.Settings()
        settings.burst = 3
        settings.perSecond = 0.001
        let plane = try plane(settings)
        try await plane.run { port in
            let pem = try request(Self.hosted)
            for _ in 0..<3 { _ = try await certify(plane, port, pem) }
            let error = try await #require(throws: CertificateSourceError.self) {
                try await certify(plane, port, pem)
            }
            #expect(error.reason.contains("resourceExhausted"))
        }
    }

    @Test func `an authority that is not there is named within the time allowed`() async throws {
        let plane = try plane()
        let pem = try request(Self.hosted)
        let error = try await #require(throws: CertificateSourceError.self) {
            try await certify(plane, 1, pem)
        }
        #expect(error.reason.contains("localhost:1"))
    }
}
