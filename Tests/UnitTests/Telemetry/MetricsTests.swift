import Mesh
import Telemetry
import Testing

@Suite struct `Metrics of TCP connections` {
    @Test func `have the names and labels dashboards know`() throws {
        let metrics = Metrics()
        var labels = ConnectionLabels(
            reporter: .destination,
            source: WorkloadLabels(MetricsFixture.client),
            destination: WorkloadLabels(MetricsFixture.web),
            destinationService: ServiceLabels(MetricsFixture.service)
        )
        labels.authenticated(
            source: MetricsFixture.client.identity,
            destination: MetricsFixture.web.identity
        )
        let series = metrics.series(for: labels)
        series.opened()
        series.received(7)
        series.sent(1000)
        series.closed()
        series.failed(.deny)
        let samples = try Samples(metrics.render(openMetrics: false))
        let common = [
            "reporter": "destination",
            "source_workload": "client", "source_canonical_service": "client",
            "source_canonical_revision": "v1", "source_workload_namespace": "shop",
            "source_principal": "spiffe://cluster.local/ns/shop/sa/client",
            "source_app": "client", "source_version": "v1", "source_cluster": "Kubernetes",
            "source_region": "r1", "source_zone": "z1",
            "destination_service": "web.shop.svc.cluster.local",
            "destination_service_namespace": "shop", "destination_service_name": "web",
            "destination_workload": "web", "destination_canonical_service": "unknown",
            "destination_canonical_revision": "unknown",
            "destination_workload_namespace": "shop",
            "destination_principal": "spiffe://cluster.local/ns/shop/sa/web",
            "destination_app": "unknown", "destination_version": "unknown",
            "destination_cluster": "Kubernetes", "destination_region": "unknown",
            "destination_zone": "unknown", "request_protocol": "tcp",
            "connection_security_policy": "mutual_tls",
        ]
        for (name, value, flag) in [
            ("istio_tcp_connections_opened_total", "1", "-"),
            ("istio_tcp_connections_closed_total", "1", "-"),
            ("istio_tcp_received_bytes_total", "7", "-"),
            ("istio_tcp_sent_bytes_total", "1000", "-"),
            ("istio_tcp_connections_failed_total", "1", "DENY"),
        ] {
            let found = samples.all(name)
            #expect(found.count == 1, "\(name)")
            var expected = common
            expected["response_flags"] = flag
            #expect(found.first?.labels == expected, "\(name)")
            #expect(found.first?.value == value, "\(name)")
        }
    }

    @Test func `are one series for equal labels, whatever objects hold them`() {
        let metrics = Metrics()
        let one = metrics.series(for: MetricsFixture.labels(MetricsFixture.client))
        let same = metrics.series(for: MetricsFixture.labels(MetricsFixture.client))
        #expect(one === same)
        var revised = MetricsFixture.client
        revised.canonicalRevision = "v2"
        #expect(metrics.series(for: MetricsFixture.labels(revised)) !== one)
        var inTheClear = MetricsFixture.labels(MetricsFixture.client)
        inTheClear.authenticated(
            source: MetricsFixture.client.identity,
            destination: MetricsFixture.web.identity
        )
        #expect(metrics.series(for: inTheClear) !== one)
    }

    @Test func `lose no count to other threads`() async {
        let metrics = Metrics()
        await withTaskGroup { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<5000 {
                        let series = metrics.series(
                            for: MetricsFixture.labels(MetricsFixture.client)
                        )
                        series.opened()
                        series.sent(round % 3)
                        series.failed(worker % 2 == 0 ? .connect : .deny)
                    }
                }
            }
        }
        let counts = metrics.series(for: MetricsFixture.labels(MetricsFixture.client)).counts
        #expect(counts.opened == 20_000)
        #expect(counts.sent == 4 * 4999)
        #expect(counts.failed(.connect) == 10_000)
        #expect(counts.failed(.deny) == 10_000)
    }

    @Test func `share a series once there are too many, and say so`() throws {
        let metrics = Metrics(seriesMax: 3)
        for index in 0..<10 {
            metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(index))).opened()
        }
        let samples = try Samples(metrics.render(openMetrics: false))
        let opened = samples.all("istio_tcp_connections_opened_total")
        #expect(opened.count == 4)
        let shared = try #require(opened.first { $0.labels["source_workload"] == "unknown" })
        #expect(shared.value == "7")
        #expect(shared.labels["reporter"] == "source")
        #expect(samples.all("ambit_tcp_series").map(\.value) == ["4"])
        #expect(samples.all("ambit_tcp_series_overflowed_total").map(\.value) == ["7"])
        let first = metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(0)))
        #expect(first.counts.opened == 1)
    }

    @Test func `count connections between unknown ends together with what is over`() throws {
        let metrics = Metrics(seriesMax: 1)
        let unknown = ConnectionLabels(reporter: .source, source: .unknown, destination: .unknown)
        metrics.series(for: unknown).opened()
        metrics.series(for: MetricsFixture.labels(MetricsFixture.client)).opened()
        let samples = try Samples(metrics.render(openMetrics: false))
        #expect(samples.all("istio_tcp_connections_opened_total").map(\.value) == ["2"])
    }
}

