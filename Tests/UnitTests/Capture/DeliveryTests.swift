import Capture
import Glibc
import Mesh
import Netlink
import Reactor
import Testing

@Suite struct `A delivery` {
    @Test(arguments: [IPAddress.Family.v4, .v6], ["0", "1", "2"])
    func `shows the client's address and gets the answers, whatever the path filter`(
        family: IPAddress.Family,
        pathFilter: String
    ) throws {
        let bench = try PodBench()
        try bench.writeSetting("net/ipv4/conf/all/rp_filter", pathFilter)
        try bench.writeSetting("net/ipv4/conf/lo/rp_filter", pathFilter)
        try bench.writeSetting("net/ipv4/conf/eth0/rp_filter", pathFilter)
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(family, port: 8080)
        let tap = try Tap(bench)

        let delivery = try bench.deliver(family, to: 8080)
        #expect(delivery.code == 0)
        let accepted = try app.accept()
        #expect(accepted.remote == delivery.socket.local)
        #expect(accepted.remote?.ip == PodBench.client(family))
        #expect(accepted.mark == Mark.delivery.rawValue)
        try accepted.send("server first")
        #expect(try delivery.socket.receive() == "server first")
        try delivery.socket.send("ask")
        #expect(try accepted.receive() == "ask")
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `to a closed port is refused at once`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let tap = try Tap(bench)
        #expect(try bench.deliver(family, to: 8081).code == ECONNREFUSED)
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `ends as the application ends it`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(family, port: 8080)
        let tap = try Tap(bench)

        let halfClosed = try bench.deliver(family, to: 8080).socket
        let first = try app.accept()
        shutdown(first.raw, Int32(SHUT_WR))
        #expect(try halfClosed.receive() == "")
        try halfClosed.send("still")
        #expect(try first.receive() == "still")

        let reset = try bench.deliver(family, to: 8080).socket
        var second: TestSocket? = try app.accept()
        try #require(second).raw.resetOnClose()
        second = nil
        #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try reset.receive() }
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `learns of an application that vanished without a word`(
        family: IPAddress.Family
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(family, port: 8080)
        let tap = try Tap(bench)
        let delivery = try bench.deliver(family, to: 8080).socket
        var accepted: TestSocket? = try app.accept()
        try #require(accepted).vanishOnClose()
        accepted = nil
        try delivery.send("anybody there?")
        #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try delivery.receive() }
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `in the pod's own name leaves the application's socket unmarked`(
        family: IPAddress.Family
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(family, port: 8080)
        let made = try PodSocket.connecting(
            in: bench.pod,
            returningTo: NetworkNamespace.current(),
            family: family,
            mark: .proxy
        )
        let socket = TestSocket(owning: made.release())
        let code = socket.connect(SocketAddress(PodBench.pod(family), 8080))
        #expect(TestSocket.finishConnect(socket.raw, code) == 0)
        let accepted = try app.accept()
        #expect(accepted.mark == 0)
        #expect(accepted.remote?.ip == PodBench.pod(family))
        try accepted.send("x")
        #expect(try socket.receive() == "x")
    }

    @Test func `never leaves the pod when rules and routes are gone`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(.v4, port: 8080)
        let delivery = try bench.deliver(.v4, to: 8080)
        #expect(delivery.code == 0)
        let accepted = try app.accept()
        var routes = try RouteSocket(in: bench.pod)
        for family in [IPAddress.Family.v4, .v6] {
            for rule in try routes.markRules(family) { try routes.deleteRule(rule) }
        }
        let tap = try Tap(bench)
        // The answer would go to the client's address through the default route.
        _ = try? accepted.send("to nobody")
        #expect(try bench.deliver(.v4, to: 8080).code != 0)
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test func `finds a port while many of the same client linger`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(.v4, port: 8080)
        var ports: Set<UInt16> = []
        for _ in 0..<500 {
            let delivery = try bench.deliver(.v4, to: 8080)
            #expect(delivery.code == 0)
            let accepted = try app.accept()
            ports.insert(try #require(accepted.remote).port)
            // Our side closes first and so is the one in TIME_WAIT.
            shutdown(delivery.socket.raw, Int32(SHUT_WR))
            #expect(try accepted.receive() == "")
        }
        #expect(ports.count == 500)
        #expect(ports.allSatisfy { $0 < 32768 })
    }

    @Test func `does not collide with the client's captured connection`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let app = try bench.app(.v4, port: 8080)
        let client = try TestSocket(in: bench.outside, .v4)
        #expect(client.connect(SocketAddress(PodBench.pod(.v4), 8080)) == 0)
        let captured = try TestSocket.accept(listeners.inbound.raw)
        let delivery = try bench.deliver(.v4, to: 8080, from: client.local?.ip)
        #expect(delivery.code == 0)
        let accepted = try app.accept()
        try client.send("through")
        try delivery.socket.send(try captured.receive())
        #expect(try accepted.receive() == "through")
        try accepted.send("back")
        try captured.send(try delivery.socket.receive())
        #expect(try client.receive() == "back")
    }
}

extension Int32 {
    /// Makes closing this socket a reset.
    func resetOnClose() { Socket.resetOnClose(self) }
}

extension TestSocket {
    /// Makes closing this socket say nothing to its peer: TCP_REPAIR, as if its host were gone.
    func vanishOnClose() throws { try set(Int32(IPPROTO_TCP), 19, 1) }
}
