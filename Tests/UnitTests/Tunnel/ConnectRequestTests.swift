import HTTP
import Mesh
import Testing
import Tunnel

@Suite struct `A CONNECT request` {
    private func parse(_ authority: String, _ more: KeyValuePairs<String, String> = [:])
        throws(ConnectRequest.Refusal) -> ConnectRequest
    {
        var fields: HeaderFields = [":method": "CONNECT", ":authority": authority]
        for (name, value) in more {
            fields.append(name, value)
        }
        return try ConnectRequest(fields)
    }

    @Test func `goes to an address of either family or to a name`() throws {
        let address = try #require(SocketAddress("10.1.0.5:8080"))
        #expect(try parse("10.1.0.5:8080").authority == .address(address))
        let six = try #require(SocketAddress("[2001:db8::5]:443"))
        #expect(try parse("[2001:db8::5]:443").authority == .address(six))
        #expect(
            try parse("Web.Shop.svc.cluster.local.:80").authority
                == .hostname("web.shop.svc.cluster.local", port: 80)
        )
        #expect(try parse("web:80").authority.description == "web:80")
    }

    @Test(arguments: [
        "", ":", ":80", "10.1.0.5", "10.1.0.5:", "10.1.0.5:0", "10.1.0.5:65536", "10.1.0.5:+80",
        "10.1.0.5:080", "10.1.0.5:8 0", "web", "web:", "web:0", "web:99999", "web:080", "web:-1",
        "2001:db8::5:443", "[2001:db8::5]", "[2001:db8::5]:", "[10.1.0.5]:80", "[web]:80",
        "10.1.0:80", "10.1.0.256:80", "0x0a010005:80", "167837701:80", "10.1.0.05:80",
        "user@web:80", "web/path:80", "we b:80", "web..shop:80", ".web:80", "-web:80", "web-:80",
        "[fe80::1%eth0]:80", "web:80:80", "wéb:80", "web\u{0}:80", "web%2e:80", "*.web:80",
    ])
    func `is refused for the authority`(authority: String) {
        #expect(throws: ConnectRequest.Refusal.badAuthority) { try parse(authority) }
    }

    @Test func `is refused without a name of more than 253 bytes or a label of more than 63`() {
        let long = Array(repeating: String(repeating: "a", count: 63), count: 4)
        #expect(throws: ConnectRequest.Refusal.badAuthority) {
            try parse(long.joined(separator: ".") + ":80")
        }
        #expect(throws: ConnectRequest.Refusal.badAuthority) {
            try parse(String(repeating: "a", count: 64) + ":80")
        }
        #expect(throws: Never.self) { try parse(String(repeating: "a", count: 63) + ":80") }
    }

    @Test func `is refused for another method or no authority`() {
        #expect(throws: ConnectRequest.Refusal.notConnect) {
            try ConnectRequest([":method": "GET", ":authority": "10.1.0.5:80"])
        }
        #expect(throws: ConnectRequest.Refusal.badAuthority) {
            try ConnectRequest([":method": "CONNECT"])
        }
    }

    @Test func `keeps its hints on the way`() throws {
        var workload = Workload(uid: "u", name: "web-1", namespace: "shop")
        workload.kind = .deployment
        workload.workloadName = "web"
        workload.canonicalName = "web"
        workload.canonicalRevision = "v1"
        workload.clusterID = "Kubernetes"
        workload.locality.region = "eu-1"
        workload.locality.zone = "eu-1a"
        let address = try #require(SocketAddress("10.1.0.5:8080"))
        var request = ConnectRequest(authority: .address(address))
        request.baggage = Baggage(workload).description
        request.forwarded = Forwarded(
            client: SocketAddress("[2001:db8::1]:40000"),
            host: "web.shop.svc.cluster.local"
        )
        var generator = SystemRandomNumberGenerator()
        request.traceparent = TraceParent(using: &generator)
        request.network = "west"
        let fields = request.fields
        #expect(
            fields["baggage"]
                == "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=web,"
                + "service.name=web,service.version=v1,cloud.region=eu-1,"
                + "cloud.availability_zone=eu-1a"
        )
        #expect(
            fields["forwarded"] == "for=\"[2001:db8::1]:40000\";host=web.shop.svc.cluster.local"
        )
        #expect(fields["traceparent"]?.utf8.count == 55)
        #expect(Baggage(fields) == Baggage(workload))
        #expect(fields["traceparent"].flatMap(TraceParent.init) == request.traceparent)
        // What enters no decision is left to whoever asks for it.
        request.baggage = ""
        request.traceparent = nil
        #expect(try ConnectRequest(fields) == request)
    }

    @Test(arguments: ["", "a b", "a,b", "a\"b", String(repeating: "n", count: 254)])
    func `is refused for a network that is no name`(network: String) {
        #expect(throws: ConnectRequest.Refusal.badNetwork) {
            try parse("10.1.0.5:80", ["x-forwarded-network": network])
        }
    }

    @Test func `leaves hints out that cannot be read`() throws {
        let request = try parse(
            "10.1.0.5:80",
            ["baggage": ";;==,=", "forwarded": "for=\"", "traceparent": "00-00-00-00"]
        )
        #expect(request == ConnectRequest(authority: request.authority))
    }
}

