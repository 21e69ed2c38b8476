import Foundation
import Testing

/// What a peer may ask of port 15008, and with which certificate (ATTACKS 5.4, 5.6).
@Suite struct `Port 15008` {
    /// Who asks, what for, and the answer: `HOST` is the pod, `OTHER` another one.
    private static let questions: [(String, String, String, String?)] = [
        ("good", "HOST:7001", "200", nil),
        ("other", "HOST:7001", "200", nil),
        ("good", "OTHER:7001", "400", "ip mismatch"),
        ("good", "127.0.0.1:7001", "400", "ip mismatch: 127.0.0.1 is not"),
        ("good", "[::1]:7001", "400", "ip mismatch: ::1 is not"),
        ("good", "169.254.169.254:80", "400", "ip mismatch: 169.254.169.254 is not"),
        ("good", "0.0.0.0:7001", "400", "ip mismatch: 0.0.0.0 is not"),
        ("good", "HOST:15001", "503", "port 15001 is the proxy's own"),
        ("good", "HOST:15006", "503", "port 15006 is the proxy's own"),
        ("good", "HOST:15008", "503", "port 15008 is the proxy's own"),
        ("good", "HOST:15053", "503", "port 15053 is the proxy's own"),
        ("good", "HOST:7999", "503", "connect to the application: connection refused"),
        ("good", "HOST:0", "400", "the authority is not host:port"),
        ("good", "HOST:99999", "400", "the authority is not host:port"),
        ("good", "HOST", "400", "the authority is not host:port"),
        ("good", "HOST:80:80", "400", "the authority is not host:port"),
        ("good", "0x7f000001:7001", "400", "the authority is not host:port"),
        ("good", "far.mesh.svc.cluster.local:80", "200", nil),
        ("good", "evil.example:80", "503", "no service evil.example with port 80"),
        ("good", "a b:80", "reset 1", nil),
        ("good", "HOST:7001\\0", "reset 1", nil),
        ("good", "", "reset 1", nil),
    ]

    @Test(arguments: Self.questions)
    func `answers`(
        certificate: String,
        authority: String,
        answer: String,
        reason: String?
    ) throws {
        let foreign = try ForeignLab.shared()
        let before = try foreign.errors("node-2").count
        let authority =
            try authority
            .replacingOccurrences(of: "HOST", with: foreign.lab.address("mesh/far"))
            .replacingOccurrences(of: "OTHER", with: foreign.lab.address("guarded/far"))
        let done = try foreign.peer(
            "mesh/far",
            """
            p = Peer("\(certificate)")
            fields = block((":method", "CONNECT"), (":authority", "\(authority)"))
            p.send(frame(HEADERS, 4, 1, fields))
            print(p.answer())
            """
        )
        #expect(done.output == "\(answer)\n", "\(done.error)")
        guard let reason else { return }
        try foreign.logged("node-2", beyond: before, reason)
    }

