import TLS
import Testing

/// Lists of an authority, good and bad.
enum ListFixture {
    static func text(
        _ serials: [String] = [],
        by authority: Authority = Fixture.authority,
        number: UInt64 = 1,
        from: Int64 = Fixture.now - 10,
        until: Int64 = Fixture.now + 3600
    ) throws -> String {
        try authority.revocationList(
            serials.map { Authority.Revoked(serial: $0, revokedAt: Fixture.now - 20) },
            number: number,
            thisUpdate: from,
            nextUpdate: until
        )
    }

    static func read(
        _ text: String,
        roots: [Authority] = [Fixture.authority],
        authorities: [Certificate] = []
    ) throws(RevocationError) -> RevocationList.Reading {
        try RevocationList.read(
            text,
            roots: roots.map(\.certificate),
            authorities: authorities,
            nowSeconds: Fixture.now
        )
    }

    static func inForce(
        _ texts: String...,
        roots: [Authority] = [Fixture.authority],
        refusesOutdated: Bool = true
    ) throws -> Revocations {
        Revocations(
            try read(texts.joined(), roots: roots).lists,
            refusesOutdated: refusesOutdated,
            nowSeconds: Fixture.now
        )
    }

    static func intermediate(of root: Authority) throws -> Authority {
        try root.intermediate(
            .authority(
                commonName: "below",
                notBefore: Fixture.now - 60,
                notAfter: Fixture.now + 3600,
                pathLength: 0
            )
        )
    }
}

@Suite struct `A revocation list` {
    @Test func `says who made it, when, and whom it revokes`() throws {
        let text = try ListFixture.text(["0A", "ABCDEF0123"], number: 0x1_0203)
        let list = try #require(try ListFixture.read("before\n" + text + "after\n").lists.first)
        #expect(list.issuer == Fixture.authority.certificate.subject)
        #expect(list.number == "010203" && list.numberValue == 0x1_0203)
        #expect(list.thisUpdate == Fixture.now - 10 && list.nextUpdate == Fixture.now + 3600)
        #expect(Set(list.entries.map(\.serial)) == ["0A", "ABCDEF0123"])
        #expect(list.entries.allSatisfy { $0.revokedAt == Fixture.now - 20 })
    }

    @Test func `of a foreign signer is none, even under a name we know`() throws {
        // Both roots are called the same.
        let foreign = Fixture.root()
        #expect(foreign.certificate.subject == Fixture.authority.certificate.subject)
        let reading = try ListFixture.read(try ListFixture.text(["01"], by: foreign))
        #expect(reading.lists.isEmpty)
        #expect(reading.foreign == [foreign.certificate.subject])
    }

    @Test func `of an authority below a root counts with its certificate beside it`() throws {
        let below = try ListFixture.intermediate(of: Fixture.authority)
        let text = try ListFixture.text(["01"], by: below)
        #expect(try ListFixture.read(text).lists.isEmpty)
        #expect(try ListFixture.read(text + below.certificate.pem).lists.count == 1)
        #expect(try ListFixture.read(text, authorities: [below.certificate]).lists.count == 1)
        let foreign = try ListFixture.intermediate(of: Fixture.root())
        let other = try ListFixture.text(["01"], by: foreign) + foreign.certificate.pem
        #expect(try ListFixture.read(other).lists.isEmpty)
    }

    @Test(arguments: [
        ("", RevocationError.Kind.malformed), ("garbage", .malformed),
        ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", .malformed),
        ("-----BEGIN X509 CRL-----\n", .malformed),
        (String(repeating: "x", count: RevocationList.textBytesMax + 1), .tooLarge),
    ])
    func `that cannot be read is refused`(text: String, kind: RevocationError.Kind) {
        #expect(throws: RevocationError.self) { try ListFixture.read(text) }
        do throws(RevocationError) {
            _ = try ListFixture.read(text)
        } catch {
            #expect(error.kind == kind, "\(error)")
        }
    }

    @Test func `from the future is refused, and too many are`() throws {
        let future = try ListFixture.text(from: Fixture.now + 3000)
        let many = String(repeating: try ListFixture.text(), count: RevocationList.listsMax + 1)
        for (text, kind) in [(future, RevocationError.Kind.notYetValid), (many, .tooLarge)] {
            do throws(RevocationError) {
                _ = try ListFixture.read(text)
                Issue.record("taken")
            } catch {
                #expect(error.kind == kind, "\(error)")
            }
        }
    }

    @Test func `must not be older than the one in force`() throws {
        func list(_ number: UInt64, from: Int64 = Fixture.now - 10) throws -> [RevocationList] {
            try ListFixture.read(try ListFixture.text(number: number, from: from)).lists
        }
        let held = try list(0x100)
        #expect(throws: RevocationError.self) {
            try Revocations.check(try list(0xFF), follow: held)
        }
        #expect(throws: RevocationError.self) {
            try Revocations.check(try list(0x100, from: Fixture.now - 100), follow: held)
        }
        try Revocations.check(try list(0x100), follow: held)
        try Revocations.check(try list(0x101), follow: held)
        // Of two in one text the newer one counts.
        let both = try ListFixture.text(number: 9) + ListFixture.text(number: 8)
        #expect(try ListFixture.read(both).lists.map(\.number) == ["09"])
    }
}

