internal import CLinux
package import Mesh
internal import Synchronization

/// All metrics of a node, counted by any thread, written out by the admin thread.
///
/// Names and labels are those existing dashboards know (PROTOCOL.md §5.1); what has no such name
/// begins with `ambit_`.
package final class Metrics: Sendable {
    private let table: SeriesTable
    private let seconds: @Sendable () -> UInt64
    private let sources = Mutex<[any MetricSource]>([])

    /// The metrics every node has, beside those of its connections.
    package let node = NodeMetrics()

    /// Makes the metrics of a process.
    ///
    /// `seriesMax` bounds the combinations of labels of the TCP metrics; `graceSeconds` is how long
    /// the series of a departed workload are still shown; `seconds` is a monotonic clock.
    package init(
        seriesMax: Int = 10_000,
        graceSeconds: UInt64 = 300,
        seconds: @escaping @Sendable () -> UInt64 = { ambit_monotonic() / 1_000_000_000 }
    ) {
        self.table = SeriesTable(seriesMax: seriesMax, graceSeconds: graceSeconds)
        self.seconds = seconds
        let table = self.table
        let sources = [table] + node.sources
        self.sources.withLock { $0 = sources }
        observe("ambit_tcp_series", help: "TCP series kept.", kind: .gauge) {
            [Observation(Int64(clamping: table.count))]
        }
        observe(
            "ambit_tcp_series_overflowed",
            help: "Connections counted in a shared series because the bound was reached.",
            kind: .counter
        ) { [Observation(Int64(clamping: table.overflowed))] }
    }

    /// The counters of the connections with these labels; keep them for the connection's life.
    ///
    /// Takes a lock for one dictionary read. Beyond the bound a shared series is given.
    package func series(for labels: ConnectionLabels) -> TCPSeries {
        table.series(for: labels, seconds: seconds())
    }

    /// Drops what belongs to workloads that have left the mesh; call it now and then.
    package func expire(live snapshot: Snapshot) {
        table.expire(live: snapshot, seconds: seconds())
    }

    /// Adds a metric that is read when it is written out; `read` runs on the admin thread.
    ///
    /// The name is given without the suffix of its kind; `read` gives as many label values as
    /// there are names.
    package func observe(
        _ name: String,
        help: String,
        kind: ObservedKind,
        labels: [String] = [],
        read: @escaping @Sendable () -> [Observation]
    ) {
        let description = MetricDescription(
            name: name,
            help: help,
            kind: kind.described,
            labelNames: labels
        )
        sources.withLock { sources in
            precondition(
                !sources.contains { $0.names.contains(name) },
                "two metrics are called \(name)"
            )
            sources.append(ObservedMetric(description: description, read: read))
        }
    }

    /// Writes all metrics, as OpenMetrics or in the older Prometheus text format.
    package func render(openMetrics: Bool) -> [UInt8] {
        let sources = sources.withLock { $0 }
        var exposition = Exposition(openMetrics: openMetrics)
        for source in sources { source.write(to: &exposition) }
        return exposition.finished()
    }

    /// The HTTP content type of what `render` writes.
    package static func contentType(openMetrics: Bool) -> String {
        openMetrics
            ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
            : "text/plain; version=0.0.4; charset=utf-8"
    }

    /// Whether an HTTP `Accept` header asks for OpenMetrics.
    package static func wantsOpenMetrics(accept: String?) -> Bool {
        guard let accept else { return false }
        return accept.split(separator: ",").contains { range in
            let parts = range.split(separator: ";").map { part in
                String(part.filter { $0 != " " && $0 != "\t" }).lowercased()
            }
            guard parts.first == "application/openmetrics-text" else { return false }
            let isRefused = parts.dropFirst().contains { part in
                part.hasPrefix("q=0") && !part.dropFirst(3).contains { ("1"..."9").contains($0) }
            }
            return !isRefused
        }
    }
}
