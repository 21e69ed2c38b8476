import HTTP
import Testing

/// Frames of a peer that break a rule of RFC 9113, and the code the connection must end with.
struct Violation: CustomTestStringConvertible, Sendable {
    var rule: String
    var role: HTTP2Role = .server
    var frames: [WireFrame]
    var code: HTTP2ErrorCode

    init(_ rule: String, _ role: HTTP2Role, _ frames: [WireFrame], _ code: HTTP2ErrorCode) {
        self.rule = rule
        self.role = role
        self.frames = frames
        self.code = code
    }

    var testDescription: String { rule }
}

private let open = WireFrame.headers(1, postRequest)
private let closedByBoth = [WireFrame.headers(1, postRequest, end: true)]

private let framing: [Violation] = [
    Violation(
        "§4.2 a frame above SETTINGS_MAX_FRAME_SIZE",
        .server,
        [open, .data(1, [UInt8](repeating: 0, count: 1 << 20 | 1))],
        .frameSizeError
    ),
    Violation(
        "§4.3 a field block that cannot be decoded",
        .server,
        [.headers(1, [0x80])],
        .compressionError
    ),
    Violation(
        "§4.3 a field block cut in the middle of a field",
        .server,
        [.headers(1, Array(getRequest.dropLast(3)))],
        .compressionError
    ),
    Violation(
        "§4.3 a block interrupted by another frame",
        .server,
        [.headers(1, getRequest, endHeaders: false), .ping([0, 0, 0, 0, 0, 0, 0, 0])],
        .protocolError
    ),
    Violation(
        "§4.3 a block interrupted by another stream",
        .server,
        [.headers(1, getRequest, endHeaders: false), .continuation(3, [])],
        .protocolError
    ),
    Violation("§5.1 DATA on an idle stream", .server, [.data(1, [1])], .protocolError),
    Violation("§5.1 RST_STREAM on an idle stream", .server, [.reset(1, 8)], .protocolError),
    Violation(
        "§5.1 WINDOW_UPDATE on an idle stream",
        .server,
        [.windowUpdate(1, 1)],
        .protocolError
    ),
    Violation(
        "§5.1 CONTINUATION without HEADERS",
        .server,
        [.continuation(1, [])],
        .protocolError
    ),
    Violation(
        "§5.1.1 a client's even stream",
        .server,
        [.headers(2, getRequest)],
        .protocolError
    ),
    Violation(
        "§5.1.1 a stream below one that was opened",
        .server,
        [.headers(5, getRequest), .headers(3, getRequest)],
        .protocolError
    ),
    Violation(
        "§5.1.1 a response to no request",
        .client,
        [.headers(1, block([":status": "200"]))],
        .protocolError
    ),
    Violation(
        "§8.4 a server's own stream",
        .client,
        [.headers(2, block([":status": "200"]))],
        .protocolError
    ),
]

