import HTTP
import Testing

@Suite struct `RFC 9113 §8: a request` {
    private static let base: KeyValuePairs<String, String> = [
        ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a.test",
    ]

    private static func changed(
        _ name: String? = nil,
        to value: String? = nil,
        adding more: KeyValuePairs<String, String> = [:]
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for (key, old) in base {
            if key != name {
                bytes += literal(key, old)
            } else if let value {
                bytes += literal(key, value)
            }
        }
        return bytes + block(more)
    }

    @Test(arguments: [
        ("§8.2.1 an upper-case name", changed(adding: ["Accept": "x"])),
        ("§8.2.1 an empty name", changed(adding: ["": "x"])),
        ("§8.2.1 a space in a name", changed(adding: ["a b": "x"])),
        ("§8.2.1 a colon in a name", changed(adding: ["a:b": "x"])),
        ("§8.2.1 a line feed in a name", changed(adding: ["a\nb": "x"])),
        ("§8.2.1 NUL in a value", changed(adding: ["a": "x\u{0}y"])),
        ("§8.2.1 LF in a value", changed(adding: ["a": "x\ny: z"])),
        ("§8.2.1 CR in a value", changed(adding: ["a": "x\ry"])),
        ("§8.2.1 a leading space in a value", changed(adding: ["a": " x"])),
        ("§8.2.1 a trailing tab in a value", changed(adding: ["a": "x\t"])),
        ("§8.2.2 connection", changed(adding: ["connection": "close"])),
        ("§8.2.2 keep-alive", changed(adding: ["keep-alive": "1"])),
        ("§8.2.2 proxy-connection", changed(adding: ["proxy-connection": "close"])),
        ("§8.2.2 transfer-encoding", changed(adding: ["transfer-encoding": "chunked"])),
        ("§8.2.2 upgrade", changed(adding: ["upgrade": "h2c"])),
        ("§8.2.2 te other than trailers", changed(adding: ["te": "trailers, gzip"])),
        ("§8.3 an unknown pseudo-header", changed(adding: [":test": "x"])),
        ("§8.3 a response's pseudo-header", changed(adding: [":status": "200"])),
        ("§8.3 a pseudo-header behind a field", block(["a": "b"]) + getRequest),
        ("§8.3 :protocol without extended CONNECT", changed(adding: [":protocol": "websocket"])),
        ("§8.3.1 no :method", changed(":method")),
        ("§8.3.1 no :scheme", changed(":scheme")),
        ("§8.3.1 no :path", changed(":path")),
        ("§8.3.1 :method twice", changed(adding: [":method": "GET"])),
        ("§8.3.1 :path twice", changed(adding: [":path": "/"])),
        ("§8.3.1 :authority twice", changed(adding: [":authority": "a.test"])),
        ("§8.3.1 an empty :path", changed(":path", to: "")),
        ("§8.3.1 a relative :path", changed(":path", to: "a/b")),
        ("§8.3.1 * of GET", changed(":path", to: "*")),
        ("§8.3.1 a space in :path", changed(":path", to: "/ HTTP/1.1")),
        ("§8.3.1 CRLF in :path", changed(":path", to: "/\r\nhost: b")),
        ("§8.3.1 a fragment in :path", changed(":path", to: "/a#b")),
        ("§8.3.1 an empty :method", changed(":method", to: "")),
        ("§8.3.1 a space in :method", changed(":method", to: "GET /x")),
        ("§8.3.1 CRLF in :method", changed(":method", to: "GET\r\n")),
        ("§8.3.1 an empty :scheme", changed(":scheme", to: "")),
        ("§8.3.1 a :scheme with a colon", changed(":scheme", to: "https:")),
        ("§8.3.1 user information in :authority", changed(":authority", to: "u@a.test")),
        ("§8.3.1 a slash in :authority", changed(":authority", to: "a.test/x")),
        ("§8.3.1 a space in :authority", changed(":authority", to: "a test")),
        ("§8.3.1 host that differs from :authority", changed(adding: ["host": "b.test"])),
        ("§8.3.1 a second host that differs", changed(adding: ["host": "a.test", "host": "b"])),
        ("§8.1.1 a content-length with a sign", changed(adding: ["content-length": "+5"])),
        ("§8.1.1 a hexadecimal content-length", changed(adding: ["content-length": "0x5"])),
        ("§8.1.1 an empty content-length", changed(adding: ["content-length": ""])),
        ("§8.1.1 a list as content-length", changed(adding: ["content-length": "5, 5"])),
        (
            "§8.1.1 a content-length beyond 18 digits",
            changed(adding: ["content-length": "1000000000000000000"])
        ),
        (
            "§8.1.1 two content-lengths",
            changed(adding: ["content-length": "5", "content-length": "6"])
        ),
        (
            "§8.5 CONNECT with :path",
            block([":method": "CONNECT", ":authority": "a:1", ":path": "/"])
        ),
        (
            "§8.5 CONNECT with :scheme",
            block([":method": "CONNECT", ":authority": "a:1", ":scheme": "https"])
        ),
        ("§8.5 CONNECT without :authority", block([":method": "CONNECT"])),
        ("no fields at all", []),
    ])
    func `that is malformed resets its stream only`(rule: String, fields: [UInt8]) {
        let server = MachineUnderTest.server()
        #expect(server.receive([.headers(1, fields)]) == [])
        #expect(server.takeFrames() == [.reset(1, 1)])
        #expect(server.activeStreams == 0)
        #expect(server.receive([.headers(3, getRequest)]).count == 1)
    }

