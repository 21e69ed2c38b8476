import DNS
import Glibc
import Mesh
import Node
import Reactor
import Testing

@Suite struct `A pod's name query` {
    private static let service = "web.shop.svc.cluster.local"

    /// The answer of a nameserver to a query: its id and question, and one address.
    private func answer(_ query: [UInt8], _ address: [UInt8]) -> [UInt8] {
        Array(query[..<2]) + [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + query[12...]
            + [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4] + address
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `for a mesh name is answered by the nameserver it asked, without the wire`(
        family: IPAddress.Family
    ) throws {
        let stage = try DNSStage()
        let tap = try Tap(stage.bench)
        let app = try stage.resolver(SocketAddress(PodBench.service(family), 53))
        try app.send(bytes: query(Self.service, type: 1, id: 7))
        try app.send(bytes: query(Self.service, type: 28, id: 8))
        let four = try #require(ReadResponse(try stage.receive(app)))
        #expect(four.id == 7)
        #expect(four.isAuthoritative)
        #expect(four.answers.map(\.data) == [[10, 96, 0, 1]])
        let six = try #require(ReadResponse(try stage.receive(app)))
        #expect(six.id == 8)
        #expect(six.answers.first?.data.first == 0xFD)
        #expect(try tap.packets() == [])
        let lines = stage.metric("istio_dns_requests_total")
        #expect(lines.contains { $0.contains("\"AAAA\"") && $0.contains("\"udp\"") })
        #expect(stage.metric("istio_dns_upstream_requests_total").isEmpty)
    }

    @Test(arguments: [
        (IPAddress.Family.v4, "example.com", UInt16(1)), (.v6, "example.com", 28),
        (.v4, "_http._tcp.web.shop.svc.cluster.local", 33),
        (.v4, "web.shop.svc.cluster.local", 16),
    ])
    func `for anything else is forwarded under another id and answered under its own`(
        family: IPAddress.Family,
        name: String,
        type: UInt16
    ) throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(family), 53)
        let nameserver = try stage.nameserver(address)
        let app = try stage.resolver(address)
        var ids: Set<UInt16> = []
        var ports: Set<UInt16> = []
        for _ in 0..<4 {
            let asked = query(name, type: type, id: 7)
            try app.send(bytes: asked)
            try stage.run { TestSocket.wait(nameserver.raw, POLLIN, milliseconds: 0) }
            let (seen, source) = try nameserver.receiveQuery()
            #expect(source.ip == PodBench.pod(family))
            #expect(seen.dropFirst(2) == asked.dropFirst(2))
            ids.insert(UInt16(seen[0]) << 8 | UInt16(seen[1]))
            ports.insert(source.port)
            let given = answer(seen, [1, 2, 3, 4])
            try nameserver.send(bytes: given, to: source)
            #expect(try stage.receive(app) == [0, 7] + given.dropFirst(2))
        }
        #expect(ids.count > 1)
        #expect(ports.count > 1)
        #expect(stage.server.openCount == 0)
        #expect(stage.host.forwards == 0)
        #expect(stage.metric("istio_dns_upstream_requests_total").first?.hasSuffix(" 4") == true)
        #expect(
            stage.metric("istio_dns_upstream_request_duration_seconds_count").first?
                .hasSuffix(" 4") == true
        )
    }

    @Test func `takes no answer with another id, another question or from another port`() throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let nameserver = try stage.nameserver(address)
        let stranger = try stage.nameserver(SocketAddress(PodBench.outside(.v4), 54))
        let app = try stage.resolver(address)
        try app.send(bytes: query("bank.example", type: 1, id: 7))
        try stage.run { TestSocket.wait(nameserver.raw, POLLIN, milliseconds: 0) }
        let (seen, source) = try nameserver.receiveQuery()
        var wrongID = answer(seen, [6, 6, 6, 6])
        wrongID[1] ^= 1
        try nameserver.send(bytes: wrongID, to: source)
        var wrongName = answer(seen, [6, 6, 6, 6])
        wrongName[13] ^= 1
        try nameserver.send(bytes: wrongName, to: source)
        try nameserver.send(bytes: [], to: source)
        try nameserver.send(bytes: [1, 2, 3], to: source)
        try nameserver.send(bytes: seen, to: source)
        try stranger.send(bytes: answer(seen, [6, 6, 6, 6]), to: source)
        try nameserver.send(bytes: answer(seen, [1, 2, 3, 4]), to: source)
        let reply = try #require(ReadResponse(try stage.receive(app)))
        #expect(reply.answers.map(\.data) == [[1, 2, 3, 4]])
        try stage.loop.turn(waiting: false)
        #expect(!TestSocket.wait(app.raw, POLLIN, milliseconds: 0))
    }

    @Test func `fails when its nameserver stays silent`() throws {
        var limits = PodDNSLimits()
        limits.timeoutMilliseconds = 50
        let stage = try DNSStage(limits: limits)
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let silent = try stage.nameserver(address)
        let app = try stage.resolver(address)
        try app.send(bytes: query("example.com", type: 1, id: 7))
        let reply = try #require(ReadResponse(try stage.receive(app)))
        #expect(reply.id == 7)
        #expect(reply.code == 2)
        #expect(stage.server.openCount == 0)
        #expect(stage.metric("istio_dns_upstream_failures_total").first?.hasSuffix(" 1") == true)
        #expect(try silent.receiveQuery().bytes.count > 12)
    }

    @Test func `fails at once when nobody listens at its nameserver`() throws {
        let stage = try DNSStage()
        let app = try stage.resolver(SocketAddress(PodBench.outside(.v4), 53))
        let start = ContinuousClock.now
        try app.send(bytes: query("example.com", type: 1, id: 7))
        #expect(try #require(ReadResponse(try stage.receive(app))).code == 2)
        #expect(ContinuousClock.now - start < .seconds(4))
    }

    @Test(arguments: [true, false])
    func `fails beyond the bound of those that wait`(ofPod: Bool) throws {
        var limits = PodDNSLimits()
        if ofPod { limits.pendingMax = 2 }
        let stage = try DNSStage(limits: limits)
        if !ofPod { stage.host.forwardsMax = 2 }
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let silent = try stage.nameserver(address)
        let app = try stage.resolver(address)
        for id in 1...3 {
            try app.send(bytes: query("example.com", type: 1, id: UInt16(id)))
        }
        let reply = try #require(ReadResponse(try stage.receive(app)))
        #expect(reply.id == 3)
        #expect(reply.code == 2)
        #expect(stage.server.openCount == 2)
        // Names of the mesh are still answered.
        try app.send(bytes: query(Self.service, type: 1, id: 4))
        #expect(try #require(ReadResponse(try stage.receive(app))).code == 0)
        _ = silent
    }

    @Test func `that waits is answered after the listeners closed`() throws {
        let stage = try DNSStage()
        let address = SocketAddress(PodBench.outside(.v4), 53)
        let nameserver = try stage.nameserver(address)
        let app = try stage.resolver(address)
        try app.send(bytes: query("example.com", type: 1, id: 7))
        // Taken with the listener's last look.
        stage.server.stopListening()
        #expect(stage.server.openCount == 1)
        let (seen, source) = try nameserver.receiveQuery()
        try nameserver.send(bytes: answer(seen, [1, 2, 3, 4]), to: source)
        #expect(try #require(ReadResponse(try stage.receive(app))).id == 7)
        #expect(stage.server.openCount == 0)
    }

    @Test func `that is none is passed over`() throws {
        let stage = try DNSStage()
        let app = try stage.resolver(SocketAddress(PodBench.service(.v4), 53))
        try app.send(bytes: [1, 2, 3])
        try app.send(bytes: [])
        try app.send(bytes: query(Self.service, type: 1, id: 1, flags: 0x8180))
        try app.send(bytes: [UInt8](repeating: 0xFF, count: 40_000))
        try app.send(bytes: query(Self.service, type: 1, id: 9))
        #expect(try #require(ReadResponse(try stage.receive(app))).id == 9)
    }

    @Test func `straight to the proxy's own port is refused`() throws {
        let stage = try DNSStage()
        let loopback = SocketAddress(IPAddress(v4: 0x7F00_0001), 15_053)
        let app = try stage.resolver(loopback)
        try app.send(bytes: query("example.com", type: 1, id: 7))
        let real = try stage.resolver(SocketAddress(PodBench.service(.v4), 53))
        try real.send(bytes: query(Self.service, type: 1, id: 9))
        _ = try stage.receive(real)
        #expect(throws: SystemError(call: "recv", code: ECONNREFUSED)) { try app.receiveBytes() }
        #expect(stage.server.openCount == 0)
        let stream = try TestSocket(in: stage.bench.pod, .v4)
        #expect(stream.connect(loopback) == ECONNREFUSED)
    }
}
