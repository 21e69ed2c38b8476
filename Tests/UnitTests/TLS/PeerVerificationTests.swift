import TLS
import Testing

/// A certificate that must not pass, and how the refusal is named.
struct CertificateAttack: Sendable, CustomTestStringConvertible {
    let name: String
    let template: CertificateTemplate
    let expected: @Sendable (TLSError) -> Bool

    var testDescription: String { name }

    init(
        _ name: String,
        _ template: CertificateTemplate,
        _ expected: @escaping @Sendable (TLSError) -> Bool
    ) {
        self.name = name
        self.template = template
        self.expected = expected
    }

    /// A leaf of the web workload with the extensions changed.
    static func leaf(_ change: (inout CertificateTemplate) -> Void) -> CertificateTemplate {
        var template = Fixture.leaf(Fixture.server)
        change(&template)
        return template
    }

    /// A leaf whose subjectAltName is replaced by this DER, or left out.
    static func named(_ names: CertificateExtension?) -> CertificateTemplate {
        leaf { template in
            template.extensions.removeAll { $0.name == "subjectAltName" }
            template.extensions += names.map { [$0] } ?? []
        }
    }

    static func uris(_ uris: [String]) -> CertificateTemplate {
        named(.names(uris: uris.map { Array($0.utf8) }, critical: true))
    }

    static func replaced(_ name: String, _ text: String?) -> CertificateTemplate {
        leaf { template in
            template.extensions.removeAll { $0.name == name }
            guard let text else { return }
            template.extensions.append(
                CertificateExtension(name: name, value: .text(text), isCritical: true)
            )
        }
    }

    static func general(tag: UInt8, _ content: [UInt8]) -> CertificateExtension {
        CertificateExtension(
            name: "subjectAltName",
            value: .der(CertificateExtension.der(tag: 0x30, der(tag: tag, content)))
        )
    }

    static func der(tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        CertificateExtension.der(tag: tag, content)
    }
}

extension CertificateAttack {
    private static let id = Fixture.server.uri

    private static func isNotSPIFFE(_ error: TLSError) -> Bool {
        if case .identity(.notSPIFFE) = error { return true }
        return false
    }

    private static func isFault(_ fault: TrustFault) -> @Sendable (TLSError) -> Bool {
        { error in
            if case .untrusted(fault, _) = error { return true }
            return false
        }
    }

    /// Spellings that are not the one spelling of an identity.
    static let spellings: [CertificateAttack] = [
        "SPIFFE://cluster.local/ns/shop/sa/web",
        "Spiffe://cluster.local/ns/shop/sa/web",
        "spiffe://CLUSTER.local/ns/shop/sa/web",
        "spiffe://cluster.local/NS/shop/SA/web",
        "spiffe://cluster.local/ns/shop/sa/web/",
        "spiffe://cluster.local//ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/%77eb",
        "spiffe://cluster.local/ns/shop%2fsa/sa/web",
        "spiffe://cluster.local/ns/../sa/web",
        "spiffe://cluster.local/ns/shop/sa/.",
        "spiffe://cluster.local/ns/shop/../shop/sa/web",
        "spiffe://cluster.local/ns//sa/web",
        "spiffe://cluster.local/ns/shop/sa/",
        "spiffe://cluster.local/ns/shop/sa/*",
        "spiffe://cluster.local/ns/*/sa/web",
        "spiffe://cluster.local:443/ns/shop/sa/web",
        "spiffe://root@cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/web?x=1",
        "spiffe://cluster.local/ns/shop/sa/web#x",
        "spiffe:///ns/shop/sa/web",
        "spiffe://cluster.local",
        "spiffe:/cluster.local/ns/shop/sa/web",
        "https://cluster.local/ns/shop/sa/web",
        " spiffe://cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/web\n",
        "spiffe://cluster.local/ns/shop/sa/web\0",
        "spiffe://cluster.local/ns/shop/sa/web\0.evil",
        "spiffe://cluster.local/ns/shop\\sa\\web",
        "spiffe://cluster.local/ns/sh\u{6f}\u{308}p/sa/web",
        "spiffe://cluster.local/ns/shop/sa/" + String(repeating: "a", count: 2048),
    ].map { uri in
        CertificateAttack("the name \(uri.prefix(60).debugDescription)", uris([uri]), isNotSPIFFE)
    }

    /// Names that are not one URI.
    static let names: [CertificateAttack] = [
        CertificateAttack("no names at all", named(nil)) { $0 == .identity(.noURIName) },
        CertificateAttack("the id as dNSName", named(general(tag: 0x82, Array(id.utf8)))) {
            $0 == .identity(.noURIName)
        },
        CertificateAttack("the id as rfc822Name", named(general(tag: 0x81, Array(id.utf8)))) {
            $0 == .identity(.noURIName)
        },
        CertificateAttack(
            "the id as otherName",
            named(
                general(
                    tag: 0xa0,
                    der(tag: 0x06, [0x2a, 0x03, 0x04])
                        + der(tag: 0xa0, der(tag: 0x0c, Array(id.utf8)))
                )
            )
        ) { $0 == .identity(.noURIName) },
        CertificateAttack("two URI names", uris([id, Fixture.client.uri])) {
            $0 == .identity(.severalURINames(2))
        },
        CertificateAttack("the same URI name twice", uris([id, id])) {
            $0 == .identity(.severalURINames(2))
        },
        CertificateAttack("an empty URI name", uris([""]), isNotSPIFFE),
        CertificateAttack(
            "the id as common name only",
            {
                var template = named(nil)
                template.commonName = id
                return template
            }()
        ) { $0 == .identity(.noURIName) },
        CertificateAttack(
            "two name extensions",
            leaf { template in
                template.extensions.append(.names(uris: [Array(id.utf8)], critical: false))
            }
        ) { isFault(.malformed)($0) },
        CertificateAttack(
            "names that are no DER",
            named(CertificateExtension(name: "subjectAltName", value: .der([0x30, 0x20, 0x86])))
        ) { isFault(.malformed)($0) },
    ]