    @Test func `may carry te: trailers, host like its authority, and equal content-lengths`() {
        let server = MachineUnderTest.server()
        let fields = Self.changed(adding: [
            "te": "trailers", "host": "A.Test", "content-length": "0", "content-length": "0",
            "x": "\u{FF}", "empty": "", "tab": "a\tb",
        ])
        #expect(server.receive([.headers(1, fields, end: true)]).count == 1)
        #expect(
            server.receive([
                .headers(3, block([":method": "OPTIONS", ":scheme": "https", ":path": "*"]))
            ]).count == 1
        )
    }

    @Test(arguments: [
        (["12345"], false), (["1234", "5"], false), (["1234", ""], true), (["12345", ""], false),
        (["123"], true),
        (["12345", "6"], true), ([""], true),
    ])
    func `has as much content as its length says (§8.1.1)`(pieces: [String], isWrong: Bool) {
        let server = MachineUnderTest.server()
        let fields = Self.changed(adding: ["content-length": "5"])
        var frames = [WireFrame.headers(1, fields)]
        for (index, piece) in pieces.enumerated() {
            frames.append(.data(1, Array(piece.utf8), end: index == pieces.count - 1))
        }
        let reset = HTTP2Event.reset(stream: 1, .protocolError, byPeer: false)
        #expect((server.receive(frames).last == reset) == isWrong)
    }

    @Test func `without content may not announce any`() {
        let server = MachineUnderTest.server()
        let fields = Self.changed(adding: ["content-length": "5"])
        #expect(server.receive([.headers(1, fields, end: true)]) == [])
        #expect(server.takeFrames() == [.reset(1, 1)])
        let trailers = WireFrame.headers(3, block(["a": "b"]), end: true)
        #expect(
            server.receive([.headers(3, fields), .data(3, [1, 2, 3]), trailers]).last
                == .reset(stream: 3, .protocolError, byPeer: false)
        )
    }

    @Test func `ends with trailers that carry no pseudo-headers and end the stream (§8.1)`() {
        let server = MachineUnderTest.server()
        #expect(
            server.receive([.headers(1, postRequest), .headers(1, block(["a": "b"]), end: true)])
                .last
                == .trailers(stream: 1, ["a": "b"])
        )
        let reset = HTTP2Event.reset(stream: 3, .protocolError, byPeer: false)
        #expect(
            server.receive([.headers(3, postRequest), .headers(3, block(["a": "b"]))]).last == reset
        )
        #expect(
            server.receive([
                .headers(5, postRequest), .headers(5, block([":path": "/"]), end: true),
            ]).last == .reset(stream: 5, .protocolError, byPeer: false)
        )
    }
}

@Suite struct `RFC 9113 §8: a response` {
    private func client(_ fields: HeaderFields = getFields) throws -> MachineUnderTest {
        let client = MachineUnderTest.client()
        _ = try client.open(fields, endStream: true)
        _ = client.takeFrames()
        return client
    }

