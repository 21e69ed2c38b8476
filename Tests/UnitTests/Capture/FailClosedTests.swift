import Capture
import Glibc
import Mesh
import Netlink
import Reactor
import Testing

@Suite struct `Capture without a proxy` {
    @Test(arguments: [IPAddress.Family.v4, .v6], [UInt16(80), 53, 15008])
    func `refuses what the pod dials, and lets nothing out`(
        family: IPAddress.Family,
        port: UInt16
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let server = try TestSocket(in: bench.outside, family)
            .listening(at: SocketAddress(PodBench.outside(family), port))
        let tap = try Tap(bench)
        for address in [PodBench.service(family), PodBench.outside(family)] {
            let app = try TestSocket(in: bench.pod, family)
            #expect(app.connect(SocketAddress(address, port)) == ECONNREFUSED)
        }
        #expect(!TestSocket.wait(server.raw, POLLIN, milliseconds: 0))
        #expect(try tap.packets().filter(\.isTCP) == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6], [UInt16(8080), 15008, 15001, 15006, 15053])
    func `refuses what is dialled to the pod`(family: IPAddress.Family, port: UInt16) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let app = try bench.app(family, port: 8080)
        let tap = try Tap(bench)
        let client = try TestSocket(in: bench.outside, family)
        #expect(client.connect(SocketAddress(PodBench.pod(family), port)) == ECONNREFUSED)
        #expect(!TestSocket.wait(app.raw, POLLIN, milliseconds: 0))
        let sent = try tap.packets().filter { $0.isTCP && $0.fromPod }
        #expect(!sent.isEmpty && sent.allSatisfy(\.isReset))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `lets no name query out, and refuses it where the kernel can`(
        family: IPAddress.Family
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let tap = try Tap(bench)
        let app = try TestSocket(in: bench.pod, family, datagram: true)
        #expect(app.connect(SocketAddress(PodBench.service(family), 53)) == 0)
        try app.send("who?")
        if family == .v6 {
            #expect(throws: SystemError(call: "recv", code: ECONNREFUSED)) { try app.receive() }
        }
        #expect(try tap.packets() == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `resets live connections at once when the proxy dies`(
        family: IPAddress.Family
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let tap = try Tap(bench)
        let app = try TestSocket(in: bench.pod, family)
        let waiting = try TestSocket(in: bench.pod, family)
        let client = try TestSocket(in: bench.outside, family)
        let silent = try TestSocket(in: bench.pod, family)
        do {
            let listeners = try PodListeners.open(in: bench.pod, dns: false)
            #expect(app.connect(SocketAddress(PodBench.service(family), 80)) == 0)
            let accepted = try TestSocket.accept(listeners.outbound.raw)
            try app.send("unread")
            #expect(TestSocket.wait(accepted.raw, POLLIN))
            #expect(silent.connect(SocketAddress(PodBench.service(family), 80)) == 0)
            let vanishing = try TestSocket.accept(listeners.outbound.raw)
            try vanishing.vanishOnClose()
            #expect(client.connect(SocketAddress(PodBench.pod(family), 8080)) == 0)
            let inbound = try TestSocket.accept(listeners.inbound.raw)
            try client.send("unread")
            #expect(TestSocket.wait(inbound.raw, POLLIN))
            // Not even accepted.
            #expect(waiting.connect(SocketAddress(PodBench.service(family), 81)) == 0)
        }
        for socket in [app, client, waiting] {
            #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try socket.receive() }
        }
        // This one's other side went without a word; what it sends next is answered by the rules.
        try silent.send("anybody?")
        #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try silent.receive() }
        let ports = Set([80, 81] as [UInt16])
        let leaked = try tap.packets().filter { $0.isTCP && ports.contains($0.destinationPort) }
        #expect(leaked == [])
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `works again with a new proxy, the pod untouched`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        for _ in 0..<3 {
            let listeners = try PodListeners.open(in: bench.pod, dns: true)
            let app = try TestSocket(in: bench.pod, family)
            #expect(app.connect(SocketAddress(PodBench.service(family), 80)) == 0)
            let accepted = try TestSocket.accept(listeners.outbound.raw)
            try accepted.send("x")
            #expect(try app.receive() == "x")
        }
        let app = try TestSocket(in: bench.pod, family)
        #expect(app.connect(SocketAddress(PodBench.service(family), 80)) == ECONNREFUSED)
    }

    @Test func `lets nothing out when only the routes are gone`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        var routes = try RouteSocket(in: bench.pod)
        for rule in try routes.markRules(.v4) { try routes.deleteRule(rule) }
        let tap = try Tap(bench)
        let app = try TestSocket(in: bench.pod, .v4)
        _ = fcntl(app.raw, F_SETFL, O_NONBLOCK)
        _ = app.connect(SocketAddress(PodBench.outside(.v4), 80))
        #expect(try tap.packets().filter(\.isTCP) == [])
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `resets connections older than it`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        let server = try TestSocket(in: bench.outside, family)
            .listening(at: SocketAddress(PodBench.outside(family), 80))
        let old = try TestSocket(in: bench.pod, family)
        #expect(old.connect(SocketAddress(PodBench.outside(family), 80)) == 0)
        let accepted = try server.accept()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        try old.send("in the clear")
        #expect(throws: SystemError(call: "recv", code: ECONNRESET)) { try old.receive() }
        #expect(!TestSocket.wait(accepted.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
    }
}

@Suite struct `A hand-over between two processes` {
    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `moves connections that wait at the closing listener`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        var clients: [TestSocket] = []
        let taking: Int32
        let next: PodListeners
        do {
            let old = try PodListeners.open(in: bench.pod, dns: true)
            for _ in 0..<8 {
                let app = try TestSocket(in: bench.pod, family)
                #expect(app.connect(SocketAddress(PodBench.service(family), 80)) == 0)
                clients.append(app)
            }
            next = try PodListeners.open(in: bench.pod, dns: true)
            taking = next.outbound.raw
            #expect(TestSocket.wait(old.outbound.raw, POLLIN))
        }
        for _ in clients {
            let accepted = try TestSocket.accept(taking)
            try accepted.send("new process")
            let client = try #require(clients.first { $0.local == accepted.remote })
            #expect(try client.receive() == "new process")
        }
    }
}
