import Glibc
import TLS
import Testing

/// Whose record layer the two ends of a connection use.
struct RecordLayers: Sendable, CustomTestStringConvertible {
    let clientIsOurs: Bool
    let serverIsOurs: Bool
    let suite: String

    var testDescription: String {
        "\(clientIsOurs ? "ours" : "libssl's") to \(serverIsOurs ? "ours" : "libssl's"), \(suite)"
    }

    static let all = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"].flatMap { suite in
        [(true, true), (true, false), (false, true), (false, false)].map {
            RecordLayers(clientIsOurs: $0.0, serverIsOurs: $0.1, suite: suite)
        }
    }

    func pair(pieceMax: Int = 1 << 20) throws -> SessionPair {
        let client = try Fixture.context(.client)
        let server = try Fixture.context(.server)
        try #require(client.loosen(alpn: ["h2"], suites: suite))
        if !clientIsOurs { client.keepLibraryRecords() }
        if !serverIsOurs { server.keepLibraryRecords() }
        let pair = try SessionPair(client: client, server: server, pieceMax: pieceMax)
        pair.run()
        try #require(pair.isEstablished)
        #expect(pair.client.hasOwnRecords == clientIsOurs)
        #expect(pair.server.hasOwnRecords == serverIsOurs)
        #expect(pair.server.negotiated.cipher == suite)
        return pair
    }
}

@Suite struct `TLS records` {
    @Test(arguments: RecordLayers.all, [13, 1 << 20])
    func `carry data between our layer and libssl's`(
        layers: RecordLayers,
        pieceMax: Int
    ) throws {
        let pair = try layers.pair(pieceMax: pieceMax)
        var up: [UInt8] = []
        var down: [UInt8] = []
        for count in [1, 15, 16, 17, 16383, 16384, 16385, 40000, 3 * 16384] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count) }
            #expect(pair.send(bytes, fromServer: false) == nil)
            #expect(pair.send(bytes.reversed(), fromServer: true) == nil)
            up += bytes
            down += bytes.reversed()
            pair.run()
        }
        #expect(pair.serverReceived == up)
        #expect(pair.clientReceived == down)
        pair.close(fromServer: false)
        pair.run()
        #expect(pair.serverClosed)
        #expect(pair.send([9], fromServer: true) == nil)
        pair.run()
        #expect(pair.clientReceived == down + [9])
        pair.close(fromServer: true)
        pair.run()
        #expect(pair.clientClosed)
        #expect(pair.clientError == nil)
        #expect(pair.serverError == nil)
    }

    @Test(arguments: RecordLayers.all)
    func `go on under new keys, whoever asks for them`(layers: RecordLayers) throws {
        let pair = try layers.pair()
        for round in 0..<6 {
            #expect(pair.updateKeys(fromServer: round % 2 == 1))
            for fromServer in [false, true, false, true] {
                #expect(pair.send([UInt8(round)], fromServer: fromServer) == nil)
                pair.run()
            }
        }
        let expected: [UInt8] = (0..<6).flatMap { [UInt8($0), UInt8($0)] }
        #expect(pair.serverReceived == expected)
        #expect(pair.clientReceived == expected)
        #expect(pair.clientError == nil)
        #expect(pair.serverError == nil)
    }

    @Test(arguments: RecordLayers.all)
    func `that were tampered with end the session, and the peer is told`(
        layers: RecordLayers
    ) throws {
        let pair = try layers.pair()
        _ = pair.send([1, 2, 3], fromServer: false)
        pair.toServer[pair.toServer.count - 1] ^= 1
        pair.run()
        #expect(pair.serverReceived.isEmpty)
        guard case .protocolViolation = pair.serverError else {
            Issue.record("\(String(describing: pair.serverError))")
            return
        }
        guard case .refusedByPeer(alert: 20, _) = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
        #expect(pair.send([1], fromServer: true) == .notEstablished)
    }

    @Test func `replayed, reordered, dropped or reflected are refused`() throws {
        for attack in 0..<4 {
            let pair = try RecordLayers.all[0].pair()
            _ = pair.send([1], fromServer: false)
            let first = pair.toServer
            _ = pair.send([2], fromServer: false)
            let second = Array(pair.toServer.dropFirst(first.count))
            pair.toServer = [first + first, second + first, second, []][attack]
            if attack == 3 { pair.toClient = first }
            pair.run()
            let error = attack == 3 ? pair.clientError : pair.serverError
            guard case .protocolViolation = error else {
                Issue.record("attack \(attack): \(String(describing: error))")
                continue
            }
            #expect(pair.serverReceived == (attack == 0 ? [1] : []))
        }
    }

    @Test(arguments: [
        [23, 3, 3, 0x41, 0x01],  // longer than allowed
        [23, 3, 3, 0, 16],  // shorter than a tag and a type
        [20, 3, 3, 0, 1, 1],  // ChangeCipherSpec after the handshake
        [21, 3, 3, 0, 2, 1, 0],  // an alert in the clear
        [22, 3, 3, 0, 4, 1, 0, 0, 0],  // a handshake message in the clear
        [0, 0, 0, 0, 0],
    ])
    func `of a wrong shape are refused at their header`(bytes: [UInt8]) throws {
        let pair = try RecordLayers.all[0].pair()
        pair.receive(bytes, isServer: true)
        guard case .protocolViolation = pair.serverError else {
            Issue.record("\(String(describing: pair.serverError))")
            return
        }
    }

    @Test func `with tickets of a foreign server are skipped`() throws {
        let server = try Fixture.context(.server)
        server.keepLibraryRecords()
        try #require(server.loosen(alpn: ["h2"]))
        let client = try Fixture.context(.client)
        let pair = try SessionPair(client: client, server: server)
        pair.receive([], isServer: false)
        pair.receive(pair.takeToServer(), isServer: true)
        pair.receive(pair.takeToClient(), isServer: false)
        pair.receive(pair.takeToServer(), isServer: true)
        #expect(pair.client.hasOwnRecords)
        #expect(pair.toClient.count > 200, "no ticket came")
        #expect(pair.send([1, 2], fromServer: true) == nil)
        pair.run()
        #expect(pair.clientError == nil)
        #expect(pair.clientReceived == [1, 2])
    }

    @Test func `without data do not go on for ever`() throws {
        let pair = try RecordLayers(
            clientIsOurs: false,
            serverIsOurs: true,
            suite: "TLS_AES_128_GCM_SHA256"
        ).pair()
        for _ in 0..<40 where pair.serverError == nil {
            #expect(pair.updateKeys(fromServer: false))
            pair.run()
        }
        #expect(pair.serverError != nil)
    }

    @Test func `leave an idle session with four kilobytes at most`() async {
        await #expect(processExitsWith: .success) {
            let client = try Fixture.context(.client)
            let server = try Fixture.context(.server)
            var pairs: [SessionPair] = []
            for _ in 0..<20 {
                let warm = try SessionPair(client: client, server: server)
                warm.run()
            }
            let before = TLSSession.heapBytesInUse
            for _ in 0..<50 {
                let pair = try SessionPair(client: client, server: server)
                pair.run()
                _ = pair.send([1], fromServer: true)
                _ = pair.send([1], fromServer: false)
                pair.run()
                pair.release()
                pairs.append(pair)
            }
            let each = (TLSSession.heapBytesInUse - before) / 100
            print("idle TLS session: \(each) bytes")
            guard pairs.allSatisfy(\.isEstablished), each < 4096 else { exit(1) }
        }
    }
}
