import DNS
import Mesh
import Testing

@Suite struct `Forwarded queries` {
    private let nameserver = SocketAddress(IPAddress(v4: 0x0A60_000A), 53)
    private let stranger = SocketAddress(IPAddress(v4: 0x0A60_000B), 53)

    /// What a nameserver would answer to what was sent.
    private func reply(to sent: [UInt8]) -> [UInt8] {
        var bytes = sent
        bytes[2] |= 0x80
        return bytes
    }

    @Test func `go out under our own id and come back under the client's`() throws {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>()
        let asked = query("example.com", type: 33, id: 7)
        let first = try #require(
            forwarding.send(asked, for: 1, to: nameserver, now: 0, using: &random)
        )
        let second = try #require(
            forwarding.send(asked, for: 2, to: nameserver, now: 0, using: &random)
        )
        #expect(Array(first.dropFirst(2)) == Array(asked.dropFirst(2)))
        #expect(Array(first.prefix(2)) != Array(second.prefix(2)))
        let answered = forwarding.receive(reply(to: second), from: nameserver)
        #expect(answered?.client == 2)
        #expect(answered?.reply == reply(to: asked))
        #expect(forwarding.count == 1)
    }

    @Test func `take no answer but the one they wait for`() throws {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>()
        let asked = query("example.com", type: 1)
        let sent = try #require(
            forwarding.send(asked, for: 1, to: nameserver, now: 0, using: &random)
        )
        let good = reply(to: sent)
        #expect(forwarding.receive(good, from: stranger) == nil)
        #expect(forwarding.receive(sent, from: nameserver) == nil)
        #expect(forwarding.receive([], from: nameserver) == nil)
        var otherID = good
        otherID[1] ^= 1
        #expect(forwarding.receive(otherID, from: nameserver) == nil)
        for other in [query("example.org", type: 1), query("example.com", type: 28)] {
            let forged = Array(good.prefix(2)) + reply(to: other).dropFirst(2)
            #expect(forwarding.receive(forged, from: nameserver) == nil)
        }
        // Nor one that leaves out the question but has answers.
        var bare = Array(good.prefix(12))
        bare[5] = 0
        #expect(forwarding.receive(bare, from: nameserver) == nil)
        #expect(forwarding.count == 1)
        let otherCase =
            Array(good.prefix(2)) + reply(to: query("eXample.com", type: 1)).dropFirst(2)
        #expect(forwarding.receive(otherCase, from: nameserver)?.client == 1)
        // Once only.
        #expect(forwarding.receive(good, from: nameserver) == nil)
    }

    @Test func `take a failure that does not repeat the question`() throws {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>()
        let asked = query("example.com", type: 1)
        let sent = try #require(
            forwarding.send(asked, for: 1, to: nameserver, now: 0, using: &random)
        )
        let failed = Array(sent.prefix(2)) + [0x80, 0x01] + [UInt8](repeating: 0, count: 8)
        #expect(forwarding.receive(failed, from: nameserver)?.client == 1)
    }

    @Test func `fail when their time is over`() throws {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>(pendingMax: 10, timeout: 100)
        #expect(forwarding.nextDeadline == nil)
        for client in 0..<3 {
            let now = UInt64(client) * 10
            let asked = query("example.com", type: 1, id: UInt16(client))
            _ = forwarding.send(asked, for: client, to: nameserver, now: now, using: &random)
        }
        #expect(forwarding.nextDeadline == 100)
        #expect(forwarding.expire(now: 99).isEmpty)
        let expired = forwarding.expire(now: 110)
        #expect(expired.map(\.client) == [0, 1])
        #expect(expired.compactMap { ReadResponse($0.reply)?.code } == [2, 2])
        #expect(expired.compactMap { ReadResponse($0.reply)?.id } == [0, 1])
        #expect(forwarding.nextDeadline == 120)
        #expect(forwarding.expire(now: 1000).map(\.client) == [2])
        #expect(forwarding.nextDeadline == nil)
    }

    @Test func `are bounded, and what is no query is not taken`() {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>(pendingMax: 5, timeout: 100)
        var sent: [[UInt8]] = []
        for client in 0..<8 {
            let asked = query("example.com", type: 1)
            if let bytes = forwarding.send(
                asked,
                for: client,
                to: nameserver,
                now: 0,
                using: &random
            ) {
                sent.append(bytes)
            }
        }
        #expect(sent.count == 5 && forwarding.count == 5)
        #expect(forwarding.receive(reply(to: sent[0]), from: nameserver) != nil)
        let response = reply(to: query("example.com", type: 1))
        #expect(
            forwarding.send(response, for: 9, to: nameserver, now: 0, using: &random) == nil
        )
        #expect(forwarding.count == 4)
    }

    @Test func `keep nothing of thousands that were answered`() throws {
        var random = CountingGenerator()
        var forwarding = Forwarding<Int>()
        for round in 0..<5000 {
            let asked = query("example.com", type: 1)
            let now = UInt64(round)
            // One that is never answered stands in between.
            if round == 10 {
                _ = forwarding.send(asked, for: -1, to: nameserver, now: now, using: &random)
            }
            let sent = try #require(
                forwarding.send(asked, for: round, to: nameserver, now: now, using: &random)
            )
            #expect(forwarding.receive(reply(to: sent), from: nameserver)?.client == round)
        }
        #expect(forwarding.count == 1)
        #expect(forwarding.nextDeadline == 5_000_000_010)
    }
}
