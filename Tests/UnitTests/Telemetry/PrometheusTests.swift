import Foundation
import Mesh
import Telemetry
import Testing

/// Reads what we write with Prometheus' own program and its Python client, which Debian packages.
@Suite(.timeLimit(.minutes(1))) struct `Prometheus` {
    private func metrics() -> Metrics {
        let metrics = Metrics()
        var labels = MetricsFixture.labels(MetricsFixture.client)
        labels.authenticated(
            source: MetricsFixture.client.identity,
            destination: MetricsFixture.web.identity
        )
        let series = metrics.series(for: labels)
        series.opened()
        series.received(123)
        series.failed(.tlsFailure)
        var odd = MetricsFixture.pod(1)
        odd.canonicalName = "quote\" backslash\\ newline\n brace} é"
        metrics.series(for: MetricsFixture.labels(odd)).opened()
        metrics.node.dnsUpstreamDuration("AAAA", "tcp", "web", "").record(nanoseconds: 12_345_678)
        metrics.node.openTunnels("client").add(3)
        metrics.observe("ambit_build", help: "The build.", kind: .info, labels: ["version"]) {
            [Observation(1, labels: ["1.0"])]
        }
        metrics.observeProcess()
        return metrics
    }

    @Test func `finds no fault with the metrics`() throws {
        let (status, text) = try run(
            "/usr/bin/promtool",
            ["check", "metrics"],
            metrics().render(openMetrics: false)
        )
        // Names that are not ours to choose: they are those of existing dashboards.
        let complaints = text.split(separator: "\n").filter { line in
            !line.hasPrefix("workload_manager_active_proxy_count")
                && !line.hasPrefix("workload_manager_pending_proxy_count")
        }
        #expect(complaints == [])
        #expect(status == 0 || status == 3, "promtool ended with \(status)")
    }

    @Test(arguments: [true, false])
    func `reads every sample in its Python client`(openMetrics: Bool) throws {
        let script = """
            import sys
            from prometheus_client.\(openMetrics ? "openmetrics." : "")parser import \
                text_string_to_metric_families as parse
            for family in parse(sys.stdin.read()):
                for sample in family.samples:
                    app = repr(sample.labels.get("source_app", ""))
                    print(family.type, sample.name, app, float(sample.value))
            """
        let bytes = metrics().render(openMetrics: openMetrics)
        let (status, text) = try run("/usr/bin/python3", ["-c", script], bytes)
        #expect(status == 0, "\(text)")
        let lines = Set(text.split(separator: "\n").map(String.init))
        let odd = #"'quote" backslash\\ newline\n brace} é'"#
        for line in [
            "counter istio_tcp_received_bytes_total 'client' 123.0",
            "counter istio_tcp_connections_failed_total 'client' 1.0",
            "counter istio_tcp_connections_opened_total \(odd) 1.0",
            "gauge ambit_tunnels_open '' 3.0",
            "histogram istio_dns_upstream_request_duration_seconds_count '' 1.0",
            "\(openMetrics ? "info" : "gauge") ambit_build_info '' 1.0",
        ] {
            #expect(lines.contains(line), "\(line) not in\n\(text)")
        }
    }

    private func run(
        _ program: String,
        _ arguments: [String],
        _ input: [UInt8]
    ) throws -> (status: Int32, text: String) {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "ambit-metrics-\(UUID().uuidString)")
        try Data(input).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }
}
