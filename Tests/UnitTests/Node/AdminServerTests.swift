import Glibc
import JSON
import Mesh
import Node
import Reactor
import Telemetry
import Testing

@Suite struct `The admin server` {
    @Test(arguments: [
        (AdminSurface.admin, "/", 200), (.admin, "/metrics", 200), (.admin, "/stats/x", 404),
        (.metrics, "/metrics", 200), (.metrics, "/stats/prometheus", 200),
        (.metrics, "/config_dump", 404), (.metrics, "/quitquitquit", 404), (.metrics, "/", 404),
        (.readiness, "/healthz/ready", 200), (.readiness, "/metrics", 404),
    ])
    func `serves on each surface what belongs there`(
        surface: AdminSurface,
        path: String,
        expected: Int
    ) throws {
        let stage = try AdminStage()
        let answer = try stage.exchange(surface, "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(answer.status == expected)
    }

    @Test func `tells readiness and what it waits for`() throws {
        let stage = try AdminStage()
        let request = "GET /healthz/ready HTTP/1.1\r\nHost: 10.0.0.1:15021\r\n\r\n"
        stage.backend.pending = ["mesh state", "pod shop/web"]
        let pending = try stage.exchange(.readiness, request)
        #expect(pending.status == 500)
        #expect(pending.body.contains("mesh state, pod shop/web"))
        stage.backend.pending = []
        let ready = try stage.exchange(.readiness, request)
        #expect(ready.status == 200)
        #expect(ready.body == "ready\n")
    }

    @Test func `negotiates OpenMetrics`() throws {
        let stage = try AdminStage()
        let plain = try stage.exchange(.metrics, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(plain.head.contains("content-type: text/plain; version=0.0.4"))
        #expect(plain.body.contains("# TYPE workload_manager_active_proxy_count gauge"))
        let open = try stage.exchange(
            .metrics,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n"
        )
        #expect(open.head.contains("content-type: application/openmetrics-text"))
        #expect(open.body.hasSuffix("# EOF\n"))
    }

    @Test(arguments: [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil", "localhost:", "10.0.0.1",
        "localhost:15000x", "[::2]", "",
    ])
    func `refuses foreign hosts on the admin surface`(host: String) throws {
        let stage = try AdminStage()
        let answer = try stage.exchange(.admin, "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(answer.status == 403)
    }

    @Test func `refuses to drain for a web page`() throws {
        let stage = try AdminStage()
        let answer = try stage.exchange(
            .admin,
            "POST /quitquitquit HTTP/1.1\r\nHost: 127.0.0.1:15000\r\nOrigin: http://evil\r\n\r\n"
        )
        #expect(answer.status == 403)
        #expect(!stage.backend.isDraining)
    }

    @Test func `drains on POST alone`() throws {
        let stage = try AdminStage()
        let get = try stage.exchange(.admin, "GET /quitquitquit HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        #expect(get.status == 405)
        #expect(get.head.contains("allow: POST"))
        #expect(!stage.backend.isDraining)
        let post = try stage.exchange(
            .admin,
            "POST /quitquitquit HTTP/1.1\r\nHost: LOCALHOST:1\r\n\r\n"
        )
        #expect(post.status == 200)
        #expect(stage.backend.isDraining)
    }

    @Test func `changes log levels and resets them`() throws {
        let stage = try AdminStage()
        func ask(_ method: String, _ target: String) throws -> AdminAnswer {
            try stage.exchange(.admin, "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        }
        #expect(try ask("POST", "/logging?level=warn,dns=debug").status == 200)
        #expect(stage.backend.log.levels[.dns] == .debug)
        #expect(stage.backend.log.levels[.proxy] == .warn)
        #expect(try ask("GET", "/logging").body.contains("warn,dns=debug"))
        #expect(try ask("POST", "/logging?level=loud").status == 400)
        #expect(try ask("POST", "/logging").status == 400)
        #expect(stage.backend.log.levels[.dns] == .debug)
        #expect(try ask("POST", "/logging?reset").status == 200)
        #expect(stage.backend.log.levels == stage.backend.configuration.logLevels)
    }

    @Test func `answers HEAD without a body but with its length`() throws {
        let stage = try AdminStage()
        let whole = try stage.exchange(.admin, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let head = try stage.exchange(
            .admin,
            "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        #expect(head.status == 200)
        #expect(head.head.contains("content-length: \(whole.body.utf8.count)"))
        #expect(head.body.isEmpty)
    }

    @Test func `keeps a connection for requests in a row and ends it when asked`() throws {
        let stage = try AdminStage()
        let client = try stage.connect(.admin)
        let request = "GET /logging HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.send(request + request)
        let last = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        client.send(last)
        try stage.run { client.isFinished }
        #expect(client.text.components(of: "HTTP/1.1 200 OK") == 3)
        #expect(client.text.contains("\"version\": \"1.2.3\""))
    }

    @Test func `says why and ends the connection after a refusal`() throws {
        let stage = try AdminStage()
        let client = try stage.connect(.metrics)
        client.send("GET / HTTP/1.1\r\nBad\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        try stage.run { client.isFinished }
        #expect(client.text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(client.text.components(of: "HTTP/1.1") == 1)
    }

    @Test func `ends a request that trickles`() throws {
        var times = AdminTimes()
        times.requestMilliseconds = 50
        let stage = try AdminStage(times: times)
        let client = try stage.connect(.metrics)
        client.send("GET /metrics HTTP/1.1\r\n")
        var sent = ContinuousClock.now
        try stage.run {
            // Often enough that no pause is long, rarely enough that the head stays short.
            if ContinuousClock.now - sent > .milliseconds(5) {
                client.send("X: y\r\n")
                sent = ContinuousClock.now
            }
            return client.isFinished
        }
        #expect(client.text.hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `ends silent connections`() throws {
        var times = AdminTimes()
        times.requestMilliseconds = 50
        times.idleMilliseconds = 50
        let stage = try AdminStage(times: times)
        let silent = try stage.connect(.readiness)
        let idle = try stage.connect(.readiness)
        idle.send("GET /healthz/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        try stage.run { silent.isFinished && idle.isFinished }
        #expect(silent.text.isEmpty)
        #expect(idle.text.hasPrefix("HTTP/1.1 200 "))
        #expect(stage.server.connectionCount == 0)
    }

    @Test func `answers for a backend that does not`() throws {
        var times = AdminTimes()
        times.requestMilliseconds = 50
        let stage = try AdminStage(times: times)
        stage.backend.isSilent = true
        let answer = try stage.exchange(
            .admin,
            "GET /connections HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        #expect(answer.status == 504)
    }

    @Test func `serves newcomers while silent connections fill the surface`() throws {
        let stage = try AdminStage()
        var silent: [AdminClient] = []
        for _ in 0..<80 { silent.append(try stage.connect(.readiness)) }
        try stage.run { stage.server.connectionCount >= 32 }
        let answer = try stage.exchange(
            .readiness,
            "GET /healthz/ready HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        #expect(answer.status == 200)
        #expect(stage.server.connectionCount <= 33)
        #expect(silent.count == 80)
    }

    @Test func `lets another process listen beside it and takes leave`() throws {
        let old = try AdminStage()
        let port = try #require(old.server.address(of: .metrics)).port
        let new = try AdminStage(metricsPort: port)
        old.server.stopListening()
        #expect(old.server.address(of: .metrics) == nil)
        for _ in 0..<8 {
            let answer = try new.exchange(.metrics, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer.status == 200)
        }
    }

    @Test func `sends a dump larger than the socket takes at once`() throws {
        let stage = try AdminStage()
        var mesh = SampleMesh()
        for index in 0..<20_000 { try mesh.pod("pod-\(index)", at: "10.0.0.1") }
        stage.backend.snapshot = mesh.snapshot()
        let answer = try stage.exchange(
            .admin,
            "GET /config_dump HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        let dump = try JSON.parse(Array(answer.body.utf8), bytesMax: 64 << 20)
        #expect(dump["workloads"]?.arrayValue?.count == 20_000)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: part) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
