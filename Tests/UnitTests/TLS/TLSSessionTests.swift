import TLS
import Testing

@Suite struct `A TLS session` {
    @Test(arguments: [1, 7, 100, 20000, 1 << 20])
    func `handshakes and carries data however the bytes are split`(pieceMax: Int) throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server),
            pieceMax: pieceMax
        )
        pair.run()
        #expect(pair.clientError == nil)
        #expect(pair.serverError == nil)
        #expect(pair.client.peerIdentity == Fixture.server.uri)
        #expect(pair.server.peerIdentity == Fixture.client.uri)
        let up = (0..<70001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let down = (0..<33333).map { UInt8(truncatingIfNeeded: $0 &* 17) }
        #expect(pair.send(up, fromServer: false) == nil)
        #expect(pair.send(down, fromServer: true) == nil)
        pair.run()
        #expect(pair.serverReceived == up)
        #expect(pair.clientReceived == down)
        #expect(pair.wire.firstRange(of: up.prefix(16)) == nil)
    }

    @Test func `speaks TLS 1_3 with AES-128-GCM and the best group there is`() throws {
        let context = try Fixture.context(.client)
        let pair = try SessionPair(client: context, server: Fixture.context(.server))
        pair.run()
        #expect(pair.client.negotiated.version == "TLSv1.3")
        #expect(pair.client.negotiated.cipher == "TLS_AES_128_GCM_SHA256")
        let group = context.isPostQuantum ? "X25519MLKEM768" : "x25519"
        #expect(pair.client.negotiated.group.lowercased() == group.lowercased())
        #expect(!pair.client.wasResumed)
        #expect(!pair.server.wasResumed)
    }

    @Test func `puts a full batch into records of 16384 bytes`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server)
        )
        pair.run()
        _ = pair.send([UInt8](repeating: 7, count: 4 * 16384), fromServer: false)
        #expect(pair.toServer.count == 4 * (16384 + 22))
    }

    @Test func `tells a proper close from data that came before it`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server)
        )
        pair.run()
        _ = pair.send([1, 2, 3], fromServer: true)
        pair.close(fromServer: true)
        pair.run()
        #expect(pair.clientReceived == [1, 2, 3])
        #expect(pair.clientClosed)
        #expect(pair.clientError == nil)
        // The other direction goes on.
        #expect(pair.send([4], fromServer: false) == nil)
        pair.run()
        #expect(pair.serverReceived == [4])
    }

    @Test func `refuses data before the handshake and after a failure`() throws {
        let pair = try SessionPair(
            client: Fixture.context(.client),
            server: Fixture.context(.server)
        )
        #expect(pair.send([1], fromServer: false) == .notEstablished)
        pair.run()
        pair.receive([23, 3, 3, 0, 20] + [UInt8](repeating: 0, count: 20), isServer: true)
        guard case .protocolViolation = pair.serverError else {
            Issue.record("a forged record gave \(String(describing: pair.serverError))")
            return
        }
        #expect(pair.send([1], fromServer: true) == .notEstablished)
        #expect(pair.server.peerIdentity == nil)
    }

    @Test func `knows plain text from TLS`() throws {
        for text in ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "hello world"] {
            let pair = try SessionPair(
                client: Fixture.context(.client),
                server: Fixture.context(.server)
            )
            pair.receive(Array(text.utf8), isServer: true)
            guard case .notTLS = pair.serverError else {
                Issue.record("\(text) gave \(String(describing: pair.serverError))")
                continue
            }
        }
    }

    @Test func `stops at the limit of its output`() throws {
        let session = try TLSSession(
            context: Fixture.context(.client),
            expecting: .trustDomain("cluster.local")
        )
        let output = OutputBuffer(roomMax: 64)
        var room = [UInt8](repeating: 0, count: TLSSession.scratchBytesMin)
        let outcome = unsafe room.withUnsafeMutableBytes {
            unsafe session.read(scratch: $0, output: output)
        }
        guard case .failed(.outputFull) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(output.count <= 64)
    }
}
