import TLS
import Testing

@Suite struct `A chain of certificates` {
    private func serverError(
        _ client: TLSContext,
        trusting roots: [Authority] = [Fixture.authority]
    ) throws -> TLSError? {
        let pair = try SessionPair(
            client: client,
            server: Fixture.context(.server, trusting: roots)
        )
        pair.run()
        return pair.serverError
    }

    private func intermediate(
        _ change: (inout CertificateTemplate) -> Void = { _ in }
    ) throws -> Authority {
        var template = CertificateTemplate.authority(
            commonName: "intermediate",
            notBefore: Fixture.now - 60,
            notAfter: Fixture.now + 3600,
            pathLength: 0
        )
        change(&template)
        return try Fixture.authority.intermediate(template)
    }

    @Test func `through an intermediate is good`() throws {
        let authority = try intermediate()
        #expect(try serverError(Fixture.context(.client, by: authority)) == nil)
    }

    @Test func `through an intermediate without a key identifier is good`() throws {
        let authority = try intermediate { template in
            template.extensions.removeAll { $0.name == "subjectKeyIdentifier" }
        }
        #expect(try serverError(Fixture.context(.client, by: authority)) == nil)
    }

    @Test func `of another root is refused`() throws {
        let error = try serverError(Fixture.context(.client, by: Fixture.root()))
        guard case .untrusted(.unknownIssuer, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `to any root of the bundle is good`() throws {
        let other = Fixture.root()
        let client = try Fixture.context(.client, by: other)
        #expect(try serverError(client, trusting: [Fixture.authority, other]) == nil)
    }

    @Test func `of one certificate signed by itself is refused`() throws {
        let alone = try Authority.root(
            Fixture.leaf(Fixture.client),
            trustDomain: "cluster.local"
        )
        #expect(throws: TLSError.self) {
            try TrustBundle(roots: [alone.certificate])
        }
        let error = try serverError(Fixture.context(.client, by: alone))
        guard case .untrusted = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `signed by a workload is refused`() throws {
        var template = Fixture.leaf(Fixture.server)
        template.commonName = "a workload"
        let workload = try Fixture.authority.intermediate(template)
        let error = try serverError(Fixture.context(.client, by: workload))
        guard case .untrusted(let fault, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect([.badAuthority, .unknownIssuer, .wrongPurpose].contains(fault))
    }

    @Test func `longer than its authority allows is refused`() throws {
        let first = try intermediate()
        let second = try first.intermediate(
            .authority(
                commonName: "second",
                notBefore: Fixture.now - 60,
                notAfter: Fixture.now + 3600,
                pathLength: 0
            )
        )
        let error = try serverError(Fixture.context(.client, by: second))
        guard case .untrusted(.tooLong, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        ("permitted;URI:cluster.local", true), ("permitted;URI:other.local", false),
        ("excluded;URI:cluster.local", false), ("permitted;URI:.cluster.local", false),
    ])
    func `obeys its authority's name constraints`(constraint: String, isGood: Bool) throws {
        let authority = try intermediate { template in
            template.extensions.append(
                CertificateExtension(
                    name: "nameConstraints",
                    value: .text(constraint),
                    isCritical: true
                )
            )
        }
        let error = try serverError(Fixture.context(.client, by: authority))
        if isGood {
            #expect(error == nil)
        } else if case .untrusted(.nameConstraint, _)? = error {
        } else {
            Issue.record("\(String(describing: error))")
        }
    }

    @Test func `with an expired authority is refused`() throws {
        let authority = try intermediate { $0.notAfter = Fixture.now - 1 }
        let error = try serverError(Fixture.context(.client, by: authority))
        guard case .untrusted(.expired, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `with a key that is not the leaf's makes no context`() throws {
        let chain = try Fixture.authority.issue(
            Fixture.leaf(Fixture.client),
            for: PrivateKey()
        )
        let trust = try TrustBundle(roots: [Fixture.authority.certificate])
        #expect(throws: TLSError.self) {
            try TLSContext(role: .client, chain: chain, key: PrivateKey(), trust: trust)
        }
    }

    @Test(arguments: ["secp521r1", "secp256k1", "brainpoolP256r1", "P-224"])
    func `with a key on an odd curve is refused`(curve: String) throws {
        let key = try PrivateKey(curve: curve, rsaBits: 0)
        let client: TLSContext
        do {
            client = try Fixture.context(.client, key: key)
        } catch is TLSError {
            return  // OpenSSL does not even use it.
        }
        let pair = try SessionPair(client: client, server: Fixture.context(.server))
        pair.run()
        #expect(!pair.server.isEstablished)
        #expect(pair.serverError != nil)
    }

    @Test func `with an RSA key of 1024 bits is refused`() throws {
        let key = try PrivateKey(curve: nil, rsaBits: 1024)
        do {
            let client = try Fixture.context(.client, key: key)
            #expect(try serverError(client) != nil)
        } catch is TLSError {
            // OpenSSL does not even use it for us.
        }
        let chain = try Fixture.authority.issue(Fixture.leaf(Fixture.client), for: key)
        let trust = try TrustBundle(roots: [Fixture.authority.certificate])
        #expect(throws: TLSError.self) {
            try trust.verify(chain, atSeconds: Fixture.now)
        }
    }

    @Test func `is read from PEM in one text or several, and refused when cut`() throws {
        let authority = try intermediate()
        let chain = try authority.issue(Fixture.leaf(Fixture.client), for: PrivateKey())
        let joined = try CertificateChain(pem: [chain.pem.joined(separator: "\n# text\n")])
        #expect(joined.pem == chain.pem)
        #expect(try CertificateChain(pem: chain.pem).pem == chain.pem)
        let cut = String(chain.pem[0].dropLast(60))
        #expect(throws: TLSError.self) { try CertificateChain(pem: [cut]) }
        #expect(throws: TLSError.self) { try CertificateChain(pem: []) }
        #expect(throws: TLSError.self) { try CertificateChain(pem: ["no PEM"]) }
        let many = Array(repeating: chain.pem[0], count: 9)
        #expect(throws: TLSError.self) { try CertificateChain(pem: many) }
    }

    @Test func `tells what the leaf says`() throws {
        let chain = try Fixture.authority.issue(Fixture.leaf(Fixture.client), for: PrivateKey())
        #expect(chain.leaf.notBefore == Fixture.now - 60)
        #expect(chain.leaf.notAfter == Fixture.now + 3600)
        #expect(chain.leaf.serial.count == 32)
        #expect(!chain.leaf.isAuthority)
        #expect(chain.leaf.uriNames == [Array(Fixture.client.uri.utf8)])
        #expect(chain.leaf.issuer == "CN=Ambit root of cluster.local")
        #expect(try Certificate(der: chain.leaf.der).pem == chain.leaf.pem)
    }
}

@Suite struct `An authority` {
    private func sign(_ request: String, for identity: PeerIdentity) throws -> CertificateChain {
        try Fixture.authority.sign(
            request: request,
            for: identity,
            notBefore: Fixture.now - 1,
            notAfter: Fixture.now + 100
        )
    }

    @Test func `certifies a request for the identity it names`() throws {
        let key = try PrivateKey()
        let request = try CertificateRequest(key: key, identity: Fixture.client)
        let chain = try sign(request.pem, for: Fixture.client)
        #expect(try chain.leaf.workloadIdentity() == Fixture.client)
        let trust = try TrustBundle(roots: [Fixture.authority.certificate])
        _ = try TLSContext(role: .server, chain: chain, key: key, trust: trust)
    }

    @Test func `refuses a request that names somebody else`() throws {
        let request = try CertificateRequest(key: PrivateKey(), identity: Fixture.client)
        #expect(throws: SigningError.self) { try sign(request.pem, for: Fixture.server) }
    }

    @Test func `refuses another trust domain`() throws {
        let other = Fixture.identity("spiffe://cluster.local.evil/ns/shop/sa/client")
        let request = try CertificateRequest(key: PrivateKey(), identity: other)
        #expect(throws: SigningError.foreignTrustDomain("cluster.local.evil")) {
            try sign(request.pem, for: other)
        }
    }

    @Test func `refuses a request whose signature was tampered with`() throws {
        let request = try CertificateRequest(key: PrivateKey(), identity: Fixture.client)
        var lines = request.pem.split(separator: "\n").map(String.init)
        let line = lines.count - 2
        let text = Array(lines[line].utf8)
        let other: UInt8 = text[2] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        lines[line] = String(decoding: text[..<2] + [other] + text[3...], as: UTF8.self)
        let pem = lines.joined(separator: "\n") + "\n"
        #expect(throws: SigningError.self) { try sign(pem, for: Fixture.client) }
    }

    @Test(arguments: ["secp521r1", "secp256k1"])
    func `refuses odd keys`(curve: String) throws {
        let key = try PrivateKey(curve: curve, rsaBits: 0)
        let request = try CertificateRequest(key: key, identity: Fixture.client)
        #expect(throws: SigningError.keyRefused) { try sign(request.pem, for: Fixture.client) }
    }

    @Test func `refuses what is no request, and what is too long`() {
        for text in ["", "hello", String(repeating: "x", count: 20000)] {
            #expect(throws: SigningError.self) { try sign(text, for: Fixture.client) }
        }
    }

    @Test func `comes back from what was written of it`() throws {
        let again = try Authority(
            pem: Fixture.authority.secretPEM,
            trustDomain: "cluster.local"
        )
        #expect(again.certificate.der == Fixture.authority.certificate.der)
        let client = try Fixture.context(.client, by: again)
        let pair = try SessionPair(client: client, server: Fixture.context(.server))
        pair.run()
        #expect(pair.isEstablished)
    }
}
