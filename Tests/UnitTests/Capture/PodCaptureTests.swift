import Capture
import Glibc
import Mesh
import Netlink
import Reactor
import Testing

@Suite struct `Installing capture` {
    /// Everything of the pod's network that capture could touch, as the system's tools print it.
    private func state(_ bench: borrowing PodBench) throws -> [String] {
        var state: [String] = []
        for command in [
            "nft -s list ruleset", "ip rule", "ip -6 rule", "ip route show table all",
            "ip -6 route show table all",
        ] {
            let lines = try bench.run(command).split(separator: "\n")
            state += lines.filter { !$0.contains("proto kernel") }.map { "\(command): \($0)" }
        }
        for name in ["tcp_fwmark_accept", "fwmark_reflect", "tcp_migrate_req"] {
            state.append(try bench.readSetting("net/ipv4/" + name))
        }
        state.append(try bench.readSetting("net/ipv6/fwmark_reflect"))
        return state
    }

    private static let foreign = """
        add table ip theirs
        add chain ip theirs input { type filter hook input priority 0; }
        add rule ip theirs input tcp dport 1 drop
        """

    @Test func `changes nothing the second time`() throws {
        let bench = try PodBench()
        let plan = CapturePlan(excludedOutboundPorts: [3306], excludedInboundPorts: [9000])
        try PodCapture.install(in: bench.pod, plan)
        let once = try state(bench)
        try PodCapture.install(in: bench.pod, plan)
        #expect(try state(bench) == once)
        #expect(try PodCapture.isIntact(in: bench.pod, plan))
    }

