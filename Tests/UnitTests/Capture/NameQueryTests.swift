import Capture
import Glibc
import Mesh
import Reactor
import Testing

@Suite struct `A captured name query` {
    /// Waits for one query at a listener.
    private func receive(_ listeners: borrowing PodListeners) throws -> (NameQuery, String) {
        let listener = listeners.datagrams
        #expect(TestSocket.wait(listener, POLLIN))
        var bytes = [UInt8](repeating: 0, count: 512)
        let received = NameQuery.receive(from: listener, into: &bytes)
        guard case .query(let query) = received else {
            throw SystemError(call: "receive \(received)", code: 0)
        }
        return (query, String(decoding: bytes.prefix(query.length), as: UTF8.self))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `is answered as its nameserver, time and again`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let nameserver = SocketAddress(PodBench.service(family), 53)
        let tap = try Tap(bench)
        let reply = try PodSocket.nameReply(in: bench.pod, as: nameserver)
        // A second worker answers as the same nameserver.
        let other = try PodSocket.nameReply(in: bench.pod, as: nameserver)

        // Connected, as resolvers do: only the nameserver's own address is listened to.
        let app = try TestSocket(in: bench.pod, family, datagram: true)
        #expect(app.connect(nameserver) == 0)
        for socket in [reply.raw, other.raw, reply.raw] {
            try app.send("who?")
            let (query, text) = try receive(listeners)
            #expect(text == "who?")
            #expect(query.nameserver == nameserver)
            #expect(query.source == app.local)
            #expect(query.reply(Array("me".utf8), from: socket) == .bytes(2))
            #expect(try app.receive() == "me")
        }
        #expect(try tap.packets() == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `over TCP reaches its own listener`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let app = try TestSocket(in: bench.pod, family)
        let nameserver = SocketAddress(PodBench.service(family), 53)
        #expect(app.connect(nameserver) == 0)
        let accepted = try TestSocket.accept(listeners.streams)
        #expect(accepted.local == nameserver)
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `is forwarded from the pod's address without being captured`(
        family: IPAddress.Family
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let nameserver = SocketAddress(PodBench.outside(family), 53)
        let server = try TestSocket(in: bench.outside, family, datagram: true)
        try server.bind(nameserver)
        let made = try PodSocket.nameQuery(in: bench.pod, to: nameserver)
        let forward = TestSocket(owning: made.release())
        try forward.send("who?")
        let (text, source) = try server.receiveWithSource()
        #expect(text == "who?")
        #expect(source.ip == PodBench.pod(family))
        try server.send("me", to: source)
        #expect(try forward.receive() == "me")
        let listener = listeners.datagrams
        #expect(!TestSocket.wait(listener, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [true, false])
    func `is left alone when DNS is not captured or port 53 excluded`(excluded: Bool) throws {
        let bench = try PodBench()
        let plan = CapturePlan(excludedOutboundPorts: excluded ? [53] : [], capturesDNS: excluded)
        try PodCapture.install(in: bench.pod, plan)
        let server = try TestSocket(in: bench.outside, .v4, datagram: true)
        let nameserver = SocketAddress(PodBench.outside(.v4), 53)
        try server.bind(nameserver)
        let app = try TestSocket(in: bench.pod, .v4, datagram: true)
        try app.send("who?", to: nameserver)
        #expect(try server.receiveWithSource().text == "who?")
    }

    @Test func `from outside the pod is not answered`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let stranger = try TestSocket(in: bench.outside, .v4, datagram: true)
        try stranger.send("who?", to: SocketAddress(PodBench.pod(.v4), 15053))
        // One of the pod behind it, so that the first had its chance.
        let app = try TestSocket(in: bench.pod, .v4, datagram: true)
        try app.send("me too", to: SocketAddress(PodBench.service(.v4), 53))
        #expect(try receive(listeners).1 == "me too")
        let listener = listeners.datagrams
        #expect(!TestSocket.wait(listener, POLLIN, milliseconds: 0))
    }

    @Test func `too long for the buffer is unusable, and none is no failure`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let listener = listeners.datagrams
        var bytes = [UInt8](repeating: 0, count: 8)
        func next() -> NameQuery.Received {
            NameQuery.receive(from: listener, into: &bytes)
        }
        #expect(next() == .wouldBlock)
        let app = try TestSocket(in: bench.pod, .v4, datagram: true)
        try app.send("longer than eight", to: SocketAddress(PodBench.service(.v4), 53))
        #expect(TestSocket.wait(listener, POLLIN))
        #expect(next() == .unusable)
        #expect(next() == .wouldBlock)
    }
}

extension PodListeners {
    fileprivate var datagrams: Int32 {
        switch dnsUDP {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }
    fileprivate var streams: Int32 {
        switch dnsTCP {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }
}