@Suite struct `A session that knows what is revoked` {
    /// Contexts that know their own names to revocation, as credentials make them.
    private static func context(
        _ role: TLSContext.Role,
        by authority: Authority = Fixture.authority
    ) throws -> TLSContext {
        let key = try PrivateKey()
        let identity = role == .client ? Fixture.client : Fixture.server
        let chain = try authority.issue(Fixture.leaf(identity), for: key)
        let trust = try TrustBundle(roots: [Fixture.authority.certificate])
        return try TLSContext(
            role: role,
            chain: chain,
            key: key,
            trust: trust,
            revocationKeys: try trust.verify(chain, atSeconds: Fixture.now)
        )
    }

    private static func pair(
        _ client: TLSContext,
        _ server: TLSContext,
        _ revocations: Revocations?
    ) throws -> SessionPair {
        let pair = try SessionPair(client: client, server: server)
        pair.client.revocations = revocations
        pair.server.revocations = revocations
        pair.run()
        return pair
    }

    @Test(arguments: [TLSContext.Role.client, .server])
    func `refuses a revoked peer, which is told why`(role: TLSContext.Role) throws {
        let client = try Self.context(.client)
        let server = try Self.context(.server)
        let serial = (role == .client ? client : server).chain.leaf.serial
        let revocations = try ListFixture.inForce(try ListFixture.text(["01", serial]))
        let pair = try Self.pair(client, server, revocations)
        #expect(!pair.isEstablished)
        let mine = role == .client ? pair.serverError : pair.clientError
        let theirs = role == .client ? pair.clientError : pair.serverError
        let refusal = try #require(mine)
        #expect(refusal.isRevocation)
        #expect("\(refusal)".contains("certificate \(serial) was revoked (list 01 of "))
        guard case .refusedByPeer(let alert, _)? = theirs else {
            Issue.record("\(String(describing: theirs))")
            return
        }
        #expect(alert == 44)
    }

    @Test func `accepts the others`() throws {
        let client = try Self.context(.client)
        let server = try Self.context(.server)
        let revocations = try ListFixture.inForce(try ListFixture.text(["01", "02"]))
        #expect(try Self.pair(client, server, revocations).isEstablished)
        #expect(try Self.pair(client, server, nil).isEstablished)
    }

    @Test func `knows of the authorities above the peer, too`() throws {
        let below = try ListFixture.intermediate(of: Fixture.authority)
        let client = try Self.context(.client, by: below)
        let server = try Self.context(.server)
        let text = try ListFixture.text([below.certificate.serial])
        let pair = try Self.pair(client, server, try ListFixture.inForce(text))
        #expect(!pair.isEstablished && pair.serverError?.isRevocation == true)
        // The same number from another key is another certificate.
        let other = try ListFixture.text([client.chain.leaf.serial])
        #expect(try Self.pair(client, server, try ListFixture.inForce(other)).isEstablished)
    }

    @Test func `says of a live connection whose certificate is revoked now`() throws {
        let client = try Self.context(.client)
        let server = try Self.context(.server)
        let pair = try Self.pair(client, server, nil)
        #expect(pair.isEstablished)
        let none = try ListFixture.inForce(try ListFixture.text(["01"]))
        #expect(pair.server.revocation(by: none) == nil)
        #expect(pair.client.revocation(by: none) == nil)
        let serial = client.chain.leaf.serial
        let revocations = try ListFixture.inForce(try ListFixture.text([serial]))
        let text = "certificate \(serial) was revoked"
        #expect(pair.server.revocation(by: revocations)?.hasPrefix("the peer's \(text)") == true)
        #expect(pair.client.revocation(by: revocations)?.hasPrefix("our \(text)") == true)
    }

    @Test func `refuses all of an authority whose list is out of date, unless told to keep`() throws
    {
        let client = try Self.context(.client)
        let server = try Self.context(.server)
        let late = try ListFixture.text(["01"], until: Fixture.now - 1)
        let closed = try ListFixture.inForce(late)
        #expect(closed.hasOutdated && closed.outdated.count == 1)
        let refused = try Self.pair(client, server, closed)
        #expect(!refused.isEstablished)
        #expect("\(refused.clientError.map { "\($0)" } ?? "")".contains("out of date"))
        let kept = try ListFixture.inForce(late, refusesOutdated: false)
        #expect(try Self.pair(client, server, kept).isEstablished)
        let serial = try ListFixture.text([client.chain.leaf.serial], until: Fixture.now - 1)
        let still = try ListFixture.inForce(serial, refusesOutdated: false)
        #expect(try !Self.pair(client, server, still).isEstablished, "what it revokes is revoked")
        let fault = Revocations(fault: "unreadable")
        #expect(try !Self.pair(client, server, fault).isEstablished)
    }
}