private let frameTypes: [Violation] = [
    Violation("§6.1 DATA on stream 0", .server, [.data(0, [1])], .protocolError),
    Violation(
        "§6.1 DATA with padding longer than the frame",
        .server,
        [open, WireFrame(type: 0, flags: 8, stream: 1, payload: [5, 1, 2, 3, 4])],
        .protocolError
    ),
    Violation(
        "§6.1 padded DATA without pad length",
        .server,
        [open, WireFrame(type: 0, flags: 8, stream: 1)],
        .frameSizeError
    ),
    Violation("§6.2 HEADERS on stream 0", .server, [.headers(0, getRequest)], .protocolError),
    Violation(
        "§6.2 HEADERS with padding longer than the frame",
        .server,
        [WireFrame(type: 1, flags: 0xC, stream: 1, payload: [9, 0x82])],
        .protocolError
    ),
    Violation(
        "§6.2 padded HEADERS without pad length",
        .server,
        [WireFrame(type: 1, flags: 0xC, stream: 1)],
        .frameSizeError
    ),
    Violation(
        "§6.2 HEADERS with priority cut short",
        .server,
        [WireFrame(type: 1, flags: 0x24, stream: 1, payload: [0, 0, 0, 0])],
        .frameSizeError
    ),
    Violation("§6.3 PRIORITY on stream 0", .server, [.priority(0, on: 1)], .protocolError),
    Violation(
        "§6.3 PRIORITY of a wrong size",
        .server,
        [WireFrame(type: 2, stream: 1, payload: [0, 0, 0, 0])],
        .frameSizeError
    ),
    Violation("§6.4 RST_STREAM on stream 0", .server, [.reset(0, 8)], .protocolError),
    Violation(
        "§6.4 RST_STREAM of a wrong size",
        .server,
        [open, WireFrame(type: 3, stream: 1, payload: [0, 0, 8])],
        .frameSizeError
    ),
    Violation(
        "§6.5 SETTINGS acknowledgement with payload",
        .server,
        [WireFrame(type: 4, flags: 1, payload: [0, 0, 0, 0, 0, 0])],
        .frameSizeError
    ),
    Violation(
        "§6.5 SETTINGS on a stream",
        .server,
        [WireFrame(type: 4, stream: 1)],
        .protocolError
    ),
    Violation(
        "§6.5 SETTINGS of a wrong size",
        .server,
        [WireFrame(type: 4, payload: [0, 0, 0, 0, 0])],
        .frameSizeError
    ),
    Violation("§6.5.2 ENABLE_PUSH of 2", .server, [.settings([(2, 2)])], .protocolError),
    Violation("§6.5.2 ENABLE_PUSH of a server", .client, [.settings([(2, 1)])], .protocolError),
    Violation(
        "§6.5.2 INITIAL_WINDOW_SIZE above 2^31-1",
        .server,
        [.settings([(4, 0x8000_0000)])],
        .flowControlError
    ),
    Violation("§6.5.2 MAX_FRAME_SIZE of 16383", .server, [.settings([(5, 16383)])], .protocolError),
    Violation(
        "§6.5.2 MAX_FRAME_SIZE of 2^24",
        .server,
        [.settings([(5, 1 << 24)])],
        .protocolError
    ),
    Violation(
        "§6.6 PUSH_PROMISE to a server",
        .server,
        [open, WireFrame(type: 5, flags: 4, stream: 1, payload: [0, 0, 0, 2])],
        .protocolError
    ),
    Violation(
        "§6.6 PUSH_PROMISE to a client that forbade it",
        .client,
        [WireFrame(type: 5, flags: 4, stream: 1, payload: [0, 0, 0, 2])],
        .protocolError
    ),
    Violation(
        "§6.7 PING on a stream",
        .server,
        [WireFrame(type: 6, stream: 1, payload: [0, 0, 0, 0, 0, 0, 0, 0])],
        .protocolError
    ),
    Violation("§6.7 PING of a wrong size", .server, [.ping([0, 0, 0, 0, 0, 0])], .frameSizeError),
    Violation(
        "§6.8 GOAWAY on a stream",
        .server,
        [WireFrame(type: 7, stream: 1, payload: [0, 0, 0, 0, 0, 0, 0, 0])],
        .protocolError
    ),
    Violation(
        "§6.8 GOAWAY of a wrong size",
        .server,
        [WireFrame(type: 7, payload: [0, 0, 0, 0])],
        .frameSizeError
    ),
    Violation(
        "§6.9 WINDOW_UPDATE of a wrong size",
        .server,
        [WireFrame(type: 8, payload: [0, 0, 1])],
        .frameSizeError
    ),
    Violation(
        "§6.9 WINDOW_UPDATE of zero on the connection",
        .server,
        [.windowUpdate(0, 0)],
        .protocolError
    ),
    Violation(
        "§6.9.1 a connection's window above 2^31-1",
        .server,
        [.windowUpdate(0, 0x7FFF_FFFF)],
        .flowControlError
    ),
    Violation(
        "§6.9.2 a stream's window above 2^31-1 by SETTINGS",
        .server,
        [open, .windowUpdate(1, 0x7FFF_0000), .settings([(4, 0x7FFF_FFFF)])],
        .flowControlError
    ),
    Violation("§6.10 CONTINUATION on stream 0", .server, [.continuation(0, [])], .protocolError),
    Violation(
        "§6.10 CONTINUATION after the end of the block",
        .server,
        [open, .continuation(1, getRequest)],
        .protocolError
    ),
]

@Suite struct `RFC 9113: a peer's error` {
    @Test(arguments: framing + frameTypes)
    func `ends the connection with the right code`(violation: Violation) {
        let victim: MachineUnderTest = violation.role == .server ? .server() : .client()
        let events = victim.receive(violation.frames)
        #expect(events.last?.failureCode == violation.code)
        #expect(victim.hasFailed)
        let goAway = victim.takeFrames().last
        #expect(goAway?.type == 7)
        #expect(goAway?.code == violation.code.rawValue)
        // Whatever follows is swallowed without a word.
        #expect(victim.receive([open, .ping([1, 2, 3, 4, 5, 6, 7, 8])]) == [])
        #expect(victim.takeFrames() == [])
    }

    @Test(arguments: framing + frameTypes)
    func `is found when bytes come one by one`(violation: Violation) {
        guard violation.frames.allSatisfy({ $0.payload.count < 1000 }) else { return }
        let victim: MachineUnderTest = violation.role == .server ? .server() : .client()
        let events = victim.receive(violation.frames.flatMap(\.bytes), pieces: 1)
        #expect(events.last?.failureCode == violation.code)
    }

    @Test func `is named by the last stream that was served`() {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, getRequest), .headers(7, getRequest), .data(9, [])])
        #expect(server.takeFrames() == [.goAway(7, 1)])
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r ", "\u{16}\u{3}",
    ])
    func `in the preface ends the connection (§3.4)`(text: String) {
        let server = MachineUnderTest(.server)
        #expect(server.receive(Array(text.utf8)).last?.failureCode == .protocolError)
    }

    @Test(arguments: [
        WireFrame.ping([0, 0, 0, 0, 0, 0, 0, 0]), .settingsAcknowledgement,
        .headers(1, getRequest), .windowUpdate(0, 1),
    ])
    func `is to begin with anything but SETTINGS (§3.4)`(frame: WireFrame) {
        let server = MachineUnderTest(.server)
        #expect(server.receive(clientPreface + frame.bytes).last?.failureCode == .protocolError)
        let client = MachineUnderTest(.client)
        #expect(client.receive([frame]).last?.failureCode == .protocolError)
    }
}