    @Test func `works in a process with thousands of descriptors open`() throws {
        let bench = try PodBench()
        Process.raiseOpenFiles()
        // Above FD_SETSIZE, where select(2) as the C library has it ends the process.
        var held: [Int32] = []
        defer { held.forEach { close($0) } }
        while held.count < 1100 {
            held.append(try checked("open") { unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) })
        }
        try PodCapture.install(in: bench.pod, CapturePlan())
        #expect(try PodCapture.isIntact(in: bench.pod, CapturePlan()))
    }

    @Test func `is undone completely, and leaves alone what others have`() throws {
        let bench = try PodBench()
        _ = try bench.run("nft '\(Self.foreign)'")
        _ = try bench.run("ip rule add fwmark 0x7/0xff lookup 100 pref 100")
        _ = try bench.run("ip route add 192.0.2.0/24 dev lo table 100")
        try bench.writeSetting("net/ipv4/fwmark_reflect", "1")
        let before = try state(bench)
        try PodCapture.install(in: bench.pod, CapturePlan())
        try PodCapture.install(in: bench.pod, CapturePlan(capturesDNS: false))
        #expect(Set(before).subtracting(try state(bench)) == ["0"])
        try PodCapture.remove(in: bench.pod)
        #expect(try state(bench) == before)
        try PodCapture.remove(in: bench.pod)
        #expect(try state(bench) == before)
        #expect(try !PodCapture.isIntact(in: bench.pod, CapturePlan()))
    }

    @Test func `is whole only with the plan it was made of`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan(excludedInboundPorts: [9000]))
        #expect(try PodCapture.isIntact(in: bench.pod, CapturePlan(excludedInboundPorts: [9000])))
        #expect(try !PodCapture.isIntact(in: bench.pod, CapturePlan()))
        #expect(try !PodCapture.isIntact(in: bench.pod, CapturePlan(excludedInboundPorts: [9001])))
    }

    @Test(arguments: [
        "nft flush ruleset", "nft delete table inet ambit", "nft flush chain inet ambit output",
        "nft flush chain inet ambit captured", "ip rule del pref 32764",
        "ip -6 rule del pref 32764", "ip route flush table 100", "ip -6 route flush table 100",
        "sysctl -q -w net.ipv4.tcp_fwmark_accept=0", "sysctl -q -w net.ipv6.fwmark_reflect=0",
        "nft insert rule inet ambit output accept",
    ])
    func `is repaired after someone broke it`(damage: String) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let whole = Set(try state(bench))
        #expect(try PodCapture.isIntact(in: bench.pod, CapturePlan()))
        _ = try bench.run(damage)
        #expect(try !PodCapture.isIntact(in: bench.pod, CapturePlan()))
        try PodCapture.install(in: bench.pod, CapturePlan())
        #expect(try PodCapture.isIntact(in: bench.pod, CapturePlan()))
        // With the table went the memory of the settings before.
        if !damage.hasPrefix("nft") { #expect(Set(try state(bench)) == whole) }
    }

    @Test func `is looked at again only in what may have changed`() throws {
        let bench = try PodBench()
        let plan = CapturePlan()
        try PodCapture.install(in: bench.pod, plan)
        let first = try #require(try PodCapture.inspect(in: bench.pod, plan, since: nil))
        #expect(try PodCapture.inspect(in: bench.pod, plan, since: first) === first)
        // Somebody else's rules are no harm to ours, and make the next look a thorough one.
        _ = try bench.run("nft '\(Self.foreign)'")
        let second = try #require(try PodCapture.inspect(in: bench.pod, plan, since: first))
        #expect(second !== first)
        #expect(try second.isCurrent)
        #expect(try !first.isCurrent)
        for damage in [
            "nft flush chain inet ambit output", "ip rule del pref 32764",
            "sysctl -q -w net.ipv4.tcp_fwmark_accept=0",
        ] {
            try PodCapture.install(in: bench.pod, plan)
            let proof = try #require(try PodCapture.inspect(in: bench.pod, plan, since: second))
            _ = try bench.run(damage)
            #expect(try PodCapture.inspect(in: bench.pod, plan, since: proof) == nil, "\(damage)")
        }
        try PodCapture.install(in: bench.pod, plan)
        let proof = try #require(try PodCapture.inspect(in: bench.pod, plan, since: nil))
        let other = CapturePlan(excludedInboundPorts: [9000])
        #expect(try PodCapture.inspect(in: bench.pod, other, since: proof) == nil)
    }

    @Test func `is refused in the proxy's own namespace`() throws {
        let own = try NetworkNamespace(path: "/proc/thread-self/ns/net")
        #expect(throws: CaptureError.ownNamespace) {
            try PodCapture.install(in: own, CapturePlan())
        }
        #expect(throws: CaptureError.ownNamespace) { try PodCapture.remove(in: own) }
    }

    @Test func `is refused with too many excluded ports`() throws {
        let bench = try PodBench()
        let plan = CapturePlan(excludedOutboundPorts: (1...257).map { UInt16($0) })
        #expect(throws: CaptureError.tooManyExcludedPorts(257)) {
            try PodCapture.install(in: bench.pod, plan)
        }
        let most = CapturePlan(excludedOutboundPorts: (1...256).map { UInt16($0) })
        try PodCapture.install(in: bench.pod, most)
        #expect(try PodCapture.isIntact(in: bench.pod, most))
    }

    @Test func `goes on on many threads at once`() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let bench = try PodBench()
                    for _ in 0..<5 { try PodCapture.install(in: bench.pod, CapturePlan()) }
                    return try PodCapture.isIntact(in: bench.pod, CapturePlan())
                }
            }
            for try await isIntact in group { #expect(isIntact) }
        }
    }
}

@Suite struct `A pod without IPv6` {
    @Test func `is captured with IPv4 through the listeners of both`() throws {
        let bench = try PodBench(ipv6: false)
        #expect(try !PodCapture.supportsIPv6(in: bench.pod))
        let plan = CapturePlan(ipv6: false)
        try PodCapture.install(in: bench.pod, plan)
        #expect(try PodCapture.isIntact(in: bench.pod, plan))
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let app = try TestSocket(in: bench.pod, .v4)
        #expect(app.connect(SocketAddress(PodBench.service(.v4), 80)) == 0)
        let accepted = try TestSocket.accept(listeners.outbound.raw)
        #expect(accepted.local == SocketAddress(PodBench.service(.v4), 80))
        let server = try bench.app(.v4, port: 8080)
        #expect(try bench.deliver(.v4, to: 8080).code == 0)
        #expect(try server.accept().remote?.ip == PodBench.client(.v4))
        try PodCapture.remove(in: bench.pod)
    }

