import HTTP
import Testing

@Suite struct `RFC 9113 §5.2: flow control` {
    private func small(stream: Int32 = 100_000, connection: Int32 = 200_000) -> HTTP2Limits {
        var limits = HTTP2Limits.server
        limits.streamWindowBytes = stream
        limits.connectionWindowBytes = connection
        return limits
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    @Test func `resets a stream that goes beyond its window, and only that`() {
        let server = MachineUnderTest.server(small())
        let events = server.receive([
            .headers(1, postRequest), .headers(3, postRequest),
            .data(1, zeros(100_000)), .data(1, [1]), .data(3, [1]),
        ])
        #expect(events.contains(.reset(stream: 1, .flowControlError, byPeer: false)))
        #expect(server.activeStreams == 1)
        #expect(!server.hasFailed)
    }

    @Test func `ends a connection that goes beyond its window`() {
        var limits = small()
        // Consumers far behind: the window is not returned on receipt.
        limits.unreleasedBytesMax = 0
        let server = MachineUnderTest.server(limits)
        var frames: [WireFrame] = []
        for stream in [UInt32(1), 3, 5] {
            frames.append(.headers(stream, postRequest))
            frames.append(.data(stream, zeros(stream == 5 ? 1 : 100_000)))
        }
        #expect(server.receive(frames).last?.failureCode == .flowControlError)
    }

    @Test func `returns the connection's window on receipt, a stream's when it is released`() {
        let server = MachineUnderTest.server(small())
        _ = server.receive([.headers(1, postRequest), .data(1, zeros(100_000))])
        #expect(server.takeFrames() == [.windowUpdate(0, 100_000)])
        server.machine.released(1, 49_999)
        #expect(server.takeFrames() == [])
        server.machine.released(1, 1)
        #expect(server.takeFrames() == [.windowUpdate(1, 50_000)])
        // More than was handed out is not believed.
        server.machine.released(1, 1_000_000)
        #expect(server.takeFrames() == [.windowUpdate(1, 50_000)])
    }

    @Test func `holds the connection's window back while consumers are far behind`() {
        var limits = small(stream: 100_000, connection: 100_000)
        limits.unreleasedBytesMax = 60_000
        let server = MachineUnderTest.server(limits)
        _ = server.receive([.headers(1, postRequest), .data(1, zeros(60_000))])
        #expect(server.takeFrames() == [.windowUpdate(0, 60_000)])
        _ = server.receive([.headers(3, postRequest), .data(3, zeros(60_000))])
        #expect(server.takeFrames() == [])
        server.machine.released(1, 30_000)
        #expect(server.takeFrames() == [])
        server.machine.released(1, 30_000)
        #expect(server.takeFrames() == [.windowUpdate(1, 60_000), .windowUpdate(0, 60_000)])
    }

    @Test func `forgets what a stream that is over had not released`() {
        var limits = small(stream: 100_000, connection: 100_000)
        limits.unreleasedBytesMax = 60_000
        for isPeers in [true, false] {
            let server = MachineUnderTest.server(limits)
            _ = server.receive([.headers(1, postRequest), .data(1, zeros(70_000))])
            #expect(server.takeFrames() == [])
            if isPeers {
                _ = server.receive([.reset(1, 8)])
                #expect(server.takeFrames() == [.windowUpdate(0, 70_000)])
            } else {
                server.machine.reset(1, .cancel)
                #expect(server.takeFrames() == [.windowUpdate(0, 70_000), .reset(1, 8)])
            }
        }
    }

    @Test func `counts padding and returns it at once (§6.1)`() {
        let server = MachineUnderTest.server(small(stream: 1000, connection: 70_000))
        let padded = WireFrame(
            type: 0,
            flags: 8,
            stream: 1,
            payload: [250] + zeros(10) + zeros(250)
        )
        let events = server.receive([.headers(1, postRequest), padded, padded])
        #expect(events.count == 3)
        // 251 of each 261 bytes come back without a consumer.
        #expect(server.takeFrames() == [.windowUpdate(1, 502)])
    }

    @Test(arguments: [1, 3, 1000])
    func `passes padded payload on without the padding, cut anywhere`(pieces: Int) {
        let server = MachineUnderTest.server()
        let padded = WireFrame(
            type: 0,
            flags: 9,
            stream: 1,
            payload: [4] + Array("payload".utf8) + zeros(4)
        )
        _ = server.receive([.headers(1, postRequest)])
        let bytes = padded.bytes
        var payload: [UInt8] = []
        var ends = 0
        var start = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(bytes.count, start + pieces)])
            for event in server.receive(piece) {
                guard case .data(1, let range, let endStream) = event else {
                    Issue.record("unexpected \(event)")
                    return
                }
                payload += piece[range]
                ends += endStream ? 1 : 0
            }
            start += pieces
        }
        #expect(payload == Array("payload".utf8))
        #expect(ends == 1)
    }

    @Test func `returns the window of DATA for streams that are gone`() {
        let server = MachineUnderTest.server(small())
        _ = server.receive([.headers(1, postRequest)])
        server.machine.reset(1, .cancel)
        _ = server.takeFrames()
        #expect(server.receive([.data(1, zeros(100_000)), .data(1, zeros(100_000))]) == [])
        #expect(
            server.takeFrames() == [.windowUpdate(0, 100_000), .windowUpdate(0, 100_000)]
        )
    }

    @Test func `lets us send what both windows allow`() throws {
        let client = MachineUnderTest.client(settings: [(4, 100_000)])
        let one = try client.open(connectFields)
        let two = try client.open(connectFields)
        #expect(client.sendable(one) == 65_535)
        #expect(client.frameData(one, zeros(16_385)) == nil, "above the peer's frame size")
        for _ in 0..<3 {
            #expect(client.frameData(one, zeros(16_384)) != nil)
        }
        #expect(client.sendable(two) == 65_535 - 3 * 16_384)
        #expect(client.frameData(two, zeros(16_384)) == nil, "above the connection's window")
        #expect(client.frameData(two, zeros(client.sendable(two))) != nil)
        #expect(client.sendable(one) == 0)
        #expect(client.frameData(one, [], end: true) != nil, "an end needs no window")
        #expect(client.receive([.windowUpdate(0, 10)]) == [.writable(stream: 0)])
        #expect(client.sendable(two) == 10)
        #expect(client.sendable(one) == 0, "its half has ended")
    }

    @Test func `follows changes of the initial window, even below zero (§6.9.2)`() throws {
        let client = MachineUnderTest.client(settings: [(4, 50_000)])
        let stream = try client.open(connectFields)
        _ = client.frameData(stream, zeros(16_000))
        #expect(client.sendable(stream) == 34_000)
        #expect(client.receive([.settings([(4, 10_000)])]) == [.settings])
        #expect(client.sendable(stream) == 0)
        #expect(client.receive([.windowUpdate(stream, 6_001)]) == [.writable(stream: stream)])
        #expect(client.sendable(stream) == 1)
        #expect(client.receive([.settings([(4, 0)])]) == [.settings])
        #expect(client.sendable(stream) == 0)
        #expect(
            client.receive([.settings([(4, 20_000)])]) == [.settings, .writable(stream: 0)]
        )
        #expect(client.sendable(stream) == 10_001)
    }

    @Test func `resets a stream for a WINDOW_UPDATE of zero or beyond 2^31-1 (§6.9)`() throws {
        for (increment, code) in [
            (UInt32(0), HTTP2ErrorCode.protocolError), (0x7FFF_FFFF, .flowControlError),
        ] {
            let client = MachineUnderTest.client()
            let stream = try client.open(connectFields)
            _ = client.takeFrames()
            #expect(
                client.receive([.windowUpdate(stream, increment)])
                    == [.reset(stream: stream, code, byPeer: false)]
            )
            #expect(client.takeFrames() == [.reset(stream, code.rawValue)])
        }
    }

    @Test func `lets a peer use the default window until it knows of a smaller one (§6.9.2)`() {
        let server = MachineUnderTest(.server, small(stream: 1000, connection: 200_000))
        _ = server.receive(clientPreface + WireFrame.settings().bytes)
        #expect(server.receive([.headers(1, postRequest), .data(1, zeros(60_000))]).count == 2)
        #expect(server.receive([.settingsAcknowledgement]) == [])
        let late = server.receive([.data(1, [1])])
        #expect(late == [.reset(stream: 1, .flowControlError, byPeer: false)])
        let other = server.receive([.headers(3, postRequest), .data(3, zeros(1001))])
        #expect(other.last == .reset(stream: 3, .flowControlError, byPeer: false))
    }

    @Test func `keeps quiet while nothing can have waited`() throws {
        let client = MachineUnderTest.client()
        let stream = try client.open(connectFields)
        #expect(client.receive([.windowUpdate(stream, 5), .windowUpdate(0, 5)]) == [])
    }
}
