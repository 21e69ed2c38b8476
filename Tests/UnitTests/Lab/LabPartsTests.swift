import Foundation
import Lab
import Mesh
import Testing

@Suite struct `A control frame` {
    @Test func `comes back from any split of its bytes`() throws {
        let frame = try encodeFrame(Request.node("one", .stop(signal: 9)))
        let two = frame + frame
        for split in 0...two.count {
            var reader = FrameReader()
            reader.append(Array(two[..<split]))
            var found: [[UInt8]] = []
            while let body = try reader.next() { found.append(body) }
            reader.append(Array(two[split...]))
            while let body = try reader.next() { found.append(body) }
            #expect(found.count == 2)
            guard case .node("one", .stop(signal: 9)) = try decodeFrame(found[1], as: Request.self)
            else {
                Issue.record("another request came out")
                return
            }
        }
    }

    @Test func `over the limit is refused before its bytes are there`() {
        var reader = FrameReader()
        reader.append([0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: LabError.self) { try reader.next() }
    }
}

@Suite struct `A packet` {
    // 10.1.0.2:40000 > 10.1.0.3:15008, PSH+ACK, five bytes of a TLS record, then Ethernet padding.
    private static func frame(_ payload: [UInt8], padding: Int = 0) -> [UInt8] {
        let total = UInt8(40 + payload.count)
        let ethernet: [UInt8] = Array(repeating: 2, count: 12) + [0x08, 0x00]
        let ip: [UInt8] =
            [0x45, 0, 0, total, 0, 0, 0x40, 0, 64, 6, 0, 0] + [10, 1, 0, 2] + [10, 1, 0, 3]
        let tcp: [UInt8] =
            [0x9C, 0x40, 0x3A, 0xA0] + Array(repeating: 0, count: 8) + [
                0x50, 0x18, 0, 0, 0, 0, 0, 0,
            ]
        return ethernet + ip + tcp + payload + Array(repeating: 0, count: padding)
    }

    @Test func `is summarised by addresses and content`() throws {
        let record = try #require(Packet(ethernet: Self.frame([23, 3, 3, 0, 0])))
        #expect(
            record.summary == "10.1.0.2:40000 > 10.1.0.3:15008: TLS application data, 5 bytes"
        )
        let clear = try #require(Packet(ethernet: Self.frame(Array("GET / HTTP/1.1".utf8))))
        #expect(clear.content == .other)
        let bare = try #require(Packet(ethernet: Self.frame([], padding: 6)))
        #expect(bare.content == .none)
        #expect(bare.summary == "10.1.0.2:40000 > 10.1.0.3:15008: TCP ACK")
    }

    @Test func `cut anywhere is refused or read, never a trap`() {
        let whole = Self.frame([23, 3, 3, 0, 0])
        for count in 0..<whole.count {
            _ = Packet(ethernet: Array(whole[..<count]))?.summary
        }
        #expect(Packet(ethernet: Array(whole[..<33])) == nil)
    }

    @Test func `is kept in a file that libpcap's tools read`() {
        let record = PacketFile.record(time: 5_000_000_007, frame: [1, 2], length: 3)
        #expect(record == [5, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 2])
        #expect(PacketFile.header.count == 24)
        #expect(PacketFile.header.prefix(4) == [0x4D, 0x3C, 0xB2, 0xA1])
    }
}

@Suite struct `An HTTP answer` {
    @Test func `is split into status and body, chunked or not`() throws {
        let plain = try NodeHTTP.parse(Array("HTTP/1.1 503 Busy\r\nA: b\r\n\r\nno".utf8))
        #expect(plain.status == 503)
        #expect(plain.body == Array("no".utf8))
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunked = try NodeHTTP.parse(Array((head + "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n").utf8))
        #expect(chunked.body == Array("abcde".utf8))
        #expect(throws: (any Error).self) { try NodeHTTP.parse(Array("junk".utf8)) }
    }
}

@Suite struct `The kernel's socket table` {
    @Test func `gives the inodes of listeners on a port only`() {
        let table = """
              sl  local_address rem_address   st tx_queue tr tm->when retrnsmt uid timeout inode
               0: 00000000:3AAD 00000000:0000 0A 00:0 00:00000000 00000000 0 0 4711 1 0
               1: 0100007F:3AAD 0100007F:9C40 01 00:0 00:00000000 00000000 0 0 4712 1 0
               2: 00000000:0016 00000000:0000 0A 00:0 00:00000000 00000000 0 0 4713 1 0
            """
        #expect(SocketTable.listeners(port: 15021, in: table) == [4711])
    }
}

@Suite struct `A back-off` {
    @Test func `doubles up to its bound and begins anew after a steady run`() {
        var backoff = Backoff()
        let delays = (0..<8).map { _ in backoff.delay(afterRunning: 0) }
        #expect(delays == [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
        #expect(backoff.delay(afterRunning: Backoff.steadyTime) == 100)
    }
}
