import DNS
import Glibc
import Mesh
import Node
import Reactor
import Testing

@Suite struct `A pod's connection to a nameserver` {
    private static let service = "web.shop.svc.cluster.local"

    private func frame(_ message: [UInt8]) throws -> [UInt8] {
        try #require(NameStream.frame(message))
    }

    /// The query with the bits of a response.
    private func answer(_ query: [UInt8]) -> [UInt8] {
        Array(query[..<2]) + [0x81, 0x80] + query[4...]
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `carries several queries in any pieces`(family: IPAddress.Family) throws {
        let stage = try DNSStage()
        let app = try stage.stream(SocketAddress(PodBench.service(family), 53))
        var bytes: [UInt8] = []
        for id in 1...3 { bytes += try frame(query(Self.service, type: 1, id: UInt16(id))) }
        for byte in bytes {
            try app.send(bytes: [byte])
            try stage.loop.turn(waiting: false)
        }
        var stream = NameStream()
        for id in 1...3 {
            let reply = try #require(ReadResponse(try stage.receiveMessage(app, &stream)))
            #expect(reply.id == UInt16(id))
            #expect(reply.answers.map(\.data) == [[10, 96, 0, 1]])
        }
        #expect(stage.metric("istio_dns_requests_total").first?.contains("\"tcp\"") == true)
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `leads on for what the mesh does not know, and again once closed`(
        family: IPAddress.Family
    ) throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(family), 53)
        let nameserver = try stage.streamNameserver(address)
        let app = try stage.stream(address)
        var replies = NameStream()
        for round in 1...2 {
            let asked = query("_x._tcp.example.com", type: 33, id: UInt16(round))
            try app.send(bytes: try frame(asked) + frame(query(Self.service, type: 1, id: 99)))
            try stage.run { TestSocket.wait(nameserver.raw, POLLIN, milliseconds: 0) }
            let upstream = try nameserver.accept()
            #expect(upstream.remote?.ip == PodBench.pod(family))
            let local = try #require(ReadResponse(try stage.receiveMessage(app, &replies)))
            #expect(local.id == 99)
            var queries = NameStream()
            #expect(try stage.receiveMessage(upstream, &queries) == asked)
            try upstream.send(bytes: try frame(answer(asked)))
            #expect(try stage.receiveMessage(app, &replies) == answer(asked))
        }
    }

    @Test func `answers with a failure what its nameserver leaves behind`() throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let nameserver = try stage.streamNameserver(address)
        let app = try stage.stream(address)
        try app.send(bytes: try frame(query("example.com", type: 1, id: 7)))
        try stage.run { TestSocket.wait(nameserver.raw, POLLIN, milliseconds: 0) }
        do {
            let upstream = try nameserver.accept()
            #expect(!(try stage.receive(upstream)).isEmpty)
        }
        var replies = NameStream()
        let reply = try #require(ReadResponse(try stage.receiveMessage(app, &replies)))
        #expect(reply.id == 7)
        #expect(reply.code == 2)
        #expect(stage.metric("istio_dns_upstream_failures_total").count == 1)
    }

    @Test func `answers with a failure when nobody listens`() throws {
        let stage = try DNSStage()
        let app = try stage.stream(SocketAddress(PodBench.outside(.v4), 53))
        try app.send(bytes: try frame(query("example.com", type: 1, id: 7)))
        var replies = NameStream()
        let reply = try #require(ReadResponse(try stage.receiveMessage(app, &replies)))
        #expect(reply.code == 2)
    }

    @Test func `answers with a failure after the time of its nameserver`() throws {
        var limits = PodDNSLimits()
        limits.timeoutMilliseconds = 50
        let stage = try DNSStage(limits: limits)
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let silent = try stage.streamNameserver(address)
        let app = try stage.stream(address)
        try app.send(bytes: try frame(query("example.com", type: 1, id: 7)))
        var replies = NameStream()
        #expect(try #require(ReadResponse(try stage.receiveMessage(app, &replies))).code == 2)
        #expect(TestSocket.wait(silent.raw, POLLIN, milliseconds: 0))
    }

    @Test func `ends after its answers when the pod finishes`() throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let nameserver = try stage.streamNameserver(address)
        let app = try stage.stream(address)
        let asked = query("example.com", type: 1, id: 7)
        try app.send(bytes: try frame(asked))
        Socket.finishWriting(app.raw)
        try stage.run { TestSocket.wait(nameserver.raw, POLLIN, milliseconds: 0) }
        let upstream = try nameserver.accept()
        #expect(!(try stage.receive(upstream)).isEmpty)
        try upstream.send(bytes: try frame(answer(asked)))
        var replies = NameStream()
        #expect(try stage.receiveMessage(app, &replies) == answer(asked))
        #expect(try stage.receive(app).isEmpty)
        try stage.run { stage.server.openCount == 0 }
    }

    @Test func `ends when it idles`() throws {
        var limits = PodDNSLimits()
        limits.idleMilliseconds = 50
        let stage = try DNSStage(limits: limits)
        let app = try stage.stream(SocketAddress(PodBench.service(.v4), 53))
        try app.send(bytes: [0])
        #expect(try stage.receive(app).isEmpty)
        #expect(stage.server.openCount == 0)
    }

    @Test func `gives way to newer ones beyond the bound`() throws {
        var limits = PodDNSLimits()
        limits.streamsMax = 2
        let stage = try DNSStage(limits: limits)
        let address = SocketAddress(PodBench.service(.v4), 53)
        let first = try stage.stream(address)
        try stage.run { stage.server.openCount == 1 }
        let second = try stage.stream(address)
        try stage.run { stage.server.openCount == 2 }
        let third = try stage.stream(address)
        try stage.run { TestSocket.wait(first.raw, POLLIN, milliseconds: 0) }
        #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try first.receiveBytes() }
        #expect(stage.server.openCount == 2)
        for app in [second, third] {
            try app.send(bytes: try frame(query(Self.service, type: 1, id: 5)))
            var replies = NameStream()
            #expect(try #require(ReadResponse(try stage.receiveMessage(app, &replies))).id == 5)
        }
    }

    @Test func `is not read on while its answers are not taken`() throws {
        let stage = try DNSStage()
        let app = try stage.stream(SocketAddress(PodBench.service(.v4), 53))
        _ = fcntl(app.raw, F_SETFL, O_NONBLOCK)
        let one = try frame(query(Self.service, type: 1, id: 5))
        let many = [UInt8]([[UInt8]](repeating: one, count: 2000).joined())
        var sent = 0
        var quiet = 0
        // Full once several turns take nothing more; kernels buffer some megabytes.
        while quiet < 100, sent < 64 << 20 {
            let start = sent % one.count
            switch Socket.write(app.raw, many, from: start) {
            case .bytes(let count):
                sent += count
                quiet = 0
            case .wouldBlock: quiet += 1
            case .endOfFile, .failed:
                Issue.record("the connection ended")
                return
            }
            try stage.loop.turn(waiting: false)
        }
        #expect(quiet == 100, "everything was taken: \(sent) bytes")
        // Nothing is lost: every whole query is answered once the pod reads.
        var replies = NameStream()
        for _ in 0..<(sent / one.count) {
            let reply = try stage.receiveMessage(app, &replies)
            guard reply.count > 12, reply[1] == 5 else {
                Issue.record("not the answer")
                return
            }
        }
    }
}
