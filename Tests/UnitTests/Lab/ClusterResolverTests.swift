import Lab
import Mesh
import Testing

@Suite struct `The cluster's nameserver` {
    private static func resolver() throws -> ClusterResolver {
        let text = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: inside, namespace: shop}
            spec: {type: ExternalName, externalName: Web.shop.svc.cluster.local.}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: outside, namespace: shop}
            spec: {type: ExternalName, externalName: example.org}
            """
        var cluster = Cluster()
        try cluster.apply([SourceFile(path: "test.yaml", text: text)])
        let plan = try cluster.plan()
        var resolver = cluster.resolver
        resolver.update(
            plan.state,
            targets: plan.serviceTargets,
            aliases: plan.serviceAliases
        )
        return resolver
    }

    // A query with id 0x1234, recursion wished, for one name and type (RFC 1035 §4.1).
    private static func query(_ name: String, _ type: UInt8) -> [UInt8] {
        let labels = name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
        return [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels + [0, 0, type, 0, 1]
    }

    private static func ask(_ name: String, _ type: UInt8) throws -> [UInt8] {
        let source = try #require(IPAddress("10.244.0.9"))
        let answer = try resolver().answer(query(name, type), from: source, overStream: false)
        let bytes = try #require(answer)
        #expect(bytes.prefix(2) == [0x12, 0x34])
        #expect(bytes[2] & 0x80 != 0)
        return bytes
    }

    @Test func `knows services by address and by named port`() throws {
        let address = try Self.ask("web.shop.svc.cluster.local", 1)
        #expect(address[3] & 15 == 0)
        #expect(address[7] == 1)
        #expect(Array(address.suffix(4)) == [10, 96, 0, 7])
        let port = try Self.ask("_http._tcp.web.shop.svc.cluster.local", 33)
        #expect(port[3] & 15 == 0)
        let target = Array("\u{3}web\u{4}shop\u{3}svc\u{7}cluster\u{5}local\0".utf8)
        #expect(Array(port.suffix(target.count)) == target)
        #expect(Array(port.dropLast(target.count).suffix(6)) == [0, 0, 0, 100, 0, 80])
    }

    @Test func `knows what an ExternalName stands for`() throws {
        let web = Array("\u{3}web\u{4}shop\u{3}svc\u{7}cluster\u{5}local\0".utf8)
        let inside = try Self.ask("inside.shop.svc.cluster.local", 1)
        #expect(inside[3] & 15 == 0)
        // The alias, then the address of what it stands for.
        #expect(inside[7] == 2)
        #expect(Array(inside.suffix(4)) == [10, 96, 0, 7])
        #expect(inside.firstRange(of: web) != nil)
        // example.org is not for the lab to know: the alias alone.
        let name = Array("\u{7}example\u{3}org\0".utf8)
        for type in [UInt8(1), 5] {
            let outside = try Self.ask("outside.shop.svc.cluster.local", type)
            #expect(outside[3] & 15 == 0)
            #expect(outside[7] == 1)
            #expect(Array(outside.suffix(name.count)) == name)
        }
    }

    @Test(arguments: [
        ("none.shop.svc.cluster.local", UInt8(1), UInt8(3)),
        ("_ftp._tcp.web.shop.svc.cluster.local", 33, 3),
        ("web.shop.svc.cluster.local", 16, 0),
        ("web.shop.svc.cluster.local", 28, 0),
        ("example.org", 1, 2),
    ])
    func `says what there is not`(name: String, type: UInt8, code: UInt8) throws {
        let answer = try Self.ask(name, type)
        #expect(answer[3] & 15 == code)
        #expect(answer[6] == 0 && answer[7] == 0)
    }

    @Test func `has nothing to say to bytes that are no query`() throws {
        let source = try #require(IPAddress("10.244.0.9"))
        #expect(try Self.resolver().answer([1, 2, 3], from: source, overStream: false) == nil)
    }
}
