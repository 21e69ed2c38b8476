/// Lets workloads that say the same of their owner or place share one object for it.
///
/// Where workloads are decoded they come with objects of their own; a mesh of 100,000 pods that
/// kept them would be several times as large. Objects that nobody has any more are forgotten when
/// their number has doubled.
package struct WorkloadInterner: Sendable {
    private static let sweepMin = 1024

    private var shapes: [Int: [WorkloadShape]] = [:]
    private var places: [Int: [WorkloadPlace]] = [:]
    private var count = 0
    private var sweepAt = Self.sweepMin

    /// Knows nothing yet.
    package init() {}

    /// The workload with shared parts in the place of equal ones of its own.
    package mutating func interned(_ workload: Workload) -> Workload {
        var workload = workload
        if let known = Self.find(workload.shape, in: &shapes) {
            workload.shape = known
        } else {
            count += 1
        }
        if let known = Self.find(workload.place, in: &places) {
            workload.place = known
        } else {
            count += 1
        }
        if count > sweepAt { sweep() }
        return workload
    }

    /// The equal object that is known; one that is new is known from now on.
    private static func find<Part: AnyObject & Hashable>(
        _ part: Part,
        in known: inout [Int: [Part]]
    ) -> Part? {
        let hash = part.hashValue
        if let same = known[hash]?.first(where: { $0 == part }) { return same }
        known[hash, default: []].append(part)
        return nil
    }

    private mutating func sweep() {
        count = Self.sweep(&shapes) + Self.sweep(&places)
        sweepAt = max(Self.sweepMin, 2 * count)
    }

    /// Forgets what nobody else has; returns how much is left.
    private static func sweep<Part: AnyObject>(_ known: inout [Int: [Part]]) -> Int {
        var left = 0
        for hash in Array(known.keys) {
            // Taken out, so that the list here is the only one.
            var parts = known.removeValue(forKey: hash) ?? []
            for place in parts.indices.reversed() where isKnownUniquelyReferenced(&parts[place]) {
                parts.remove(at: place)
            }
            left += parts.count
            if !parts.isEmpty { known[hash] = parts }
        }
        return left
    }
}
