import HTTP
import Testing

/// Each attack of ATTACKS.md §5.1 on one connection, and the bound that ends it.
@Suite struct `A flood of` {
    /// Feeds a frame again and again; how many were taken before the connection ended.
    private func taken(
        _ server: MachineUnderTest,
        upTo bound: Int = 100_000,
        nanosecondsBetween: UInt64 = 0,
        _ frames: (UInt32) -> [WireFrame]
    ) -> Int? {
        for round in 0..<bound {
            server.now += nanosecondsBetween
            let events = server.receive(frames(UInt32(2 * round + 1)))
            _ = server.machine.takeOutput()
            if let code = events.last?.failureCode {
                #expect(code == .enhanceYourCalm)
                return round
            }
        }
        return nil
    }

    @Test func `streams opened and reset (rapid reset) ends the connection`() {
        let count = taken(.server()) { [.headers($0, getRequest), .reset($0, 8)] }
        #expect(count == Int(HTTP2Limits.server.earlyResets.burst))
    }

    @Test func `resets at the pace of real clients is none`() {
        let server = MachineUnderTest.server()
        let count = taken(server, upTo: 5000, nanosecondsBetween: 20_000_000) {
            [.headers($0, getRequest), .reset($0, 8)]
        }
        #expect(count == nil)
    }

