import Capture
import Glibc
import Mesh
import Netlink
import Reactor
import Testing

@Suite struct `Captured traffic` {
    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `of the pod reaches the listener with its destination`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let tap = try Tap(bench)

        let app = try TestSocket(in: bench.pod, family)
        let destination = SocketAddress(PodBench.service(family), 80)
        #expect(app.connect(destination) == 0)
        let accepted = try TestSocket.accept(listeners.outbound.raw)
        #expect(accepted.local == destination)
        #expect(accepted.remote == app.local)
        #expect(accepted.remote?.ip == PodBench.pod(family))
        #expect(accepted.mark == Mark.proxy.rawValue)
        try app.send("ask")
        #expect(try accepted.receive() == "ask")
        try accepted.send("answer")
        #expect(try app.receive() == "answer")
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `to the pod reaches the listener with its destination`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        // The application is there, but nothing reaches it around us.
        let app = try bench.app(family, port: 8080)

        let client = try TestSocket(in: bench.outside, family)
        let destination = SocketAddress(PodBench.pod(family), 8080)
        #expect(client.connect(destination) == 0)
        let accepted = try TestSocket.accept(listeners.inbound.raw)
        #expect(accepted.local == destination)
        #expect(accepted.remote == client.local)
        try client.send("ask")
        #expect(try accepted.receive() == "ask")
        try accepted.send("answer")
        #expect(try client.receive() == "answer")
        #expect(!TestSocket.wait(app.raw, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `in tunnels reaches its listener directly`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let client = try TestSocket(in: bench.outside, family)
        #expect(client.connect(SocketAddress(PodBench.pod(family), 15008)) == 0)
        let accepted = try TestSocket.accept(listeners.hbone.raw)
        #expect(accepted.remote == client.local)
        try accepted.send("hello")
        #expect(try client.receive() == "hello")
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `of the proxy leaves the pod and is answered`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let server = try TestSocket(in: bench.outside, family)
            .listening(at: SocketAddress(PodBench.outside(family), 15008))
        let made = try PodSocket.connecting(
            in: bench.pod,
            returningTo: NetworkNamespace.current(),
            family: family,
            mark: .proxy
        )
        let tunnel = TestSocket(owning: made.release())
        let code = tunnel.connect(SocketAddress(PodBench.outside(family), 15008))
        #expect(TestSocket.finishConnect(tunnel.raw, code) == 0)
        let accepted = try server.accept()
        #expect(accepted.remote?.ip == PodBench.pod(family))
        try accepted.send("hello")
        #expect(try tunnel.receive() == "hello")
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
    }

    @Test func `is not tracked by the kernel`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let app = try TestSocket(in: bench.pod, .v4)
        #expect(app.connect(SocketAddress(PodBench.service(.v4), 80)) == 0)
        let accepted = try TestSocket.accept(listeners.outbound.raw)
        try accepted.send("x")
        #expect(try app.receive() == "x")
        // Without connection tracking in the kernel the count is absent, which is as good.
        let count = (try? bench.readSetting("net/netfilter/nf_conntrack_count")) ?? "0"
        #expect(count == "0")
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `is neither the pod's own nor loopback's`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let loopback = family == .v4 ? IPAddress(v4: 0x7F00_0001) : IPAddress(v6High: 0, low: 1)
        for address in [PodBench.pod(family), loopback] {
            let server = try TestSocket(in: bench.pod, family)
                .listening(at: SocketAddress(address, 8080))
            let client = try TestSocket(in: bench.pod, family)
            #expect(client.connect(SocketAddress(address, 8080)) == 0)
            let accepted = try server.accept()
            #expect(accepted.mark == 0)
            try client.send("x")
            #expect(try accepted.receive() == "x")
        }
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
    }

    @Test func `is not UDP other than DNS`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let server = try TestSocket(in: bench.outside, .v4, datagram: true)
        let address = SocketAddress(PodBench.outside(.v4), 9999)
        try server.bind(address)
        let app = try TestSocket(in: bench.pod, .v4, datagram: true)
        try app.send("ping", to: address)
        let (text, source) = try server.receiveWithSource()
        #expect(text == "ping")
        try server.send("pong", to: source)
        #expect(try app.receive() == "pong")
    }

    @Test func `is not what a pod forwards for others`() throws {
        let bench = try PodBench()
        try bench.writeSetting("net/ipv4/ip_forward", "1")
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        // A neighbour that hands the pod a packet for somebody else must not be taken for it.
        let client = try TestSocket(in: bench.outside, .v4)
        var world = try bench.outsideRoutes()
        try world.addRoute(.init(to: .everything(.v4), via: PodBench.pod(.v4), device: "pod0"))
        _ = fcntl(client.raw, F_SETFL, O_NONBLOCK)
        _ = client.connect(SocketAddress(PodBench.service(.v4), 80))
        let tap = try Tap(bench)
        _ = try tap.packets()
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `survives a flood that makes the kernel use SYN cookies`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try bench.writeSetting("net/ipv4/tcp_syncookies", "2")
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)

        let app = try TestSocket(in: bench.pod, family)
        #expect(app.connect(SocketAddress(PodBench.service(family), 80)) == 0)
        try app.send("one")
        let outgoing = try TestSocket.accept(listeners.outbound.raw)
        #expect(outgoing.local == SocketAddress(PodBench.service(family), 80))
        #expect(try outgoing.receive() == "one")

        let client = try TestSocket(in: bench.outside, family)
        #expect(client.connect(SocketAddress(PodBench.pod(family), 8080)) == 0)
        try client.send("two")
        let incoming = try TestSocket.accept(listeners.inbound.raw)
        #expect(incoming.local == SocketAddress(PodBench.pod(family), 8080))
        #expect(try incoming.receive() == "two")

        let server = try bench.app(family, port: 8080)
        let delivery = try bench.deliver(family, to: 8080)
        #expect(delivery.code == 0)
        try delivery.socket.send("three")
        let accepted = try server.accept()
        #expect(accepted.remote?.ip == PodBench.client(family))
        #expect(try accepted.receive() == "three")
        try accepted.send("four")
        #expect(try delivery.socket.receive() == "four")
    }

    @Test func `of a client that reuses its port at once is captured anew`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let destination = SocketAddress(PodBench.pod(.v4), 8080)
        let from = SocketAddress(PodBench.outside(.v4), 45678)
        for round in 0..<3 {
            let client = try TestSocket(in: bench.outside, .v4)
            try client.set(SOL_SOCKET, SO_REUSEADDR, 1)
            try client.bind(from)
            #expect(client.connect(destination) == 0, "round \(round)")
            let accepted = try TestSocket.accept(listeners.inbound.raw)
            #expect(accepted.remote == from)
            // Closing first leaves TIME_WAIT at our side.
            shutdown(accepted.raw, Int32(SHUT_WR))
            #expect(try client.receive() == "")
            shutdown(client.raw, Int32(SHUT_WR))
            #expect(try accepted.receive() == "")
        }
    }
}

extension PodBench {
    /// Routes of the world outside.
    func outsideRoutes() throws -> RouteSocket { try RouteSocket(in: outside) }
}
