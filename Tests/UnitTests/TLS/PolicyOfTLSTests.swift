import TLS
import Testing

@Suite struct `TLS between peers that do not agree` {
    private func loose(
        _ role: TLSContext.Role,
        version: Int32 = 0,
        alpn: [String] = ["h2"],
        groups: String? = nil
    ) throws -> TLSContext {
        let context = try Fixture.context(role)
        try #require(context.loosen(version: version, alpn: alpn, groups: groups))
        return context
    }

    @Test func `refuses a client of TLS 1_2`() throws {
        let pair = try SessionPair(
            client: loose(.client, version: 0x0303),
            server: Fixture.context(.server)
        )
        pair.run()
        guard case .version = pair.serverError else {
            Issue.record("\(String(describing: pair.serverError))")
            return
        }
    }

    @Test func `refuses a server of TLS 1_2`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: loose(.server, version: 0x0303)
        )
        pair.run()
        guard case .version = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
    }

    @Test(arguments: [[], ["http/1.1"], ["istio"], ["h2c"], ["H2"], ["h22", "h"]])
    func `refuses a client without h2`(alpn: [String]) throws {
        let pair = try SessionPair(
            client: loose(.client, alpn: alpn),
            server: Fixture.context(.server)
        )
        pair.run()
        #expect(pair.serverError == .applicationProtocol)
        guard case .refusedByPeer(alert: 120, _) = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
    }

    @Test func `takes h2 from among others`() throws {
        let pair = try SessionPair(
            client: loose(.client, alpn: ["http/1.1", "h2"]),
            server: Fixture.context(.server)
        )
        pair.run()
        #expect(pair.server.isEstablished)
        #expect(pair.server.peerIdentity == Fixture.client.uri)
    }

    @Test func `refuses a server that chooses nothing`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: loose(.server, alpn: [])
        )
        pair.run()
        #expect(pair.clientError == .applicationProtocol)
        #expect(!pair.client.isEstablished)
    }

    @Test(arguments: ["P-256", "P-384", "X25519"])
    func `agrees with a client of one group`(group: String) throws {
        let pair = try SessionPair(
            client: loose(.client, groups: group),
            server: Fixture.context(.server)
        )
        pair.run()
        #expect(pair.server.isEstablished)
    }

    @Test(arguments: ["P-521", "ffdhe2048"])
    func `refuses a client of other groups`(group: String) throws {
        let pair = try SessionPair(
            client: loose(.client, groups: group),
            server: Fixture.context(.server)
        )
        pair.run()
        #expect(!pair.server.isEstablished)
        #expect(pair.serverError != nil)
    }

    @Test func `refuses a client without a certificate`() throws {
        let context = try TLSContext(
            anonymousClientTrusting: TrustBundle(roots: [Fixture.authority.certificate])
        )
        let pair = try SessionPair(client: context, server: Fixture.context(.server))
        pair.run()
        #expect(pair.serverError == .certificateMissing)
        guard case .refusedByPeer(alert: 116, _) = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
    }

    @Test func `gives no ticket to a client that wants to resume`() throws {
        let server = try Fixture.context(.server)
        let pair = try SessionPair(client: loose(.client), server: server)
        pair.run()
        #expect(pair.isEstablished)
        let before = pair.wire.count
        pair.run()
        #expect(pair.wire.count == before)
        #expect(!pair.server.wasResumed)
    }
}
