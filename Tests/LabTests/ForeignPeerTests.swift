import Foundation
import Testing

/// Programs that others wrote, at both ends of our tunnels.
@Suite struct `A foreign peer` {
    private static let ports = Array(7001...7006)

    /// What an application may count on, at a host and through whatever is between.
    private static func conversation(_ host: String) -> String {
        """
        c = connect('\(host)', 7001)
        print(c.recv(100))
        c.sendall(b'abc')
        print(c.recv(9))
        c.close()
        data = b'0123456789' * 500000
        c = connect('\(host)', 7002)
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        print(read(c).decode().strip() == f'{len(data)} {hashlib.sha256(data).hexdigest()}')
        c = connect('\(host)', 7004)
        c.sendall(b'1')
        total = 0
        while total < 1000:
            total += len(c.recv(1000))
        c.sendall(b'1')
        try:
            print(c.recv(10))
        except ConnectionResetError:
            print('rst')
        """
    }

    private static let talk = "b'220 hello\\r\\n'\nb'abc'\nTrue\nrst\n"

    @Test(.enabled(if: Envoy.path != nil, "AMBIT_ENVOY names no Envoy"))
    func `such as Envoy reaches a pod through its port 15008`() throws {
        let foreign = try ForeignLab.shared()
        let envoy = try Envoy.client(
            foreign,
            certificate: "good",
            to: "mesh/far",
            ports: Self.ports
        )
        let done = try foreign.lab.python("plain/client", Self.conversation("127.0.0.1"))
        #expect(done.output == Self.talk, "\(done.error) \(envoy.log)")
        let early = try foreign.lab.python(
            "plain/client",
            """
            c = connect('127.0.0.1', 7003)
            print(read(c))
            c.sendall(b'y' * 234567)
            c.shutdown(socket.SHUT_WR)
            """
        )
        #expect(early.output == "b'first'\n", "\(early.error)")
        try foreign.lab.eventually("the server read on after its own end") {
            try foreign.lab.lab(["logs", "mesh/far"]).contains("early 234567\n")
        }
        let reset = try foreign.lab.python(
            "plain/client",
            "c = connect('127.0.0.1', 7005); c.recv(2); reset(c); print('done')"
        )
        #expect(reset.output == "done\n", "\(reset.error)")
        try foreign.lab.eventually("the client's reset arrived as one") {
            try foreign.lab.lab(["logs", "mesh/far"]).contains("watch rst 0\n")
        }
        try foreign.lab.eventually("the log tells whose certificate it was") {
            try !foreign.lab.access(
                "node-2",
                #"src.identity="spiffe://cluster.local/ns/mesh/sa/client""#,
                #"direction="inbound" bytes_sent=73 bytes_recv=5000000"#
            ).isEmpty
        }
    }

    @Test(.enabled(if: Envoy.path != nil, "AMBIT_ENVOY names no Envoy"))
    func `such as Envoy is held to the policies of its identity`() throws {
        let foreign = try ForeignLab.shared()
        for (certificate, isAllowed) in [("good", true), ("other", false)] {
            let envoy = try Envoy.client(
                foreign,
                certificate: certificate,
                to: "guarded/far",
                ports: [7001]
            )
            let done = try foreign.lab.python(
                "plain/client",
                """
                c = connect('127.0.0.1', 7001)
                try:
                    print(c.recv(100))
                except ConnectionResetError:
                    print(b'')
                """
            )
            let expected = isAllowed ? "b'220 hello\\r\\n'\n" : "b''\n"
            #expect(done.output == expected, "\(certificate) \(done.error) \(envoy.log)")
        }
        try foreign.lab.eventually("the log tells whom it refused") {
            try !foreign.lab.access(
                "node-2",
                #"src.identity="spiffe://cluster.local/ns/mesh/sa/other""#,
                #"response_flags="DENY""#
            ).isEmpty
        }
    }

