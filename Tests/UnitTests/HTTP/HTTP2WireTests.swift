import HTTP
import Testing

/// Bytes from lines of hexadecimal digits; what stands behind `#` explains them.
private func wire(_ text: String) -> [UInt8] {
    text.split(separator: "\n").flatMap { line -> [UInt8] in
        let digits = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
        return stride(from: 0, to: digits.count, by: 2).compactMap { offset in
            UInt8(digits.dropFirst(offset).prefix(2), radix: 16)
        }
    }
}

@Suite struct `HTTP2 on the wire` {
    @Test func `begins as a client`() {
        let client = MachineUnderTest(.client)
        #expect(
            client.machine.takeOutput()
                == wire(
                    """
                    505249202a20485454502f322e300d0a  # PRI * HTTP/2.0
                    0d0a534d0d0a0d0a                  # SM
                    000018 04 00 00000000             # SETTINGS
                    0004 00400000                     #   INITIAL_WINDOW_SIZE 4 MiB
                    0005 00100000                     #   MAX_FRAME_SIZE 1 MiB
                    0006 00004000                     #   MAX_HEADER_LIST_SIZE 16 KiB
                    0002 00000000                     #   ENABLE_PUSH 0
                    000004 08 00 00000000 00ff0001    # WINDOW_UPDATE to 16 MiB
                    """
                )
        )
    }

    @Test func `reads RFC 7541's own requests (appendix C.4)`() {
        let server = MachineUnderTest.server()
        let events = server.receive(
            wire(
                """
                000011 01 05 00000001               # HEADERS, END_HEADERS and END_STREAM, stream 1
                82 86 84                            #   GET, http, /
                41 8c f1e3c2e5f23a6ba0ab90f4ff      #   :authority, Huffman, into the table
                00000c 01 05 00000003               # HEADERS, stream 3
                82 86 84 be                         #   :authority out of the table
                58 86 a8eb10649cbf                  #   cache-control: no-cache
                """
            )
        )
        let first: HeaderFields = [
            ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "www.example.com",
        ]
        var second = first
        second.append("cache-control", "no-cache")
        #expect(
            events == [
                .headers(stream: 1, first, endStream: true),
                .headers(stream: 3, second, endStream: true),
            ]
        )
    }

    @Test func `reads a tunnel with padding, a cut frame and an end`() throws {
        let server = MachineUnderTest.server()
        let opening = wire(
            """
            000016 01 04 00000001               # HEADERS, END_HEADERS, stream 1
            02 07 434f4e4e454354                #   :method CONNECT, not into the table
            01 0b 31302e312e302e353a3830        #   :authority 10.1.0.5:80
            """
        )
        #expect(
            server.receive(opening) == [
                .headers(
                    stream: 1,
                    [":method": "CONNECT", ":authority": "10.1.0.5:80"],
                    endStream: false
                )
            ]
        )
        let padded = wire(
            """
            000007 00 08 00000001               # DATA, PADDED, stream 1
            03 68656c 000000                    #   three bytes of padding behind "hel"
            000002 00 01 00000001 6c            # DATA, END_STREAM, its second byte not there yet
            """
        )
        #expect(
            server.receive(padded) == [
                .data(stream: 1, 10..<13, endStream: false),
                .data(stream: 1, 25..<26, endStream: false),
            ]
        )
        #expect(server.receive(wire("6f")) == [.data(stream: 1, 0..<1, endStream: true)])
        try server.respond(1, endStream: true)
        #expect(
            server.machine.takeOutput()
                == wire(
                    """
                    000001 01 05 00000001 88        # HEADERS, END_HEADERS and END_STREAM: 200
                    """
                )
        )
    }

    @Test func `ends with the code and the last stream`() {
        let server = MachineUnderTest.server()
        let events = server.receive(
            wire(
                """
                000003 01 05 00000003 828684        # HEADERS, stream 3
                000005 06 00 00000000 0102030405    # PING of five bytes
                """
            )
        )
        #expect(events.last?.failureCode == .frameSizeError)
        #expect(
            server.machine.takeOutput()
                == wire("000008 07 00 00000000 00000003 00000006  # GOAWAY, 3, FRAME_SIZE_ERROR")
        )
    }
}