    @Test(arguments: [
        block([:]), block([":status": ""]), block([":status": "20"]), block([":status": "2000"]),
        block([":status": "abc"]), block([":status": "099"]), block([":status": "600"]),
        block([":status": "101"]), block([":status": "200", ":status": "200"]),
        block([":status": "200", ":path": "/"]), block(["a": "b", ":status": "200"]),
        block([":status": "200", "connection": "close"]), block([":status": "+20"]),
        block([":status": "200", "a": "x\r\nset-cookie: y"]),
    ])
    func `that is malformed resets its stream only`(fields: [UInt8]) throws {
        let client = try client()
        #expect(
            client.receive([.headers(1, fields)])
                == [.reset(stream: 1, .protocolError, byPeer: false)]
        )
        #expect(client.takeFrames() == [.reset(1, 1)])
        #expect(client.canOpen)
    }

    @Test func `may follow informational ones, which do not end the stream`() throws {
        let client = try client()
        let early = block([":status": "103", "link": "x"])
        #expect(
            client.receive([.headers(1, early), .headers(1, block([":status": "200"]), end: true)])
                == [
                    .informational(stream: 1, [":status": "103", "link": "x"]),
                    .headers(stream: 1, [":status": "200"], endStream: true),
                ]
        )
        let other = try self.client()
        #expect(
            other.receive([.headers(1, early, end: true)])
                == [.reset(stream: 1, .protocolError, byPeer: false)]
        )
    }

    @Test func `has no DATA before its HEADERS`() throws {
        let client = try client()
        #expect(
            client.receive([.data(1, [1])]) == [.reset(stream: 1, .protocolError, byPeer: false)]
        )
    }

    @Test func `to HEAD, 204 and 304 has no content, whatever its length says`() throws {
        let head: HeaderFields = [
            ":method": "HEAD", ":scheme": "https", ":path": "/", ":authority": "a.test",
        ]
        let length = block([":status": "200", "content-length": "5"])
        #expect(try client(head).receive([.headers(1, length, end: true)]).count == 1)
        #expect(
            try client(head).receive([.headers(1, length), .data(1, [1])]).last
                == .reset(stream: 1, .protocolError, byPeer: false)
        )
        let unchanged = block([":status": "304", "content-length": "5"])
        guard case .headers? = try client().receive([.headers(1, unchanged, end: true)]).last else {
            Issue.record("a 304 with content-length was refused")
            return
        }
        #expect(
            try client().receive([.headers(1, length, end: true)]).last
                == .reset(stream: 1, .protocolError, byPeer: false)
        )
    }
}

@Suite struct `RFC 9113 §8.5: a tunnel` {
    @Test func `takes DATA before the answer and ignores content-length`() throws {
        let server = MachineUnderTest.server()
        let fields = connectRequest + block(["content-length": "1"])
        let events = server.receive([.headers(1, fields), .data(1, [1, 2, 3])])
        guard case .data(1, let range, false)? = events.last else {
            Issue.record("no early payload: \(events)")
            return
        }
        #expect(range.count == 3)
        try server.respond(1)
        let client = MachineUnderTest.client()
        _ = try client.open(connectFields)
        let answer = block([":status": "200", "content-length": "1"])
        #expect(
            client.receive([.headers(1, answer), .data(1, [1, 2, 3], end: true)]).last?.endsStream
                == true
        )
    }

    @Test func `ends where trailers come, without their fields`() {
        let server = MachineUnderTest.server()
        #expect(
            server.receive([
                .headers(1, connectRequest), .headers(1, block(["a": "b"]), end: true),
            ]).last == .data(stream: 1, nothing, endStream: true)
        )
    }

    @Test func `takes no HEADERS in the middle`() {
        let server = MachineUnderTest.server()
        #expect(
            server.receive([.headers(1, connectRequest), .headers(1, block(["a": "b"]))]).last
                == .reset(stream: 1, .protocolError, byPeer: false)
        )
    }

    @Test func `has no trailers of ours`() throws {
        let server = MachineUnderTest.server()
        _ = server.receive([.headers(1, connectRequest)])
        try server.respond(1)
        #expect(throws: HTTP2SendError.malformedFields) {
            try server.machine.trailers(1, ["a": "b"])
        }
    }

    @Test func `refused is an ordinary response with content`() throws {
        let client = MachineUnderTest.client()
        _ = try client.open(connectFields)
        let refusal = block([":status": "503", "content-length": "2"])
        let events = client.receive([.headers(1, refusal), .data(1, [1], end: true)])
        #expect(events.last == .reset(stream: 1, .protocolError, byPeer: false))
    }
}

extension HTTP2Event {
    var endsStream: Bool? {
        switch self {
        case .headers(_, _, let end), .data(_, _, let end): end
        default: nil
        }
    }
}
