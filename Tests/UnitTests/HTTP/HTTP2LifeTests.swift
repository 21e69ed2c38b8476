import HTTP
import Testing

@Suite struct `RFC 9113 §6.8: GOAWAY` {
    @Test func `of ours is graceful: nothing on the way is lost`() throws {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, getRequest, end: true)])
        server.machine.goAwayGracefully()
        server.machine.goAwayGracefully()
        let warning = server.takeFrames()
        #expect(warning.map(\.type) == [7, 6])
        #expect(warning.first == .goAway(0x7FFF_FFFF, 0))
        // A request that was on the way is served.
        #expect(server.receive([.headers(3, getRequest, end: true)]).count == 1)
        #expect(server.receive([.ping(warning[1].payload, acknowledged: true)]) == [])
        #expect(server.takeFrames() == [.goAway(3, 0)])
        // The peer knew: what comes now is ignored, its compression state is not.
        let adding: [UInt8] = [0x40, 1] + Array("x".utf8) + [1] + Array("y".utf8)
        #expect(server.receive([.headers(5, getRequest + adding), .data(5, [1])]) == [])
        #expect(server.takeFrames() == [])
        #expect(server.isClosing)
        #expect(!server.isDrained)
        try server.respond(1, endStream: true)
        try server.respond(3, endStream: true)
        #expect(server.isDrained)
    }

    @Test func `at once names the last stream served`() {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(5, getRequest)])
        server.machine.goAway(.enhanceYourCalm)
        #expect(server.takeFrames() == [.goAway(5, 11)])
        #expect(server.receive([.headers(7, getRequest)]) == [])
        #expect(server.activeStreams == 1)
    }

    @Test func `of the peer hands back the streams it left out`() throws {
        let client = MachineUnderTest.client()
        for _ in 0..<4 { _ = try client.open(connectFields) }
        let events = client.receive([
            .goAway(3, 0, debug: Array("bye".utf8)), .ping([1, 2, 3, 4, 5, 6, 7, 8]),
        ])
        #expect(events.first == .goAway(lastStream: 3, .noError))
        #expect(events.count == 3)
        for stream in [UInt32(5), 7] {
            #expect(events.contains(.reset(stream: stream, .refusedStream, byPeer: false)))
        }
        #expect(client.activeStreams == 2)
        #expect(!client.canOpen)
        #expect(throws: HTTP2SendError.connectionClosing) { try client.open(connectFields) }
        // Those it kept go on; frames of the others are ignored.
        let answer = block([":status": "200"])
        #expect(client.receive([.headers(1, answer), .headers(5, answer)]).count == 1)
        // A second one may only lower the number.
        #expect(client.receive([.goAway(7, 0)]) == [.goAway(lastStream: 3, .noError)])
        #expect(
            client.receive([.goAway(1, 2)]) == [
                .goAway(lastStream: 1, .internalError),
                .reset(stream: 3, .refusedStream, byPeer: false),
            ]
        )
        _ = client.receive([.reset(1, 8)])
        #expect(client.isDrained)
    }

    @Test func `of a client leaves its streams alone`() {
        let server = MachineUnderTest.server()
        #expect(
            server.receive([.headers(1, getRequest), .goAway(0, 0)]).last
                == .goAway(lastStream: 0, .noError)
        )
        #expect(server.activeStreams == 1)
    }

    @Test func `then SETTINGS with no streams breaks nothing`() throws {
        let client = MachineUnderTest.client()
        _ = try client.open(connectFields)
        let events = client.receive([.goAway(1, 0), .settings([(3, 0)])])
        #expect(events == [.goAway(lastStream: 1, .noError), .settings])
        #expect(client.activeStreams == 1)
        #expect(!client.canOpen)
    }
}

@Suite struct `A PING` {
    @Test func `is answered with its payload`() {
        let server = MachineUnderTest.server()
        #expect(server.receive([.ping([1, 2, 3, 4, 5, 6, 7, 8])]) == [])
        #expect(server.takeFrames() == [.ping([1, 2, 3, 4, 5, 6, 7, 8], acknowledged: true)])
    }

    @Test func `of ours comes back as an event`() {
        let server = MachineUnderTest.server()
        server.machine.ping(0x0102_0304_0506_0708)
        let sent = server.takeFrames()
        #expect(sent == [.ping([1, 2, 3, 4, 5, 6, 7, 8])])
        #expect(
            server.receive([.ping([1, 2, 3, 4, 5, 6, 7, 8], acknowledged: true)])
                == [.pong(0x0102_0304_0506_0708)]
        )
    }
}

@Suite struct `A slow peer` {
    @Test func `is known by the time it began what it does not finish`() {
        let server = MachineUnderTest(.server)
        #expect(server.incompleteSince == nil)
        server.now = 5
        _ = server.receive(Array(clientPreface[..<10]))
        #expect(server.incompleteSince == 5)
        server.now = 9
        _ = server.receive(Array(clientPreface[10...]))
        #expect(server.incompleteSince == nil)
        server.now = 10
        _ = server.receive(Array(WireFrame.settings().bytes[..<4]))
        #expect(server.incompleteSince == 10)
        _ = server.receive(Array(WireFrame.settings().bytes[4...]))
        #expect(server.incompleteSince == nil)
        server.now = 20
        _ = server.receive([.headers(1, getRequest, endHeaders: false)])
        server.now = 30
        _ = server.receive([.continuation(1, [], end: false)])
        #expect(server.incompleteSince == 20, "each CONTINUATION does not start the clock again")
        _ = server.receive([.continuation(1, [])])
        #expect(server.incompleteSince == nil)
        // A DATA frame may take as long as it likes.
        _ = server.receive(Array(WireFrame.data(1, [1, 2, 3]).bytes[..<10]))
        #expect(server.incompleteSince == nil)
    }
}