    // Envoy's HTTP ends a stream once the answer has ended: no half-close by the server here.
    @Test(.enabled(if: Envoy.path != nil, "AMBIT_ENVOY names no Envoy"))
    func `such as Envoy is reached through its own port 15008`() throws {
        let foreign = try ForeignLab.shared()
        let lab = foreign.lab
        let host = try lab.address("plain/foreign")
        // Few streams on a connection: the pool must open more connections.
        let envoy = try Envoy.server(
            foreign,
            certificate: "foreign",
            ports: Self.ports,
            streamsMax: 5
        )
        let done = try lab.python("mesh/client", Self.conversation(host))
        #expect(done.output == Self.talk, "\(done.error) \(envoy.log)")
        let many = try lab.python(
            "mesh/client",
            """
            held = [connect('\(host)', 7001) for _ in range(40)]
            print(sum(c.recv(100) == b'220 hello\\r\\n' for c in held))
            """
        )
        #expect(many.output == "40\n", "\(many.error)")
        try lab.eventually("Envoy saw the pod's identity and what we say of it") {
            envoy.log.contains(
                "peer=spiffe://cluster.local/ns/mesh/sa/client to=\(host):7001 status=200 "
                    + "forwarded=for="
            ) && envoy.log.contains("k8s.namespace.name=mesh,k8s.pod.name=client")
        }
        try lab.eventually("our log tells Envoy's identity") {
            try !lab.access(
                "node-1",
                #"dst.identity="spiffe://cluster.local/ns/plain/sa/foreign""#,
                #"direction="outbound" bytes_sent=73 bytes_recv=5000000"#
            ).isEmpty
        }
    }

    @Test(.enabled(if: Envoy.path != nil, "AMBIT_ENVOY names no Envoy"))
    func `with another workload's certificate is not talked to`() throws {
        let foreign = try ForeignLab.shared()
        let host = try foreign.lab.address("plain/foreign")
        let before = try foreign.errors("node-1").count
        let envoy = try Envoy.server(foreign, certificate: "other", ports: [7001])
        let refused = try foreign.lab.load("mesh/client", host, 7001, seconds: 0.5)
        #expect(refused.good == 0 && refused.bad > 0, "\(envoy.log)")
        try foreign.logged(
            "node-1",
            beyond: before,
            "the peer is spiffe://cluster.local/ns/mesh/sa/other, expected"
        )
        #expect(!envoy.log.contains("status=200"))
    }

    @Test(arguments: [
        (
            "openssl s_client -connect HOST:15008 -alpn h2 -tls1_2 -cert good.crt -key good.key",
            "alert protocol version", "no common TLS version, 1.3 is required"
        ),
        (
            "openssl s_client -connect HOST:15008 -alpn http/1.1 -cert good.crt -key good.key",
            "alert no application protocol", "the peer did not agree on ALPN h2"
        ),
        (
            "openssl s_client -connect HOST:15008 -cert good.crt -key good.key",
            "alert no application protocol", "the peer did not agree on ALPN h2"
        ),
        (
            // The reset that follows a refusal may overtake its alert on the way to a writer.
            "curl -svk --http2 https://HOST:15008/", "certificate required|Broken pipe|reset by",
            "the client showed no certificate"
        ),
        (
            "curl -sv http://HOST:15008/", "Empty reply|reset by",
            "the peer does not speak TLS here"
        ),
        (
            "curl -sv --http2-prior-knowledge http://HOST:15008/", "not closed cleanly|reset by",
            "the peer does not speak TLS here"
        ),
        (
            "nghttp -vy https://HOST:15008/", "Some requests were not processed",
            "the client showed no certificate"
        ),
        (
            "curl -svk --http2 --cert good.crt --key good.key https://HOST:15008/",
            "HTTP/2 400", "the method is not CONNECT"
        ),
        (
            "nghttp -vy --cert=good.crt --key=good.key https://HOST:15008/", ":status: 400",
            "the method is not CONNECT"
        ),
    ])
    func `is refused with a reason`(command: String, says: String, logged: String) throws {
        let foreign = try ForeignLab.shared()
        let host = try foreign.lab.address("mesh/far")
        let before = try foreign.errors("node-2").count
        let done = try foreign.lab.shell(
            "plain/client",
            """
            cd \(foreign.certificates.folder)
            timeout 10 \(command.replacingOccurrences(of: "HOST", with: host)) < /dev/null 2>&1
            """
        )
        let told = says.split(separator: "|").contains { done.output.contains($0) }
        #expect(told && !done.output.contains("HTTP/2 200"), "\(done.output)")
        try foreign.logged("node-2", beyond: before, logged)
    }

    @Test func `such as openssl gets the modern handshake`() throws {
        let foreign = try ForeignLab.shared()
        let host = try foreign.lab.address("mesh/far")
        let done = try foreign.lab.shell(
            "plain/client",
            """
            cd \(foreign.certificates.folder)
            openssl s_client -connect \(host):15008 -alpn h2 -CAfile root.crt \
                -cert good.crt -key good.key < /dev/null 2>&1
            """
        )
        for part in ["Verify return code: 0 (ok)", "TLSv1.3", "ALPN protocol: h2", "X25519"] {
            #expect(done.output.contains(part), "\(done.output)")
        }
    }
}
