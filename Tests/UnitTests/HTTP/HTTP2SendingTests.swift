import HTTP
import Testing

@Suite struct `What we send in HTTP2` {
    @Test func `opens with preface, SETTINGS and the connection's window`() {
        let client = MachineUnderTest(.client)
        let bytes = client.machine.takeOutput()
        #expect(bytes.starts(with: clientPreface))
        let ours = [
            WireFrame.settings([(4, 4_194_304), (5, 1_048_576), (6, 16_384), (2, 0)]),
            .windowUpdate(0, 16_711_681),
        ]
        #expect(WireFrame.parse(bytes) == ours)
        let theirs = [
            WireFrame.settings([(4, 4_194_304), (5, 1_048_576), (6, 65_536), (3, 200)]),
            .windowUpdate(0, 16_711_681),
        ]
        #expect(MachineUnderTest(.server).takeFrames() == theirs)
    }

    @Test func `numbers requests 1, 3, 5 and stops at the peer's limit`() throws {
        let client = MachineUnderTest.client(settings: [(3, 2)])
        #expect(try client.open(connectFields) == 1)
        #expect(try client.open(connectFields) == 3)
        #expect(!client.canOpen)
        #expect(throws: HTTP2SendError.tooManyStreams) { try client.open(connectFields) }
        client.machine.reset(1, .cancel)
        #expect(try client.open(connectFields) == 5)
        #expect(client.receive([.settings([(3, 0)])]) == [.settings])
        #expect(throws: HTTP2SendError.tooManyStreams) { try client.open(connectFields) }
    }

    @Test(
        arguments: [
            [":method": "CONNECT", ":authority": "a:1", "x": "1\r\ny: 2"],
            [":method": "CONNECT", ":authority": "a:1", "x": "1\u{0}"],
            [":method": "CONNECT", ":authority": "a:1\r\n"],
            [":method": "CONNECT", ":authority": "a:1", "Upper": "1"],
            [":method": "CONNECT", ":authority": "a:1", "connection": "close"],
            [":method": "GET", ":authority": "a:1"],
            [:],
        ] as [HeaderFields]
    )
    func `never smuggles: malformed lists are refused`(fields: HeaderFields) {
        let client = MachineUnderTest.client()
        #expect(throws: HTTP2SendError.malformedFields) { try client.open(fields) }
        #expect(client.takeFrames() == [])
    }

    @Test func `respects the peer's limit of header lists`() {
        let client = MachineUnderTest.client(settings: [(6, 100)])
        #expect(throws: HTTP2SendError.fieldsTooLarge) { try client.open(connectFields + 50) }
    }

    @Test func `cuts large lists into HEADERS and CONTINUATIONs`() throws {
        let client = MachineUnderTest.client()
        let server = MachineUnderTest.server()
        // Bytes outside of Huffman's short codes keep the block large.
        let fields = connectFields + 20_000
        _ = try client.open(fields, endStream: true)
        let frames = client.takeFrames()
        #expect(frames.map(\.type) == [1, 9])
        #expect(frames.map(\.flags) == [1, 4])
        #expect(frames.first?.payload.count == 16_384)
        #expect(server.receive(frames) == [.headers(stream: 1, fields, endStream: true)])
    }

    @Test func `follows the peer's header table down to nothing`() throws {
        let client = MachineUnderTest.client(settings: [(1, 0)])
        _ = try client.open(connectFields)
        _ = try client.open(connectFields)
        let blocks = client.takeFrames().map(\.payload)
        #expect(blocks.first?.first == 0x20, "a table size update to zero")
        #expect(blocks.last == blocks.first.map { Array($0.dropFirst()) })
    }

    @Test func `needs an open stream`() throws {
        let server = MachineUnderTest.server()
        #expect(throws: HTTP2SendError.streamClosed) { try server.respond(1) }
        _ = server.receive([.headers(1, getRequest)])
        #expect(server.frameData(1, [1]) == nil, "no DATA before the response")
        try server.machine.respond(1, [":status": "100"], endStream: false)
        #expect(server.frameData(1, [1]) == nil, "100 is no response yet")
        #expect(throws: HTTP2SendError.malformedFields) {
            try server.machine.respond(1, [":status": "103"], endStream: true)
        }
        try server.respond(1)
        #expect(throws: HTTP2SendError.streamClosed) { try server.respond(1) }
        #expect(server.frameData(1, [1], end: true) != nil)
        #expect(server.frameData(1, [1]) == nil, "our half has ended")
        #expect(throws: HTTP2SendError.streamClosed) { try server.machine.trailers(1, [:]) }
        _ = server.takeFrames()
        server.machine.reset(1, .cancel)
        server.machine.reset(1, .cancel)
        #expect(server.takeFrames() == [.reset(1, 8)])
    }

    @Test func `keeps the header of a frame inside the caller's buffer`() throws {
        let client = MachineUnderTest.client()
        let stream = try client.open(connectFields)
        var bytes = [UInt8](repeating: 7, count: 12)
        var span = bytes.mutableSpan
        for offset in [-1, 4, 12, Int.max] {
            let isWritten = client.machine.writeDataHeader(
                stream,
                length: 3,
                endStream: false,
                into: &span,
                at: offset
            )
            #expect(!isWritten)
        }
        #expect(client.sendable(stream) == 65_535)
        let isWritten = client.machine.writeDataHeader(
            stream,
            length: 3,
            endStream: true,
            into: &span,
            at: 0
        )
        #expect(isWritten)
        #expect(bytes == [0, 0, 3, 0, 1, 0, 0, 0, 1, 7, 7, 7])
    }

    @Test func `leaves in the pieces a caller has room for`() throws {
        let client = MachineUnderTest(.client)
        let whole = MachineUnderTest(.client).machine.takeOutput()
        var moved: [UInt8] = []
        while client.machine.outputCount > 0 {
            var piece = [UInt8](repeating: 0, count: 10)
            var span = piece.mutableSpan
            let count = client.machine.moveOutput(to: &span, at: 3)
            #expect(count > 0)
            moved += piece[3..<3 + count]
        }
        #expect(moved == whole)
    }

    @Test func `keeps credentials and random values out of the peer's table`() throws {
        let client = MachineUnderTest.client()
        var fields = connectFields
        fields.append("traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00")
        fields.append("authorization", "Bearer secret")
        _ = try client.open(fields)
        _ = try client.open(fields)
        let sizes = client.takeFrames().map(\.payload.count)
        // What is in the table costs a byte or two the second time; these cost the same again.
        #expect(sizes.count == 2 && sizes[1] > 50)
        #expect(sizes[1] < sizes[0])
    }
}

extension HeaderFields {
    /// The list with one more field of that many bytes.
    fileprivate static func + (fields: HeaderFields, count: Int) -> HeaderFields {
        var more = fields
        more.append("x-long", String(repeating: "{}", count: count / 2))
        return more
    }
}