@Suite struct `The series of a departed workload` {
    @Test func `expires after its grace`() {
        let times = ClockFixture()
        let metrics = Metrics(graceSeconds: 60, seconds: { times.now })
        let series = metrics.series(for: MetricsFixture.labels(MetricsFixture.client))
        series.opened()
        series.closed()
        metrics.expire(live: MetricsFixture.snapshot([MetricsFixture.web]))
        times.advance(59)
        metrics.expire(live: MetricsFixture.snapshot([MetricsFixture.web]))
        #expect(metrics.series(for: MetricsFixture.labels(MetricsFixture.client)) === series)
        times.advance(59)
        metrics.expire(live: MetricsFixture.snapshot([MetricsFixture.web]))
        #expect(MetricsFixture.seriesCount(metrics) == 1)
        times.advance(1)
        metrics.expire(live: MetricsFixture.snapshot([MetricsFixture.web]))
        #expect(MetricsFixture.seriesCount(metrics) == 0)
    }

    @Test func `stays while a connection of it lives`() {
        let times = ClockFixture()
        let metrics = Metrics(graceSeconds: 60, seconds: { times.now })
        let series = metrics.series(for: MetricsFixture.labels(MetricsFixture.client))
        series.opened()
        metrics.expire(live: .empty)
        times.advance(3600)
        metrics.expire(live: .empty)
        #expect(MetricsFixture.seriesCount(metrics) == 1)
        series.closed()
        metrics.expire(live: .empty)
        #expect(MetricsFixture.seriesCount(metrics) == 0)
    }

    @Test func `starts its grace anew when the workload comes back`() {
        let times = ClockFixture()
        let metrics = Metrics(graceSeconds: 60, seconds: { times.now })
        _ = metrics.series(for: MetricsFixture.labels(MetricsFixture.client))
        let both = MetricsFixture.snapshot([MetricsFixture.client, MetricsFixture.web])
        metrics.expire(live: .empty)
        times.advance(50)
        metrics.expire(live: both)
        times.advance(50)
        metrics.expire(live: .empty)
        times.advance(50)
        metrics.expire(live: .empty)
        #expect(MetricsFixture.seriesCount(metrics) == 1)
        times.advance(10)
        metrics.expire(live: .empty)
        #expect(MetricsFixture.seriesCount(metrics) == 0)
    }

    @Test func `goes with its service too`() {
        let times = ClockFixture()
        let metrics = Metrics(graceSeconds: 0, seconds: { times.now })
        var labels = MetricsFixture.labels(MetricsFixture.client)
        labels.destinationService = ServiceLabels(MetricsFixture.service)
        _ = metrics.series(for: labels)
        let workloads = [MetricsFixture.client, MetricsFixture.web]
        metrics.expire(live: MetricsFixture.snapshot(workloads, [MetricsFixture.service]))
        #expect(MetricsFixture.seriesCount(metrics) == 1)
        metrics.expire(live: MetricsFixture.snapshot(workloads))
        #expect(MetricsFixture.seriesCount(metrics) == 0)
    }

    @Test func `makes room for others`() {
        let times = ClockFixture()
        let metrics = Metrics(seriesMax: 1, graceSeconds: 0, seconds: { times.now })
        _ = metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(1)))
        metrics.expire(live: .empty)
        let second = metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(2)))
        let third = metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(3)))
        #expect(second !== third)
        #expect(metrics.series(for: MetricsFixture.labels(MetricsFixture.pod(2))) === second)
    }
}
