internal import Mesh
internal import Synchronization

/// The TCP series by their labels, bounded in number; series of departed workloads expire.
///
/// A look-up takes a lock for one dictionary read, once per connection. Expiry and rendering run
/// on the control side.
final class SeriesTable: Sendable {
    /// One series with what its expiry needs.
    private struct Entry {
        let series: TCPSeries
        /// When a connection last asked for it, in seconds of a monotonic clock.
        var lastUsed: UInt64
        /// When a name in its labels was first missed in the mesh.
        var departed: UInt64?
    }

    private struct State {
        var entries: [ConnectionLabels: Entry] = [:]
        var overflowed: UInt64 = 0

        mutating func find(_ labels: ConnectionLabels, seconds: UInt64) -> TCPSeries? {
            guard let index = entries.index(forKey: labels) else { return nil }
            entries.values[index].lastUsed = seconds
            return entries.values[index].series
        }

        mutating func make(_ labels: ConnectionLabels, seconds: UInt64) -> TCPSeries {
            let series = TCPSeries()
            entries[labels] = Entry(series: series, lastUsed: seconds, departed: nil)
            return series
        }
    }

    /// How many series are kept, not counting one of each reporter that takes what is over.
    let seriesMax: Int
    /// How long the series of departed workloads are still shown, so that a last scrape sees them.
    let graceSeconds: UInt64
    private let state = Mutex(State())

    init(seriesMax: Int, graceSeconds: UInt64) {
        self.seriesMax = seriesMax
        self.graceSeconds = graceSeconds
    }

    /// Finds or makes the series; over the bound, connections share one of unknown ends.
    func series(for labels: ConnectionLabels, seconds: UInt64) -> TCPSeries {
        state.withLock { state in
            if let series = state.find(labels, seconds: seconds) { return series }
            guard state.entries.count >= seriesMax else {
                return state.make(labels, seconds: seconds)
            }
            state.overflowed &+= 1
            let shared = ConnectionLabels(
                reporter: labels.reporter,
                source: .unknown,
                destination: .unknown
            )
            return state.find(shared, seconds: seconds) ?? state.make(shared, seconds: seconds)
        }
    }

    /// How many series there are.
    var count: Int { state.withLock { $0.entries.count } }

    /// How many connections found no room for a series of their own.
    var overflowed: UInt64 { state.withLock { $0.overflowed } }

    /// All series, in no order.
    func all() -> [(ConnectionLabels, TCPSeries)] {
        state.withLock { state in state.entries.map { ($0.key, $0.value.series) } }
    }

    /// Drops the series whose workloads or service have left the mesh, after the grace.
    ///
    /// A series with a live connection stays, and so does one a connection just asked for. Costs
    /// what the series do and the namespaces they are of, whatever else is in the mesh.
    func expire(live snapshot: Snapshot, seconds: UInt64) {
        var live = LiveLabels(snapshot)
        state.withLock { state in
            var expired: [ConnectionLabels] = []
            for index in state.entries.indices {
                let labels = state.entries.keys[index]
                let isLive =
                    live.has(labels.source) && live.has(labels.destination)
                    && labels.destinationService.map { live.has($0) } ?? true
                if isLive {
                    state.entries.values[index].departed = nil
                } else if isExpired(&state.entries.values[index], seconds: seconds) {
                    expired.append(labels)
                }
            }
            for labels in expired { state.entries[labels] = nil }
        }
    }

    private func isExpired(_ entry: inout Entry, seconds: UInt64) -> Bool {
        let departed = entry.departed ?? seconds
        entry.departed = departed
        let counts = entry.series.counts
        guard counts.opened <= counts.closed else { return false }
        let since = max(departed, entry.lastUsed)
        return seconds >= since && seconds - since >= graceSeconds
    }
}

/// Which labels stand for something in a snapshot; reads a namespace when it is first asked of.
private struct LiveLabels {
    private let snapshot: Snapshot
    private var workloads: [String: Set<WorkloadLabels>] = [:]

    init(_ snapshot: Snapshot) {
        self.snapshot = snapshot
    }

    mutating func has(_ labels: WorkloadLabels) -> Bool {
        if labels == .unknown { return true }
        if let known = workloads[labels.namespace] { return known.contains(labels) }
        let records = snapshot.workloads(namespace: labels.namespace)
        let all = Set(records.lazy.map { WorkloadLabels($0.workload) })
        workloads[labels.namespace] = all
        return all.contains(labels)
    }

    func has(_ labels: ServiceLabels) -> Bool {
        let key = labels.namespace + "/" + labels.hostname
        return snapshot.service(key: key).map { ServiceLabels($0.service) == labels } ?? false
    }
}
