import DNS
import Testing

@Suite struct `RFC 1035 §4 message` {
    @Test func `is read part by part`() throws {
        let bytes: [UInt8] = [
            0xAB, 0xCD,  // id
            0x01, 0x10,  // a query; recursion desired, checking disabled
            0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,  // one question, one additional
            0x03, 0x57, 0x65, 0x62, 0x04, 0x73, 0x68, 0x6F, 0x70, 0x00,  // Web.shop
            0x00, 0x1C, 0x00, 0x01,  // AAAA IN
            0x00, 0x00, 0x29, 0x04, 0xD0, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00,  // OPT 1232, DO
        ]
        let message = try DNSMessage(bytes)
        #expect(message.id == 0xABCD)
        #expect(!message.flags.isResponse)
        #expect(message.flags.repeated == 0x0110)
        let question = try #require(message.questions.first)
        #expect(question.name.text == "web.shop")
        #expect(question.name.wire == Array(bytes[12..<22]))
        #expect(question.type == RecordType.aaaa)
        #expect(message.extension?.payloadBytes == 1232)
        #expect(message.extension?.wantsSignatures == true)
    }

    @Test func `follows compression backwards`() throws {
        let bytes: [UInt8] = [
            0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0,  // a response, one question, one answer
            1, 0x61, 1, 0x62, 0, 0, 1, 0, 1,  // a.b A IN
            1, 0x63, 0xC0, 14, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 1, 2, 3, 4,  // c.b A 1.2.3.4
        ]
        #expect(try DNSMessage(bytes).counts == [1, 0, 0])
    }

    @Test(arguments: [
        "a pointer to itself": [0xC0, 12, 0, 1, 0, 1],
        "a pointer forwards": [0xC0, 14, 0, 0, 1, 0, 1],
        "a pointer into the header": [0xC0, 0, 0, 1, 0, 1],
        "a loop of two": [1, 0x61, 0xC0, 12, 0, 1, 0, 1],
        "a label over the end": [9, 0x61, 0],
        "a reserved label type": [0x80, 0x61, 0, 0, 1, 0, 1],
        "a name without an end": [1, 0x61],
        "a question cut short": [1, 0x61, 0, 0, 1, 0],
        "nothing": [],
    ])
    func `refuses as a question`(_ case: (String, [UInt8])) {
        let bytes: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + `case`.1
        #expect(throws: DNSMessage.Failure.malformed) { try DNSMessage(bytes) }
    }

    @Test func `refuses names over 255 bytes, long chains and two extensions`() {
        let label = [UInt8](repeating: 0x61, count: 63)
        #expect(DomainName(labels: [label, label, label, Array(label.dropLast(2))]) != nil)
        #expect(DomainName(labels: [label, label, label, Array(label.dropLast(1))]) == nil)
        #expect(DomainName(labels: [label + [0x61]]) == nil)
        #expect(DomainName("a..b") == nil)
        #expect(DomainName(".")?.labels == [])

        // A chain of pointers, each to the one before it.
        var chain: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]
        chain += [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 84]
        let start = chain.count
        chain += [0xC0, 12]
        for step in 0..<41 { chain += [0xC0, UInt8(start + 2 * step)] }
        chain[7] = 2
        chain += [0xC0, UInt8(start + 82), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
        #expect(throws: DNSMessage.Failure.malformed) { try DNSMessage(chain) }

        var twice = query("a.b", type: 1, payload: 1232)
        twice += [0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0]
        twice[11] = 2
        #expect(throws: DNSMessage.Failure.malformed) { try DNSMessage(twice) }
        #expect(throws: DNSMessage.Failure.noHeader) { try DNSMessage([1, 2, 3]) }
        #expect(throws: DNSMessage.Failure.tooLong) {
            try DNSMessage([UInt8](repeating: 0, count: 13), bytesMax: 12)
        }
    }
}

@Suite struct `RFC 1035 §4.2.2 stream` {
    @Test func `is cut into messages however it arrives`() throws {
        let messages: [[UInt8]] = [[1, 2, 3], [], [UInt8](repeating: 7, count: 300)]
        let bytes = try messages.flatMap { try #require(NameStream.frame($0)) }
        for size in [1, 2, 3, 7, bytes.count] {
            var stream = NameStream()
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                stream.append(bytes[start..<min(start + size, bytes.count)])
                while let message = stream.next() { found.append(message) }
            }
            #expect(found == messages)
            #expect(stream.pendingBytes == 0)
        }
        #expect(NameStream.frame([UInt8](repeating: 0, count: 65536)) == nil)
    }
}
