import Mesh
import Telemetry
import Testing

@Suite struct `The text of metrics` {
    @Test func `cannot be forged by a label's value`() throws {
        let metrics = Metrics()
        let evil = "a\"} 1\nforged_total{x=\"\\n\r\0é"
        var workload = MetricsFixture.client
        workload.canonicalName = evil
        metrics.series(for: MetricsFixture.labels(workload)).opened()
        for openMetrics in [false, true] {
            let samples = try Samples(metrics.render(openMetrics: openMetrics))
            let opened = samples.all("istio_tcp_connections_opened_total")
            let written = evil.replacing("\r", with: "\n").replacing("\0", with: "?")
            #expect(opened.first?.labels["source_app"] == written)
            #expect(samples.all("forged_total").isEmpty)
        }
    }

    @Test func `names counters as each format does`() throws {
        let metrics = Metrics()
        metrics.observe("ambit_build", help: "The build.", kind: .info, labels: ["version"]) {
            [Observation(1, labels: ["1.2.3"])]
        }
        let classic = try Samples(metrics.render(openMetrics: false))
        #expect(classic.kinds["istio_tcp_sent_bytes_total"] == "counter")
        #expect(classic.kinds["ambit_build_info"] == "gauge")
        #expect(!classic.endsWithMarker)
        let open = try Samples(metrics.render(openMetrics: true))
        #expect(open.kinds["istio_tcp_sent_bytes"] == "counter")
        #expect(open.kinds["ambit_build"] == "info")
        #expect(open.endsWithMarker)
        #expect(open.all("ambit_build_info").map(\.labels) == [["version": "1.2.3"]])
    }

    @Test func `sums a histogram's buckets and tells seconds exactly`() throws {
        let metrics = Metrics()
        let durations = metrics.node.dnsUpstreamDuration("A", "udp", "web", "v1")
        for nanoseconds in [400_000, 500_000, 500_001, 2_000_000_000, 9_000_000_000] as [UInt64] {
            durations.record(nanoseconds: nanoseconds)
        }
        let samples = try Samples(metrics.render(openMetrics: true))
        let name = "istio_dns_upstream_request_duration_seconds"
        #expect(samples.kinds[name] == "histogram")
        let buckets = samples.all(name + "_bucket")
        #expect(
            buckets.map { $0.labels["le"] } == [
                "0.0005", "0.001", "0.01", "0.1", "1.0", "5.0", "+Inf",
            ]
        )
        #expect(buckets.map(\.value) == ["2", "3", "3", "3", "3", "4", "5"])
        #expect(samples.all(name + "_sum").map(\.value) == ["11.001400001"])
        #expect(samples.all(name + "_count").map(\.value) == ["5"])
    }

    @Test func `bounds what a family keeps`() throws {
        let metrics = Metrics()
        for index in 0..<1500 { metrics.node.dryRunDenials("ns/policy-\(index)").increment() }
        let samples = try Samples(metrics.render(openMetrics: false))
        let denials = samples.all("ambit_policy_dry_run_denials_total")
        #expect(denials.count == 1001)
        #expect(denials.first { $0.labels["policy"] == "other" }?.value == "500")
    }

    @Test func `forgets what a family does not keep`() throws {
        let metrics = Metrics()
        metrics.node.certificateEnds("spiffe://td/ns/a/sa/a").set(5)
        metrics.node.certificateEnds("spiffe://td/ns/b/sa/b").set(6)
        metrics.node.certificateEnds.keep { $0 == ["spiffe://td/ns/b/sa/b"] }
        let samples = try Samples(metrics.render(openMetrics: false))
        let ends = samples.all("ambit_certificate_not_after_timestamp_seconds")
        #expect(ends.map(\.value) == ["6"])
    }

    @Test func `tells of the process`() throws {
        let metrics = Metrics()
        metrics.observeProcess()
        let samples = try Samples(metrics.render(openMetrics: true))
        for name in [
            "process_open_fds", "process_max_fds", "process_resident_memory_bytes",
            "process_cpu_seconds_total", "process_start_time_seconds",
        ] {
            let value = try #require(samples.all(name).first.flatMap { Double($0.value) })
            #expect(value > 0, "\(name)")
        }
    }

    @Test(
        arguments: [
            (nil, false), ("", false), ("text/plain", false), ("*/*", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text; version=1.0.0,text/plain;q=0.5,*/*;q=0.1", true),
            ("text/plain;q=0.9, APPLICATION/OpenMetrics-Text ;q=0.2", true),
            ("application/openmetrics-text;q=0,text/plain", false),
            ("application/openmetrics-text;q=0.0", false),
            ("application/openmetrics-text-x", false),
        ] as [(String?, Bool)]
    )
    func `is OpenMetrics when it is asked for`(accept: String?, expected: Bool) {
        #expect(Metrics.wantsOpenMetrics(accept: accept) == expected)
    }
}
