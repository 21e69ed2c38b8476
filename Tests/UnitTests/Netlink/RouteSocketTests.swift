import Mesh
import Netlink
import Reactor
import Testing

@Suite struct `A routing socket` {
    @Test func `connects two namespaces with a veth pair`() throws {
        let left = try NetworkNamespace.create()
        let right = try NetworkNamespace.create()
        var here = try RouteSocket(in: left)
        var there = try RouteSocket(in: right)
        try here.addVeth("eth0", peer: "eth9", in: right)
        try here.setLink("eth0", mtu: 1400)
        try here.setLink("eth0", hardwareAddress: [2, 0, 0, 0, 0, 7])
        try here.setLink("eth0", up: true)
        try there.setLink("eth9", up: true)

        let found = try #require(try here.links().first { $0.name == "eth0" })
        #expect(found.kind == "veth")
        #expect(found.isUp)
        #expect(found.mtu == 1400)
        #expect(found.hardwareAddress == [2, 0, 0, 0, 0, 7])
        #expect(try there.links().map(\.name).sorted() == ["eth9", "lo"])

        try here.deleteLink("eth0")
        try here.deleteLink("eth0")
        #expect(try there.links().map(\.name) == ["lo"])
    }

    @Test func `refuses a link whose name is taken, and says why`() throws {
        let namespace = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        try socket.addBridge("br0")
        let error = #expect(throws: NetlinkError.self) { try socket.addBridge("br0") }
        #expect(error?.code == 17)
        #expect(error?.operation == "add bridge br0")
        let missing = #expect(throws: NetlinkError.self) { try socket.setLink("none", up: true) }
        #expect(missing?.code == 19)
    }

    @Test func `puts links into a bridge and takes them out`() throws {
        let namespace = try NetworkNamespace.create()
        let other = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        try socket.addBridge("br0")
        try socket.addVeth("port0", peer: "eth0", in: other)
        try socket.setLink("port0", master: "br0")
        let bridge = try #require(try socket.links().first { $0.name == "br0" })
        #expect(bridge.kind == "bridge")
        #expect(try socket.links().first { $0.name == "port0" }?.master == bridge.index)
        try socket.setLink("port0", master: nil)
        #expect(try socket.links().first { $0.name == "port0" }?.master == nil)
    }

    @Test func `adds addresses of both families once`() throws {
        let namespace = try NetworkNamespace.create()
        let other = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        try socket.addVeth("eth0", peer: "eth9", in: other)
        try socket.setLink("eth0", up: true)
        let four = IPAddress(v4: 0x0A01_0005)
        let six = IPAddress(v6High: 0xFD00_0001_0000_0000, low: 5)
        for _ in 0..<2 {
            try socket.addAddress(four, prefixLength: 24, to: "eth0")
            try socket.addAddress(six, prefixLength: 64, to: "eth0")
        }
        let found = try socket.addresses().map(\.address)
        #expect(found.filter { $0 == four }.count == 1)
        #expect(found.filter { $0 == six }.count == 1)
    }

    @Test func `adds routes over a gateway and over a device`() throws {
        let namespace = try NetworkNamespace.create()
        let other = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        try socket.addVeth("eth0", peer: "eth9", in: other)
        try socket.setLink("eth0", up: true)
        try socket.addAddress(IPAddress(v4: 0x0A01_0005), prefixLength: 32, to: "eth0")
        let gateway = IPAddress(v4: 0xA9FE_0101)
        let toGateway = try #require(IPPrefix(gateway, length: 32))
        try socket.addRoute(NetworkRoute(to: toGateway, device: "eth0"))
        let normal = NetworkRoute(to: .everything(.v4), via: gateway, device: "eth0")
        try socket.addRoute(normal)
        try socket.addRoute(normal)
        try socket.deleteRoute(normal)
        try socket.deleteRoute(normal)
        let unreachable = NetworkRoute(to: .everything(.v4), via: IPAddress(v4: 0x0808_0808))
        let error = #expect(throws: NetlinkError.self) { try socket.addRoute(unreachable) }
        #expect(error?.detail.isEmpty == false)
    }

    @Test(arguments: [IPAddress.Family.v4, .v6])
    func `sends marked packets to a local table, once`(family: IPAddress.Family) throws {
        let namespace = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        try socket.setLink("lo", up: true)
        let rule = MarkRule(
            family: family,
            mark: 0x111,
            mask: 0xFFF,
            table: 100,
            priority: 32764
        )
        #expect(try !socket.hasLocalDefaultRoute(table: 100, family: family))
        for _ in 0..<2 {
            try socket.addRule(rule)
            try socket.addLocalDefaultRoute(table: 100, family: family)
        }
        #expect(try socket.markRules(family) == [rule])
        #expect(try socket.hasLocalDefaultRoute(table: 100, family: family))
        for _ in 0..<2 {
            try socket.deleteRule(rule)
            try socket.deleteLocalDefaultRoute(table: 100, family: family)
        }
        #expect(try socket.markRules(family) == [])
        #expect(try !socket.hasLocalDefaultRoute(table: 100, family: family))
    }

    @Test func `refuses a name too long for a message`() throws {
        let namespace = try NetworkNamespace.create()
        var socket = try RouteSocket(in: namespace)
        let error = #expect(throws: NetlinkError.self) {
            try socket.addBridge(String(repeating: "x", count: 4000))
        }
        #expect(error?.code == 90)
    }
}
