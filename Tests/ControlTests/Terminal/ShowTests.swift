import JSON
import Kubernetes
import Terminal
import Testing

@Suite struct `What a terminal shows` {
    @Test func `stands in columns, without what could move its cursor`() {
        var table = Table(["NAME", "STATE"])
        table.add(["a", "Up"])
        table.add(["long-name", "\u{1B}[2Jgone\u{202E}"])
        table.add(["", "x", "too many"])
        #expect(
            table.text() == """
                NAME       STATE
                a          Up
                long-name  ?[2Jgone?
                -          x

                """
        )
    }

    @Test func `has colours only on a terminal that wants them`() {
        #expect(Style(isTerminal: true, environment: ["TERM": "xterm"]) == .coloured)
        #expect(Style(isTerminal: false, environment: ["TERM": "xterm"]) == .plain)
        #expect(Style(isTerminal: true, environment: ["TERM": "dumb"]) == .plain)
        #expect(Style(isTerminal: true, environment: ["NO_COLOR": "1"]) == .plain)
        #expect(Style.coloured.bad("x") == "\u{1B}[31mx\u{1B}[0m")
        #expect(Style.plain.bad("x") == "x")
    }

    @Test func `can be read back when it is YAML`() throws {
        let texts = [
            "plain", "", " space", "yes", "null", "1.5", "0x1F", "a: b", "- a", "#no", "a #b",
            "a\nb",
            "\"quoted\"", "ünïcode", "*alias", "&x", "!tag", "%", "@", "`", "{", "[", "a:", ":a",
            "y",
            "~", "2026-11-21", "/path:1", "tab\t", "-",
        ]
        let value: Value = [
            "strings": .list(texts.map { .string($0) }),
            "keys": .map(Dictionary(uniqueKeysWithValues: texts.map { ($0, .integer(1)) })),
            "empty": [[], [:], .null, true, 1, .number(1.5)],
            "nested": [["a": [["b": [1, 2]], ["c": [:]]], "d": "e"], [[1], [[2]]]],
        ]
        #expect(try Value(yaml: value.yaml) == value)
    }

    private let dump = """
        {"config": {"node-name": "n1"}, "version": {"version": "0.1.0"},
         "workloads": [{}, {}], "services": [{}], "policies": [],
         "certificates": [
           {"identity": "spiffe://cluster.local/ns/shop/sa/web", "state": "Available",
            "certChain": [{"serialNumber": "0123456789ABCDEF", "validFrom": "2026-11-21T00:00:00Z",
              "expirationTime": "2026-11-22T00:00:00Z"}], "rootCerts": [{"serialNumber": "1"}],
            "rotated": "2026-11-21T12:00:00Z", "nextRotation": "2026-11-21T15:00:00Z"},
           {"identity": "spiffe://cluster.local/ns/shop/sa/api",
            "state": "Unavailable: the signer refused", "certChain": [], "rootCerts": []}],
         "revocation": {"fault": null, "lists": [{"issuer": "CN=root", "number": "0A",
            "thisUpdate": "2026-11-21T00:00:00Z", "nextUpdate": "2026-11-22T00:00:00Z",
            "revoked": 3, "serials": [], "outdated": false}]},
         "workloadState": {"c//Pod/shop/web": {"state": "Up",
            "connections": {"inbound": [], "outbound": [{"src": "10.0.0.1:4000",
              "originalDst": "10.96.0.1:80", "actualDst": "10.0.1.1:15008", "protocol": "HBONE",
              "bytesReceived": 2048, "bytesSent": 10}]},
            "info": {"name": "web", "namespace": "shop", "serviceAccount": "web"}}}}
        """

    @Test func `tells of nodes from what they dump`() throws {
        let node = try NodeDump(node: "address", bytes: Array(dump.utf8))
        #expect(node.node == "n1")
        let certificates = Listing.certificates([node], now: 1_795_269_600)
        #expect(certificates.table.rows.first?[4] == "10h")
        #expect(certificates.table.rows.first?[5] == "2h ago")
        #expect(certificates.table.rows.first?[6] == "1h")
        #expect(certificates.table.rows.first?[7] == "0123456789ABCDEF")
        #expect(certificates.note == "n1: list 0A of CN=root revokes 3, next one due in 10h")
        let lists = certificates.value.listValue?.first?["revocationLists"].listValue
        #expect(lists?.first?["revoked"] == 3 && lists?.first?["number"] == "0A")
        #expect(node.serial(namespace: "shop", pod: "web") == "0123456789ABCDEF")
        #expect(node.serial(namespace: "shop", pod: "other") == nil)
        #expect(certificates.table.rows.last?[2] == "Unavailable: the signer refused")
        #expect(certificates.value.listValue?.first?["secondsLeft"] == 36_000)
        let connections = Listing.connections([node])
        #expect(
            connections.table.rows == [
                [
                    "n1", "shop/web", "outbound", "10.0.0.1:4000", "10.96.0.1:80", "HBONE",
                    "2.0KiB", "10B", "-",
                ]
            ]
        )
        #expect(Listing.connections([node], namespace: "other").note == "No open connections.")
        let status = Listing.status([(node, "pods: shop/api")])
        #expect(
            status.table.rows == [["n1", "0.1.0", "NotReady", "1/1", "1/2", "1", "2", "1", "0"]]
        )
        #expect(status.note == "n1 waits for: pods: shop/api")
        let json = try JSON.parse(Array(status.text(.json).utf8))
        #expect(json.arrayValue?.first?["ready"] == false)
        #expect(try Value(yaml: status.text(.yaml)) == status.value)
    }

    @Test(arguments: ["", "nonsense", "[]", "{}", "{\"workloads\": 1}", "{\"certificates\": [1]}"])
    func `survives a node that answers nonsense`(text: String) {
        guard let node = try? NodeDump(node: "n", bytes: Array(text.utf8)) else { return }
        #expect(Listing.certificates([node], now: 0).value.listValue?.count ?? 0 <= 1)
        #expect(Listing.status([(node, "")]).table.rows.count == 1)
    }

    @Test(
        arguments: [
            (0, "0s"), (59, "59s"), (60, "1m"), (3_661, "1h1m"), (90_000, "1d1h"), (-1, "expired"),
        ] as [(Int64, String)]
    )
    func `tells a time in two units`(seconds: Int64, text: String) {
        #expect(Listing.duration(seconds: seconds) == text)
    }

    @Test(
        arguments: [
            ("http://127.0.0.1:15000", 15_000), ("http://localhost:81/", 81),
            ("http://127.0.0.1", 15_000),
            ("http://10.0.0.1:15000", nil), ("http://127.0.0.1.evil:80", nil),
            ("127.0.0.1:80", nil),
            ("https://127.0.0.1:80", nil), ("http://127.0.0.1:0", nil),
            ("http://127.0.0.1:80/x", nil),
            ("http://localhost@evil:80", nil),
        ] as [(String, UInt16?)]
    )
    func `asks admin servers of this machine alone`(text: String, port: UInt16?) {
        #expect(AdminAddress(text)?.port == port)
    }

    @Test(.timeLimit(.minutes(1)))
    func `is told at once that no admin server listens`() async throws {
        let start = ContinuousClock.now
        // Port 1 (tcpmux) is nobody's.
        await #expect {
            _ = try await AdminAddress(port: 1).request("GET", "/config_dump")
        } throws: { error in
            let failure = error as? ReachError
            return failure?.kind == .unavailable
                && failure?.reason.contains("http://127.0.0.1:1/config_dump") == true
        }
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test(
        arguments: [(200, nil), (400, .usage), (404, .data), (503, .failed)]
            as [(Int, ReachError.Kind?)]
    )
    func `says whose fault an answer is that is no success`(status: Int, kind: ReachError.Kind?) {
        let body = Array("pods: a\npods: \u{1B}b".utf8)
        var failure: ReachError?
        do throws(ReachError) {
            try ReachError.check(status: status, of: "/x", body: body)
        } catch {
            failure = error
        }
        #expect(failure?.kind == kind)
        guard let failure else { return }
        #expect(failure.reason == "/x answered \(status): pods: a\npods: ?b")
    }

    @Test func `finds the port that kubectl forwards`() {
        #expect(PortForward.port(in: "Forwarding from 127.0.0.1:41234 -> 15000\n") == 41_234)
        #expect(PortForward.port(in: "error: pods not found") == nil)
    }
}
