import HTTP
import Testing

@Suite struct `RFC 9113 §5.1: a stream` {
    /// A server with stream 1 in a state, its output empty.
    private func server(_ frames: [WireFrame]) -> MachineUnderTest {
        let server = MachineUnderTest.server()
        _ = server.receive(frames)
        _ = server.takeFrames()
        return server
    }

    @Test func `half closed by the peer takes no more DATA or HEADERS`() {
        for late in [WireFrame.data(1, [1]), .headers(1, block(["a": "b"]), end: true)] {
            let server = server([.headers(1, getRequest, end: true)])
            #expect(
                server.receive([late]) == [.reset(stream: 1, .streamClosed, byPeer: false)]
            )
            #expect(server.takeFrames() == [.reset(1, 5)])
        }
    }

    @Test func `half closed by the peer takes WINDOW_UPDATE, PRIORITY and RST_STREAM`() {
        let server = server([.headers(1, getRequest, end: true)])
        #expect(
            server.receive([.windowUpdate(1, 9), .priority(1, on: 0), .reset(1, 8)])
                == [.reset(stream: 1, .cancel, byPeer: true)]
        )
    }

    @Test func `closed by both sides ends the connection on HEADERS`() throws {
        let server = server([.headers(1, getRequest, end: true)])
        try server.respond(1, endStream: true)
        #expect(server.activeStreams == 0)
        let events = server.receive([.headers(1, getRequest)])
        #expect(events.last?.failureCode == .streamClosed)
    }

    @Test func `closed by both sides answers DATA with STREAM_CLOSED`() throws {
        let server = server([.headers(1, getRequest, end: true)])
        try server.respond(1, endStream: true)
        _ = server.takeFrames()
        #expect(server.receive([.data(1, [1, 2])]) == [])
        #expect(server.takeFrames() == [.reset(1, 5)])
    }

    @Test func `reset by the peer answers later frames with STREAM_CLOSED`() {
        for late in [WireFrame.data(1, [1]), .headers(1, postRequest)] {
            let server = server([.headers(1, postRequest), .reset(1, 8)])
            #expect(server.receive([late]) == [])
            #expect(server.takeFrames() == [.reset(1, 5)])
            #expect(!server.hasFailed)
        }
    }

    @Test func `reset by us ignores what was on the way`() {
        let server = server([.headers(1, postRequest)])
        server.machine.reset(1, .cancel)
        #expect(server.takeFrames() == [.reset(1, 8)])
        let events = server.receive([
            .data(1, [1, 2, 3]), .windowUpdate(1, 5), .headers(1, block(["a": "b"]), end: true),
            .reset(1, 0), .priority(1, on: 0), .headers(3, getRequest),
        ])
        #expect(events.count == 1)
        #expect(server.takeFrames() == [])
        #expect(server.activeStreams == 1)
    }

    @Test func `reset in the middle of a DATA frame drops the rest of the frame`() {
        let server = server([.headers(1, postRequest)])
        let bytes = WireFrame.data(1, Array(0..<10), end: true).bytes
        #expect(
            server.receive(Array(bytes[..<12])) == [.data(stream: 1, 9..<12, endStream: false)]
        )
        server.machine.reset(1, .cancel)
        #expect(
            server.receive(Array(bytes[12...]) + WireFrame.headers(3, getRequest).bytes).count == 1
        )
    }

    @Test func `keeps the compression state when its block is refused`() {
        // The refused block adds a field to the dynamic table; the next one refers to it.
        let adding: [UInt8] = [0x40, 1] + Array("x".utf8) + [1] + Array("y".utf8)
        let server = server([.headers(1, postRequest), .headers(1, adding)])
        let events = server.receive([.headers(3, getRequest + [0xBE])])
        guard case .headers(3, let fields, _) = events.last else {
            Issue.record("no request: \(events)")
            return
        }
        #expect(fields["x"] == "y")
    }

    @Test func `that depends on itself is refused`() {
        let server = MachineUnderTest.server()
        let frame = WireFrame(
            type: 1,
            flags: 0x24,
            stream: 1,
            payload: UInt32(1).networkBytes + [0] + getRequest
        )
        #expect(server.receive([frame]) == [])
        #expect(server.takeFrames() == [.reset(1, 1)])
        #expect(server.receive([.priority(3, on: 3)]).last?.failureCode == .protocolError)
    }

    @Test func `may come with padding and an old priority`() {
        let server = MachineUnderTest.server()
        let frame = WireFrame(
            type: 1,
            flags: 0x2C,
            stream: 1,
            payload: [3] + UInt32(0).networkBytes + [16] + getRequest + [0, 0, 0]
        )
        #expect(server.receive([frame]) == [.headers(stream: 1, getFields, endStream: false)])
    }

    @Test func `may come in HEADERS and CONTINUATIONs, even empty ones`() {
        let server = MachineUnderTest.server()
        let events = server.receive([
            .headers(1, [], end: true, endHeaders: false),
            .continuation(1, Array(getRequest[..<5]), end: false),
            .continuation(1, [], end: false),
            .continuation(1, Array(getRequest[5...])),
        ])
        #expect(events == [.headers(stream: 1, getFields, endStream: true)])
        #expect(server.incompleteSince == nil)
    }

    @Test func `above the limit is refused and may be tried again`() throws {
        var limits = HTTP2Limits.server
        limits.streamsMax = 2
        let server = MachineUnderTest.server(limits)
        let opened = server.receive([
            .headers(1, getRequest, end: true), .headers(3, getRequest, end: true),
            .headers(5, getRequest, end: true),
        ])
        #expect(opened.count == 2)
        #expect(server.takeFrames() == [.reset(5, 7)])
        try server.respond(1, endStream: true)
        #expect(server.receive([.headers(7, getRequest)]).count == 1)
    }

    @Test func `is found among others whose identifiers fall together`() throws {
        let server = MachineUnderTest.server()
        var open = (0..<UInt32(150)).map { 1 + $0 * 4096 }
        for stream in open {
            #expect(server.receive([.headers(stream, connectRequest)]).count == 1)
        }
        var closed: [UInt32] = []
        while !open.isEmpty {
            // The first of a run, one in its middle, the last.
            let victim = [0, open.count * 2 / 3, open.count - 1][closed.count % 3]
            closed.append(open.remove(at: victim))
            #expect(server.receive([.reset(closed[closed.count - 1], 8)]).count == 1)
            #expect(server.activeStreams == open.count)
            let bytes = open.flatMap { WireFrame.data($0, [1]).bytes }
            guard !bytes.isEmpty else { break }
            #expect(server.receive(bytes).count == open.count)
        }
    }

    @Test func `ends with the last identifier (§5.1.1)`() throws {
        var client = HTTP2Connection(
            role: .client,
            limits: .client,
            now: 0,
            firstStream: 0x7FFF_FFFD
        )
        #expect(try client.request(connectFields, endStream: false) == 0x7FFF_FFFD)
        #expect(try client.request(connectFields, endStream: false) == 0x7FFF_FFFF)
        let canOpen = client.canOpenStream
        #expect(!canOpen)
        let isClosing = client.isClosing
        #expect(isClosing, "a pool must look for another connection")
        #expect(throws: HTTP2SendError.connectionClosing) {
            try client.request(connectFields, endStream: false)
        }
        let server = MachineUnderTest.server()
        #expect(server.receive([.headers(0x7FFF_FFFF, getRequest)]).count == 1)
        #expect(
            server.receive([.headers(1, getRequest)]).last?.failureCode == .protocolError
        )
    }

    @Test func `of a type or flags we do not know is skipped (§4.1, §5.5)`() {
        let server = MachineUnderTest.server()
        let unknown = WireFrame(type: 0xFA, flags: 0xFF, stream: 9, payload: [1, 2, 3])
        var odd = WireFrame.headers(1, getRequest, end: true)
        odd.flags |= 0x82
        odd.stream |= 0x8000_0000
        #expect(
            server.receive([unknown, odd, unknown])
                == [.headers(stream: 1, getFields, endStream: true)]
        )
    }
}