    @Test(arguments: [
        (
            #"(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a:1")"#,
            "400"
        ),
        (#"(":method", "CONNECT"), (":path", "/"), (":authority", "a:1")"#, "reset 1"),
        (#"(":method", "CONNECT"), (":authority", "a:1"), (":authority", "b:1")"#, "reset 1"),
        (#"(":method", "CONNECT"), ("host", "a:1")"#, "reset 1"),
        (#"(":method", "CONNECT"), (":authority", "a:1"), ("x", "y\r\nz")"#, "reset 1"),
    ])
    func `takes CONNECT only, and well formed`(fields: String, answer: String) throws {
        let foreign = try ForeignLab.shared()
        let done = try foreign.peer(
            "mesh/far",
            "p = Peer(); p.send(frame(HEADERS, 4, 1, block(\(fields)))); print(p.answer())"
        )
        #expect(done.output == "\(answer)\n", "\(done.error)")
    }

    @Test(arguments: [("good", "200"), ("other", "401"), ("foreign", "401")])
    func `asks the policies, whatever the address`(certificate: String, answer: String) throws {
        let foreign = try ForeignLab.shared()
        for v6 in [false, true] {
            let done = try foreign.peer(
                "guarded/far",
                v6: v6,
                "p = Peer('\(certificate)'); p.open(); print(p.answer())"
            )
            #expect(done.output == "\(answer)\n", "\(done.error)")
        }
    }

    @Test(arguments: Certificates.refused)
    func `refuses the certificate`(name: String, reason: String) throws {
        let foreign = try ForeignLab.shared()
        let before = try foreign.errors("node-2").count
        let done = try foreign.peer(
            "mesh/far",
            """
            try:
                p = Peer("\(name)")
                p.open()
                print(p.answer())
            except OSError:
                print("closed")
            """
        )
        #expect(done.output == "closed\n", "\(done.error)")
        try foreign.logged("node-2", beyond: before, reason)
    }
}

/// Ways past the proxy, into pods and out of them (ATTACKS 5.6).
@Suite struct `A way around the capture` {
    private func dial(_ lab: TestLab, _ pod: String, _ program: String) throws -> String {
        let done = try lab.exec(pod, ["python3", "-u", "-c", Programs.dial + program])
        guard done.status == 0 else { throw TestLab.Failure(done.error) }
        return done.output
    }

    @Test(arguments: ["plain/client", "mesh/client"], [false, true])
    func `is not at the proxy's own ports`(client: String, v6: Bool) throws {
        let lab = try ForeignLab.shared().lab
        let host = try lab.address("mesh/far", v6: v6)
        let said = try dial(
            lab,
            client,
            "for port in [15000, 15001, 15006, 15008, 15053]: print(dial('\(host)', port))"
        )
        #expect(said.split(separator: "\n").count == 5)
        #expect(!said.contains("data") && !said.contains("Timeout"), "\(said)")
    }

    @Test(arguments: ["plain/client", "mesh/client", "mesh/far"])
    func `is not at the node's admin port`(client: String) throws {
        let lab = try ForeignLab.shared().lab
        let listing = try lab.lab(["ps"])
        let hosts = listing.split(separator: "\n").filter { $0.hasPrefix("node-") }
            .flatMap { $0.split(separator: " ")[2].split(separator: ",") }
        #expect(hosts.count == 4, "\(listing)")
        let said = try dial(
            lab,
            client,
            "for host in \(hosts.map(String.init)): print(dial(host, 15000))"
        )
        #expect(!said.contains("data") && !said.contains("Timeout"), "\(said)")
    }

    @Test(arguments: [false, true])
    func `is not open into STRICT pods, over either family`(v6: Bool) throws {
        let foreign = try ForeignLab.shared()
        let host = try foreign.lab.address("guarded/far", v6: v6)
        let before = try foreign.errors("node-2").count
        #expect(
            try dial(foreign.lab, "plain/client", "print(dial('\(host)', 7001))")
                == "ConnectionResetError\n"
        )
        #expect(try dial(foreign.lab, "mesh/client", "print(dial('\(host)', 7001))") == "data\n")
        try foreign.logged("node-2", beyond: before, "istio_converted_static_strict")
    }

    @Test func `is not needed by a pod that dials itself`() throws {
        let lab = try ForeignLab.shared().lab
        let hosts = try [
            lab.address("guarded/far"), lab.address("guarded/far", v6: true), "127.0.0.1", "::1",
        ]
        let said = try dial(
            lab,
            "guarded/far",
            "for host in \(hosts): print(dial(host, 7001))"
        )
        #expect(said == "data\ndata\ndata\ndata\n")
    }

    // SO_MARK and IP_TRANSPARENT both take CAP_NET_RAW only. With the proxy's mark alone no answer
    // comes back; with both, packets leave in the clear, and the destination must refuse them.
    @Test func `by the proxy's mark gives no identity and opens no STRICT pod`() throws {
        let foreign = try ForeignLab.shared()
        let lab = foreign.lab
        let strict = try lab.address("guarded/far")
        let open = try lab.address("mesh/far")
        let before = try foreign.errors("node-2").count
        let drop = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
        let raw = ["inh-caps", "ambient-caps", "bounding-set"].map { "--\($0)=-all,+net_raw" }
        let done = try lab.exec(
            "mesh/client",
            drop + raw + [
                "/usr/bin/python3", "-u", "-c",
                Programs.dial + """
                    for mark in [0x539, 0x10000539, 0x53a, 0x111]:
                        print(dial("\(strict)", 7001, mark))
                        print(dial("\(strict)", 7001, mark, True))
                    print(dial("\(open)", 7001, 0x539))
                    print(dial("\(open)", 7001, 0x539, True))
                    """,
            ]
        )
        let said = done.output.split(separator: "\n")
        #expect(said.count == 10, "\(done.error)")
        #expect(!said.prefix(9).contains("data"), "\(done.output)")
        #expect(said.last == "data", "a permissive pod takes what has no identity")
        try foreign.logged("node-2", beyond: before, "istio_converted_static_strict")
        let source = try lab.address("mesh/client")
        let plain = try lab.access("node-2", "src.addr=\(source):", "dst.addr=\(open):7001")
        #expect(!plain.isEmpty && plain.allSatisfy { !$0.contains("src.identity=") })
    }

    @Test func `is not port 53 over TCP`() throws {
        let lab = try ForeignLab.shared().lab
        let server = try lab.start(
            "plain/far",
            """
            import socket
            listener = socket.create_server(("0.0.0.0", 53))
            print("up", flush=True)
            while True:
                c, peer = listener.accept()
                print(peer, flush=True)
                c.sendall(b"in the clear")
                c.close()
            """,
            []
        )
        defer { server.stop() }
        try lab.eventually("something listens on port 53") { server.outputSoFar.contains("up") }
        let host = try lab.address("plain/far")
        #expect(try dial(lab, "plain/client", "print(dial('\(host)', 53))") == "data\n")
        let seen = server.outputSoFar
        let said = try dial(lab, "mesh/client", "print(dial('\(host)', 53))")
        #expect(said != "data\n")
        #expect(server.outputSoFar == seen, "it came past the proxy")
        let answer = try lab.exec(
            "mesh/client",
            ["dig", "+tcp", "+short", "@\(host)", "far.mesh.svc.cluster.local"]
        )
        #expect(answer.output.hasPrefix("10.96."), "\(answer.output)")
    }

    @Test func `is not a connection from before the enrolment`() throws {
        let lab = try TestLab(SharedLab.manifest)
        let late = try lab.address("plain/far")
        let elsewhere = try lab.address("mesh/far")
        let into = try lab.start("mesh/client", Programs.live, [late, "7001"])
        let outOf = try lab.start("plain/far", Programs.live, [elsewhere, "7001"])
        for live in [into, outOf] {
            try lab.eventually("connected before") { live.outputSoFar.contains("up") }
        }
        try lab.apply(
            """
            apiVersion: v1
            kind: Namespace
            metadata: {name: plain, labels: {ambit.dev/dataplane-mode: ambient}}
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: default, namespace: plain}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: outside}
            \(SharedLab.pod("outside", "client", "node-1"))
            """
        )
        for live in [into, outOf] {
            try lab.eventually("what was open in the clear is reset") {
                live.outputSoFar.contains("rst")
            }
        }
        try lab.eventually("the mesh reaches it") {
            try dial(lab, "mesh/client", "print(dial('\(late)', 7001))") == "data\n"
        }
        #expect(
            try dial(lab, "outside/client", "print(dial('\(late)', 7001))")
                == "ConnectionResetError\n"
        )
        // Out again and in again: the same rules.
        try lab.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: plain}")
        try lab.eventually("outside the mesh it is open to all") {
            try dial(lab, "outside/client", "print(dial('\(late)', 7001))") == "data\n"
        }
        try lab.apply(
            """
            apiVersion: v1
            kind: Namespace
            metadata: {name: plain, labels: {ambit.dev/dataplane-mode: ambient}}
            """
        )
        try lab.eventually("it is closed again") {
            try dial(lab, "outside/client", "print(dial('\(late)', 7001))")
                == "ConnectionResetError\n"
        }
    }
}