    /// Leaves that are good in name but not for this use or not now.
    static let uses: [CertificateAttack] = [
        CertificateAttack("no extended key usage", replaced("extendedKeyUsage", nil)) {
            $0 == .identity(.extendedUsageMissing)
        },
        CertificateAttack(
            "the other side's extended key usage",
            replaced("extendedKeyUsage", "clientAuth"),
            isFault(.wrongPurpose)
        ),
        CertificateAttack(
            "extended key usage of code signing",
            replaced("extendedKeyUsage", "codeSigning"),
            isFault(.wrongPurpose)
        ),
        CertificateAttack(
            "an authority as leaf",
            replaced("basicConstraints", "CA:TRUE")
        ) { $0 == .identity(.isAuthority) },
        CertificateAttack(
            "an unknown critical extension",
            leaf { template in
                template.extensions.append(
                    CertificateExtension(
                        name: "1.2.3.4.5",
                        value: .der([0x05, 0x00]),
                        isCritical: true
                    )
                )
            },
            isFault(.malformed)
        ),
        CertificateAttack(
            "expired",
            leaf { $0.notAfter = Fixture.now - 1 },
            isFault(.expired)
        ),
        CertificateAttack(
            "not valid yet",
            leaf { $0.notBefore = Fixture.now + 600 },
            isFault(.notYetValid)
        ),
    ]
}

@Suite struct `A peer's certificate` {
    @Test(arguments: CertificateAttack.spellings + CertificateAttack.names + CertificateAttack.uses)
    func `is refused by a client when odd`(attack: CertificateAttack) throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server, attack.template),
            clientExpects: .identities([Fixture.server.uri])
        )
        pair.run()
        let error = try #require(pair.clientError)
        #expect(attack.expected(error), "\(error)")
        #expect(!pair.client.isEstablished)
        #expect(pair.client.peerIdentity == nil)
        guard case .refusedByPeer = pair.serverError else {
            Issue.record("the server was not told: \(String(describing: pair.serverError))")
            return
        }
    }

    @Test(arguments: CertificateAttack.spellings + CertificateAttack.names)
    func `is refused by a server when odd`(attack: CertificateAttack) throws {
        let pair = try SessionPair(
            client: Fixture.context(.client, attack.template),
            server: Fixture.context(.server)
        )
        pair.run()
        let error = try #require(pair.serverError)
        #expect(attack.expected(error), "\(error)")
        #expect(!pair.server.isEstablished)
        #expect(pair.server.peerIdentity == nil)
    }

    @Test func `is refused by a server when it is for servers only`() throws {
        let template = CertificateAttack.replaced("extendedKeyUsage", "serverAuth")
        let pair = try SessionPair(
            client: Fixture.context(.client, template),
            server: Fixture.context(.server)
        )
        pair.run()
        guard case .untrusted(.wrongPurpose, _) = pair.serverError else {
            Issue.record("\(String(describing: pair.serverError))")
            return
        }
    }

    @Test(arguments: [
        "spiffe://cluster.local.evil/ns/shop/sa/client",
        "spiffe://evil.cluster.local/ns/shop/sa/client",
        "spiffe://cluster.loca/ns/shop/sa/client",
        "spiffe://cluster_local/ns/shop/sa/client",
    ])
    func `of another trust domain is refused by a server`(uri: String) throws {
        let pair = try SessionPair(
            client: Fixture.context(.client, Fixture.leaf(Fixture.identity(uri))),
            server: Fixture.context(.server)
        )
        pair.run()
        let expected = PeerExpectation.trustDomain("cluster.local")
        #expect(pair.serverError == .unexpectedIdentity(found: uri, expected: expected))
    }

    @Test(arguments: [
        "spiffe://cluster.local/ns/other/sa/web", "spiffe://cluster.local/ns/shop/sa/web2",
        "spiffe://cluster.local/ns/shop/sa/we", "spiffe://cluster.local/ns/shop/sa/Web",
    ])
    func `of another workload is refused by a client`(uri: String) throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server, Fixture.leaf(Fixture.identity(uri)))
        )
        pair.run()
        let expected = PeerExpectation.identities([Fixture.server.uri])
        #expect(pair.clientError == .unexpectedIdentity(found: uri, expected: expected))
    }

    @Test func `is refused when nobody is expected`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server),
            clientExpects: .identities([])
        )
        pair.run()
        #expect(!pair.client.isEstablished)
    }

    @Test func `is accepted as any of several expected`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server),
            clientExpects: .identities([Fixture.client.uri, Fixture.server.uri])
        )
        pair.run()
        #expect(pair.isEstablished)
    }
}