    @Test func `that gets it later refuses it until the plan changes`() throws {
        let bench = try PodBench()
        #expect(try PodCapture.supportsIPv6(in: bench.pod))
        try PodCapture.install(in: bench.pod, CapturePlan(ipv6: false))
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let server = try TestSocket(in: bench.outside, .v6)
            .listening(at: SocketAddress(PodBench.outside(.v6), 80))
        let tap = try Tap(bench)
        let app = try TestSocket(in: bench.pod, .v6)
        #expect(app.connect(SocketAddress(PodBench.outside(.v6), 80)) == ECONNREFUSED)
        let asking = try TestSocket(in: bench.pod, .v6, datagram: true)
        #expect(asking.connect(SocketAddress(PodBench.outside(.v6), 53)) == 0)
        _ = try? asking.send("who?")
        #expect(try tap.packets() == [])
        #expect(!TestSocket.wait(server.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
    }
}

@Suite struct `A port excluded by annotation` {
    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `is dialled in the clear, both ways`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan(excludedOutboundPorts: [3306]))
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let server = try TestSocket(in: bench.outside, family)
            .listening(at: SocketAddress(PodBench.outside(family), 3306))
        let app = try TestSocket(in: bench.pod, family)
        #expect(app.connect(SocketAddress(PodBench.outside(family), 3306)) == 0)
        let accepted = try server.accept()
        #expect(accepted.remote == app.local)
        try app.send("ask")
        #expect(try accepted.receive() == "ask")
        try accepted.send("answer")
        #expect(try app.receive() == "answer")
        let closed = try TestSocket(in: bench.pod, family)
        accepted.raw.resetOnClose()
        #expect(closed.connect(SocketAddress(PodBench.outside(family), 3306)) == 0)
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `as a source port gives no way in`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan(excludedOutboundPorts: [3306]))
        let app = try bench.app(family, port: 8080)
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let attacker = try TestSocket(in: bench.outside, family)
        try attacker.bind(SocketAddress(PodBench.outside(family), 3306))
        #expect(attacker.connect(SocketAddress(PodBench.pod(family), 8080)) == 0)
        let accepted = try TestSocket.accept(listeners.inbound.raw)
        #expect(accepted.local == SocketAddress(PodBench.pod(family), 8080))
        #expect(!TestSocket.wait(app.raw, POLLIN, milliseconds: 0))
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `is reached directly and answers directly`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan(excludedInboundPorts: [9000, 9001]))
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let app = try bench.app(family, port: 9000)
        let client = try TestSocket(in: bench.outside, family)
        #expect(client.connect(SocketAddress(PodBench.pod(family), 9000)) == 0)
        let accepted = try app.accept()
        #expect(accepted.remote == client.local)
        try client.send("ask")
        #expect(try accepted.receive() == "ask")
        try accepted.send("answer")
        #expect(try client.receive() == "answer")
        // Nobody listens here, and the client is told so.
        let other = try TestSocket(in: bench.outside, family)
        #expect(other.connect(SocketAddress(PodBench.pod(family), 9001)) == ECONNREFUSED)
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
    }

    @Test func `as a source port of the pod gives no way out`() throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan(excludedInboundPorts: [9000]))
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let tap = try Tap(bench)
        let app = try TestSocket(in: bench.pod, .v4)
        try app.bind(SocketAddress(PodBench.pod(.v4), 9000))
        #expect(app.connect(SocketAddress(PodBench.outside(.v4), 80)) == 0)
        let accepted = try TestSocket.accept(listeners.outbound.raw)
        try app.send("secret")
        #expect(try accepted.receive() == "secret")
        #expect(try tap.packets().filter(\.isTCP) == [])
    }
}

@Suite struct `The proxy's private ports` {
    @Test(arguments: [IPAddress.Family.v4, .v6], [UInt16(15001), 15006, 15053])
    func `are closed to the network and to the pod`(
        family: IPAddress.Family,
        port: UInt16
    ) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let loopback = family == .v4 ? IPAddress(v4: 0x7F00_0001) : IPAddress(v6High: 0, low: 1)
        let stranger = try TestSocket(in: bench.outside, family)
        #expect(stranger.connect(SocketAddress(PodBench.pod(family), port)) == ECONNREFUSED)
        for address in [loopback, PodBench.pod(family)] {
            let app = try TestSocket(in: bench.pod, family)
            #expect(app.connect(SocketAddress(address, port)) == ECONNREFUSED)
        }
        #expect(!TestSocket.wait(listeners.outbound.raw, POLLIN, milliseconds: 0))
        #expect(!TestSocket.wait(listeners.inbound.raw, POLLIN, milliseconds: 0))
    }
}