@Suite struct `The baggage field` {
    private func parse(_ texts: String...) -> Baggage {
        var fields = HeaderFields()
        for text in texts {
            fields.append("baggage", text)
        }
        return Baggage(fields)
    }

    @Test func `is read over several fields, the first of a key wins`() {
        let baggage = parse(
            "k8s.namespace.name=shop , service.name = web;p=1",
            "service.name=other,cloud.region=,k8s.pod.name=web-1"
        )
        var expected = Baggage()
        expected.namespace = "shop"
        expected.canonicalName = "web"
        expected.workloadKind = .pod
        expected.workloadName = "web-1"
        #expect(baggage == expected)
    }

    @Test(arguments: [
        "a b", "a\"b", "a\\b", "a\nb", "a\u{7F}", "é", String(repeating: "v", count: 254),
    ])
    func `keeps no value that could break a log line or a label`(value: String) {
        #expect(parse("service.name=" + value).canonicalName == "")
        var own = Baggage()
        own.canonicalName = value
        #expect(own.description == "")
        #expect(own.isEmpty)
    }

    @Test func `takes an empty value as absent, the workload's kind too`() {
        #expect(parse("k8s.pod.name=,service.name=,k8s.cluster.name= ") == Baggage())
    }

    @Test func `is read up to its bound only`() {
        let filler = String(repeating: "x=y,", count: Baggage.textBytesMax / 4)
        #expect(parse(filler + "service.name=web").canonicalName == "")
        #expect(parse(String(filler.dropLast(20)) + "service.name=web").canonicalName == "web")
        #expect(parse(filler, "service.name=web").canonicalName == "")
    }
}

@Suite struct `A forwarded field` {
    @Test func `names client and host in any order and case`() throws {
        let forwarded = try #require(
            Forwarded(" Host=Web.shop ; by=_x;FOR=\"10.0.0.1:99\";proto=http, for=9.9.9.9:1")
        )
        #expect(forwarded == Forwarded(client: SocketAddress("10.0.0.1:99"), host: "web.shop"))
        #expect(Forwarded("host=\"web.shop:8080\"")?.host == "web.shop")
        #expect(Forwarded("for=\"[2001:db8::1]:1\"")?.client == SocketAddress("[2001:db8::1]:1"))
        #expect(Forwarded("for=\"10.0.0.1\\:99\"")?.client == SocketAddress("10.0.0.1:99"))
        #expect(Forwarded("for=unknown;host=a")?.client == nil)
    }

    @Test(arguments: [
        "", ";", "=", "for", "for=", "for=\"", "for=\"10.0.0.1:1", "for=\"10.0.0.1:1\\", "for==a",
        "host=a;host=b", "host=a host=b", "host=a\u{7F}", "host=\"a\"b", "for=10.0.0.1:1",
        "host=\"a\u{1}b\"", "for=unknown", "host=\"a b\"", "host=\"a/../b\"",
    ])
    func `is ignored when broken or useless`(text: String) {
        #expect(Forwarded(text) == nil)
    }

    @Test func `is ignored when it is longer than its bound`() {
        let host = "host=a;x=" + String(repeating: "y", count: Forwarded.textBytesMax - 9)
        #expect(Forwarded(host)?.host == "a")
        #expect(Forwarded(host + "y") == nil)
    }
}

@Suite struct `A traceparent` {
    private let valid = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

    @Test func `is kept as it came`() {
        #expect(TraceParent(valid)?.description == valid)
    }

    @Test(arguments: [
        "", "01-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        "00-0123456789ABCDEF0123456789abcdef-0123456789abcdef-01",
        "00-00000000000000000000000000000000-0123456789abcdef-01",
        "00-0123456789abcdef0123456789abcdef-0000000000000000-01",
        "00-0123456789abcdef0123456789abcdef-0123456789abcdef-0g",
        "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01-",
        "00-0123456789abcdef0123456789abcdef_0123456789abcdef-01",
    ])
    func `is dropped when it is not of version 00`(text: String) {
        #expect(TraceParent(text) == nil)
    }
}