    @Test func `resets after an answer is none`() throws {
        let server = MachineUnderTest.server()
        for round in 0..<UInt32(3000) {
            let stream = 2 * round + 1
            _ = server.receive([.headers(stream, connectRequest)])
            try server.respond(stream)
            #expect(
                server.receive([.reset(stream, 8)])
                    == [.reset(stream: stream, .cancel, byPeer: true)]
            )
        }
    }

    @Test(arguments: [
        (WireFrame.windowUpdate(1, 0), "a WINDOW_UPDATE of zero"),
        (.windowUpdate(1, 0x7FFF_FFFF), "a WINDOW_UPDATE too large"),
        (.headers(1, block([":path": "/"]), end: true), "malformed trailers"),
    ])
    func `streams we are made to reset (MadeYouReset) ends the connection`(
        trick: WireFrame,
        name: String
    ) {
        let count = taken(.server()) {
            var frame = trick
            frame.stream = $0
            return [.headers($0, getRequest), frame]
        }
        #expect(count == Int(HTTP2Limits.server.provokedResets.burst))
    }

    @Test func `malformed requests ends the connection`() {
        #expect(taken(.server()) { [.headers($0, block([":method": "GET"]))] } == 250)
    }

    @Test func `streams above the limit ends the connection`() {
        let limits = HTTP2Limits.server
        let count = taken(.server()) { [.headers($0, getRequest)] }
        #expect(count == limits.streamsMax + Int(limits.provokedResets.burst))
    }

    @Test func `CONTINUATION ends the connection`() {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, [], endHeaders: false)])
        let count = taken(server) { _ in [.continuation(1, [], end: false)] }
        #expect(count == HTTP2Limits.server.continuationsMax)
    }

    @Test func `header bytes ends the connection before they are kept`() {
        let server = MachineUnderTest.server()
        let chunk = [UInt8](repeating: 0, count: 16_384)
        let events = server.receive([
            .headers(1, chunk, endHeaders: false), .continuation(1, chunk, end: false),
            .continuation(1, chunk, end: false), .continuation(1, chunk, end: false),
            .continuation(1, chunk, end: false),
        ])
        #expect(events.last?.failureCode == .enhanceYourCalm)
        let large = WireFrame.headers(1, [UInt8](repeating: 0, count: 100_000)).bytes
        let other = MachineUnderTest.server()
        #expect(other.receive(Array(large[..<9])).last?.failureCode == .enhanceYourCalm)
    }

    @Test(arguments: [
        WireFrame.ping([0, 0, 0, 0, 0, 0, 0, 0]),
        .ping([0, 0, 0, 0, 0, 0, 0, 0], acknowledged: true),
        .priority(1, on: 3), .priority(99, on: 1), WireFrame(type: 0xEE),
        WireFrame(type: 0xEE, stream: 7),
        .settingsAcknowledgement, .goAway(0, 0),
    ])
    func `control frames ends the connection`(frame: WireFrame) {
        #expect(taken(.server()) { _ in [frame] } == 2000)
    }

    @Test func `SETTINGS ends the connection ten times sooner`() {
        let count = taken(.server()) { [WireFrame.settings([(UInt16(4), $0)])] }
        #expect(count == 200)
    }

    @Test func `streams whose windows stay shut leaves nothing behind (withheld WINDOW_UPDATE)`()
        throws
    {
        let server = MachineUnderTest.server(settings: [(4, 0)])
        for stream in stride(from: UInt32(1), to: 400, by: 2) {
            _ = server.receive([.headers(stream, connectRequest)])
            try server.respond(stream)
            #expect(server.sendable(stream) == 0)
            #expect(server.frameData(stream, [1]) == nil)
        }
        _ = server.takeFrames()
        #expect(server.takeFrames() == [])
        #expect(server.activeStreams == 200)
    }

    @Test func `settings in one frame ends the connection`() {
        let many = [(UInt16, UInt32)](repeating: (4, 1), count: 65)
        #expect(
            MachineUnderTest.server().receive([.settings(many)]).last?.failureCode
                == .enhanceYourCalm
        )
    }

    @Test func `control frames at a normal pace is none`() {
        let count = taken(.server(), upTo: 10_000, nanosecondsBetween: 10_000_000) { _ in
            [.ping([0, 0, 0, 0, 0, 0, 0, 0])]
        }
        #expect(count == nil)
    }

    @Test func `frames of streams that are over ends the connection`() throws {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, getRequest, end: true)])
        try server.respond(1, endStream: true)
        #expect(taken(server) { _ in [.reset(1, 0)] } == 2000)
    }

    @Test func `WINDOW_UPDATE that no DATA explains ends the connection`() throws {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, connectRequest)])
        let count = try #require(taken(server) { _ in [.windowUpdate(1, 1)] })
        #expect((2000...2100).contains(count))
    }

    @Test func `WINDOW_UPDATE in answer to DATA is none`() throws {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, connectRequest)])
        try server.respond(1)
        let payload = [UInt8](repeating: 0, count: 1000)
        for _ in 0..<20_000 {
            try #require(server.frameData(1, payload) != nil)
            let events = server.receive([.windowUpdate(1, 1000), .windowUpdate(0, 1000)])
            #expect(events.last?.failureCode == nil)
        }
    }

    @Test(arguments: [
        WireFrame.data(1, []), WireFrame(type: 0, flags: 8, stream: 1, payload: [0]),
        WireFrame(type: 0, flags: 8, stream: 1, payload: [3, 0, 0, 0]),
    ])
    func `empty DATA ends the connection`(frame: WireFrame) {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, connectRequest)])
        #expect(taken(server) { _ in [frame] } == 1000)
    }

    @Test func `answers that are not read ends the connection`() {
        var limits = HTTP2Limits.server
        limits.controlFrames = HTTP2Budget(burst: .max, perSecond: 0)
        limits.outputBytesMax = 1000
        let server = MachineUnderTest.server(limits)
        var failed: Int?
        for round in 0..<1000 where failed == nil {
            let events = server.receive([.ping([0, 0, 0, 0, 0, 0, 0, 0])])
            if events.last?.failureCode == .enhanceYourCalm { failed = round }
        }
        #expect(failed == 59)
    }

    @Test func `small references to a large field (HPACK bomb) is refused, not expanded`() {
        let server = MachineUnderTest.server()
        let value = String(repeating: "v", count: 4000)
        let adding: [UInt8] = [0x40] + literal("bomb", value)[1...]
        #expect(server.receive([.headers(1, getRequest + adding)]).count == 1)
        let references = [UInt8](repeating: 0xBE, count: 60_000)
        #expect(server.receive([.headers(3, getRequest + references)]) == [])
        #expect(server.takeFrames() == [.reset(3, 11)])
        // The tables are still in step.
        #expect(server.receive([.headers(5, getRequest + [0xBE])]).count == 1)
    }

    @Test func `cookie crumbs is refused as the fields they are`() {
        let server = MachineUnderTest.server()
        let adding: [UInt8] = [0x40] + literal("cookie", "a=b")[1...]
        #expect(server.receive([.headers(1, getRequest + adding)]).count == 1)
        let crumbs = [UInt8](repeating: 0xBE, count: HTTP2Limits.server.headerFieldsMax - 3)
        #expect(server.receive([.headers(3, getRequest + crumbs)]) == [])
        #expect(server.takeFrames() == [.reset(3, 11)])
        #expect(server.receive([.headers(5, getRequest + crumbs.dropLast())]).count == 1)
    }

    @Test func `table size updates is an error of compression`() {
        let server = MachineUnderTest.server()
        // A table larger than we allow.
        #expect(
            server.receive([.headers(1, [0x3F, 0xE2, 0x1F] + getRequest)]).last?.failureCode
                == .compressionError
        )
    }
}
