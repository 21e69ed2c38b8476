import Capture
import Glibc
import Mesh
import Reactor
import Testing

/// A pod into which a foreign agent has put its own rules (PROTOCOL.md §1.4).
@Suite struct `Capture beside a foreign agent's rules` {
    private static let rules = """
        table inet istio-ambient-nat {
            chain prerouting {
                type nat hook prerouting priority dstnat;
                ip saddr 169.254.7.127 meta l4proto tcp accept
                meta mark & 0xfff == 0x539 accept
                ip daddr != 127.0.0.1 tcp dport != 15008 redirect to :15006
                ip6 daddr != ::1 tcp dport != 15008 redirect to :15006
            }
            chain output {
                type nat hook output priority -100;
                oifname != lo meta mark & 0xfff != 0x539 udp dport 53 redirect to :15053
                meta l4proto tcp meta mark & 0xfff == 0x111 accept
                oifname lo ip daddr != 127.0.0.1 accept
                ip daddr != 127.0.0.1 meta l4proto tcp meta mark & 0xfff != 0x539 redirect to :15001
                ip6 daddr != ::1 meta l4proto tcp meta mark & 0xfff != 0x539 redirect to :15001
            }
        }
        table inet istio-ambient-mangle {
            chain prerouting {
                type filter hook prerouting priority mangle;
                meta mark & 0xfff == 0x539 ct mark set ct mark & 0xfffff000 | 0x111
            }
            chain output {
                type route hook output priority mangle;
                ct mark & 0xfff == 0x111 meta mark set ct mark
            }
        }
        """

    private func installForeign(_ bench: borrowing PodBench) throws {
        let path = "/tmp/ambit-foreign-\(UInt32.random(in: 0 ... .max)).nft"
        try Folder.replace(path, with: Array(Self.rules.utf8), mode: 0o600)
        defer { try? Folder.remove(path) }
        _ = try bench.run("nft -f \(path)")
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `keeps the destination of both directions`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try installForeign(bench)
        let plan = CapturePlan(avoidsTracking: true)
        try PodCapture.install(in: bench.pod, plan)
        #expect(try PodCapture.isIntact(in: bench.pod, plan))
        #expect(try !PodCapture.isIntact(in: bench.pod, CapturePlan()))
        let listeners = try PodListeners.open(in: bench.pod, dns: false)

        let app = try TestSocket(in: bench.pod, family)
        let far = SocketAddress(PodBench.service(family), 80)
        #expect(app.connect(far) == 0)
        let outbound = try TestSocket.accept(listeners.outbound.raw)
        #expect(outbound.local == far)
        try app.send("ask")
        #expect(try outbound.receive() == "ask")
        try outbound.send("answer")
        #expect(try app.receive() == "answer")

        let client = try TestSocket(in: bench.outside, family)
        let near = SocketAddress(PodBench.pod(family), 8080)
        #expect(client.connect(near) == 0)
        let inbound = try TestSocket.accept(listeners.inbound.raw)
        #expect(inbound.local == near)
        #expect(inbound.remote == client.local)
        try inbound.send("answer")
        #expect(try client.receive() == "answer")
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `leaves the proxy its own connections and deliveries`(family: IPAddress.Family) throws {
        let bench = try PodBench()
        try installForeign(bench)
        try PodCapture.install(in: bench.pod, CapturePlan(avoidsTracking: true))
        let listeners = try PodListeners.open(in: bench.pod, dns: false)
        let app = try bench.app(family, port: 8080)
        let delivery = try bench.deliver(family, to: 8080)
        #expect(delivery.code == 0)
        let accepted = try TestSocket.accept(app.raw)
        #expect(accepted.remote?.ip == PodBench.client(family))
        try accepted.send("answer")
        #expect(try delivery.socket.receive() == "answer")
        _ = consume listeners
    }
}
