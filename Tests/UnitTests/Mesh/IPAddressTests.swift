import Mesh
import Testing

@Suite struct `An IP address` {
    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("0001:02:003:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("::ffff:10.1.2.3", "10.1.2.3"), ("::ffff:0a01:0203", "10.1.2.3"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"), ("fe80::", "fe80::"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
    func `is read and written in its canonical form`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(address.description) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.", ".1.2.3", "1..2.3",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\0", "+1.2.3.4", "0x1.2.3.4", "1.2.3.-4",
        ":", ":1", "1:", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1::",
        "1:::2",
        "12345::", "g::", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "[::1]",
        "1:2:3:4:5:6:7:1.2.3.4", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "::01.2.3.4",
    ])
    func `is refused when it is malformed`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `knows loopback and unspecified`() throws {
        #expect(try #require(IPAddress("127.9.9.9")).isLoopback)
        #expect(try #require(IPAddress("::1")).isLoopback)
        #expect(try !#require(IPAddress("128.0.0.1")).isLoopback)
        #expect(try #require(IPAddress("::")).isUnspecified)
        #expect(try !#require(IPAddress("::1")).isUnspecified)
    }
}

@Suite struct `A socket address` {
    @Test(arguments: [
        ("1.2.3.4:80", "1.2.3.4:80"), ("[::1]:65535", "[::1]:65535"), ("0.0.0.0:0", "0.0.0.0:0"),
    ])
    func `is read and written`(text: String, canonical: String) {
        #expect(SocketAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:080", "1.2.3.4:-1", "1.2.3.4:+1",
        "::1:80", "[1.2.3.4]:80", "[::1]", "[::1]80", "[]:80", "[::1:80", "::1]:80", "[[::1]]:80",
        "[fe80::1%lo]:80", "1.2.3.4:80:90", "host:80", " 1.2.3.4:80", "1.2.3.4:8 0",
    ])
    func `is refused when it is malformed`(text: String) {
        #expect(SocketAddress(text) == nil)
    }
}

@Suite struct `An IP prefix` {
    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"), ("2001:db8:ffff::1/33", "2001:db8:8000::/33"), ("::1", "::1/128"),
        ("1:2:3:4:5:6:7:8/64", "1:2:3:4::/64"), ("1:2:3:4:ffff::/65", "1:2:3:4:8000::/65"),
        ("::ffff:10.1.0.0/104", "10.0.0.0/8"), ("1.2.3.4/32", "1.2.3.4/32"),
    ])
    func `is read with its host bits cleared`(text: String, canonical: String) {
        #expect(IPPrefix(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "/8", "10/8",
        "10.0.0.0/-1", "10.0.0.0/8/8", "::ffff:10.0.0.0/95", "10.0.0.0/8 ",
    ])
    func `is refused when it is malformed`(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false), ("::/0", "1.2.3.4", false),
        ("::/0", "::1", true), ("::/0", "::ffff:1.2.3.4", false),
        ("1.2.3.4", "1.2.3.4", true), ("1.2.3.4", "1.2.3.5", false),
        ("2001:db8::/32", "2001:db8:1::1", true), ("2001:db8::/32", "2001:db9::", false),
        ("1:2:3:4:8000::/65", "1:2:3:4:ffff::", true),
        ("1:2:3:4:8000::/65", "1:2:3:4:7fff::", false),
        ("::1", "::1", true), ("::1", "::2", false), ("10.0.0.0/31", "10.0.0.1", true),
        ("10.0.0.0/31", "10.0.0.2", false),
    ])
    func `contains what shares its bits`(prefix: String, address: String, holds: Bool) throws {
        let prefix = try #require(IPPrefix(prefix))
        #expect(try prefix.contains(#require(IPAddress(address))) == holds)
    }
}

@Suite struct `A SPIFFE id` {
    @Test func `is read and written`() throws {
        let uri = "spiffe://cluster.local/ns/shop/sa/web-1.x"
        let id = try #require(SPIFFEID(uri: uri))
        #expect(id.trustDomain == "cluster.local")
        #expect(id.namespace == "shop")
        #expect(id.serviceAccount == "web-1.x")
        #expect(id.description == uri)
        #expect(id.principal == "cluster.local/ns/shop/sa/web-1.x")
    }

    @Test(arguments: [
        "", "spiffe://", "spiffe://td", "SPIFFE://td/ns/a/sa/b", "Spiffe://td/ns/a/sa/b",
        "https://td/ns/a/sa/b", "spiffe:/td/ns/a/sa/b", "spiffe:///ns/a/sa/b",
        "spiffe://td/ns/a/sa/b/", "spiffe://td/ns/a/sa/b/c", "spiffe://td//ns/a/sa/b",
        "spiffe://td/ns//sa/b", "spiffe://td/ns/a/sa/", "spiffe://td/ns/a/SA/b",
        "spiffe://td/NS/a/sa/b", "spiffe://td/sa/b/ns/a", "spiffe://TD/ns/a/sa/b",
        "spiffe://td/ns/a%2fb/sa/c", "spiffe://td/ns/%61/sa/b", "spiffe://td/ns/../sa/b",
        "spiffe://td/ns/./sa/b", "spiffe://td/ns/a/sa/..", "spiffe://td:80/ns/a/sa/b",
        "spiffe://user@td/ns/a/sa/b", "spiffe://td/ns/a/sa/b?x", "spiffe://td/ns/a/sa/b#x",
        "spiffe://td/ns/a/sa/b\0", "spiffe://td\0.evil/ns/a/sa/b", "spiffe://td/ns/a/sa/é",
        "spiffe://*/ns/a/sa/b", "spiffe://td/ns/*/sa/b", " spiffe://td/ns/a/sa/b",
        "spiffe://td/ns/a/sa/b ", "spiffe://td/ns/a/sa/b\n", "spiffe://tdé/ns/a/sa/b",
    ])
    func `is refused when it could be read in two ways`(uri: String) {
        #expect(SPIFFEID(uri: uri) == nil)
    }

    @Test func `has a longest form`() {
        let head = "spiffe://td/ns/a/sa/"
        let account = String(repeating: "b", count: SPIFFEID.uriBytesMax - head.utf8.count)
        #expect(SPIFFEID(uri: head + account) != nil)
        #expect(SPIFFEID(uri: head + account + "b") == nil)
        let domain = String(repeating: "d", count: SPIFFEID.trustDomainBytesMax)
        #expect(SPIFFEID(uri: "spiffe://\(domain)/ns/a/sa/b") != nil)
        #expect(SPIFFEID(uri: "spiffe://\(domain)d/ns/a/sa/b") == nil)
    }
}
