internal import Mesh

/// Where a workload runs, and the namespaces whose policies apply to it there.
struct WorkloadPlace: Hashable, Sendable {
    let node: String
    let namespace: String
    /// Beside its own; mostly none, which takes no memory.
    let others: Set<String>

    init?(_ workload: Workload) {
        guard !workload.node.isEmpty else { return nil }
        self.node = workload.node
        // A selector policy may be named by its key from another namespace.
        let named = workload.authorizationPolicies.compactMap { key in
            key.utf8.firstIndex(of: UInt8(ascii: "/")).map { String(key[..<$0]) }
        }
        self.namespace = workload.namespace
        self.others = Set(named.filter { $0 != workload.namespace })
    }
}

extension WorkloadPlace {
    fileprivate var namespaces: [String] { [namespace] + others }
}

/// Which namespaces have workloads on which node.
struct NodePresence: Sendable {
    private var places: [String: WorkloadPlace] = [:]
    private var counts: [String: [String: Int]] = [:]

    /// Whether a node needs the policies of a namespace.
    func contains(node: String, namespace: String) -> Bool {
        counts[node]?[namespace] != nil
    }

    /// Notes where a workload is now; gives the pairs that began or ceased to be.
    mutating func move(
        _ uid: String,
        to place: WorkloadPlace?
    ) -> [(node: String, namespace: String)] {
        let old = places[uid]
        guard old != place else { return [] }
        places[uid] = place
        var before: [(String, String)] = []
        var changed: [(node: String, namespace: String)] = []
        if let place {
            for namespace in place.namespaces {
                let count = (counts[place.node]?[namespace] ?? 0) + 1
                counts[place.node, default: [:]][namespace] = count
                if count == 1 { changed.append((place.node, namespace)) }
            }
        }
        if let old {
            for namespace in old.namespaces {
                let count = (counts[old.node]?[namespace] ?? 1) - 1
                counts[old.node]?[namespace] = count > 0 ? count : nil
                if count <= 0 { before.append((old.node, namespace)) }
            }
            if counts[old.node]?.isEmpty == true { counts[old.node] = nil }
        }
        return changed + before
    }
}
