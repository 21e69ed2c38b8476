package import Mesh

/// What of a source decides which endpoints are in reach, and near.
struct SourceLocality: Hashable, Sendable {
    let network: String
    let locality: Locality
    let node: String
    let cluster: String
    /// The families it has addresses of; an endpoint without one of them is out of its reach.
    let families: Service.IPFamilies

    init(_ workload: Workload) {
        network = workload.network
        locality = workload.locality
        node = workload.node
        cluster = workload.clusterID
        families = Self.families(of: workload)
    }

    static func families(of workload: Workload) -> Service.IPFamilies {
        let hasV4 = workload.addresses.contains { $0.family == .v4 }
        let hasV6 = workload.addresses.contains { $0.family == .v6 }
        return hasV4 == hasV6 ? .dual : hasV4 ? .v4Only : .v6Only
    }

    // Records are passed, not workloads: a copy of one retains all it holds.
    func matches(_ record: WorkloadRecord, in scope: LoadBalancing.Scope) -> Bool {
        switch scope {
        case .region: record.workload.locality.region == locality.region
        case .zone: record.workload.locality.zone == locality.zone
        case .subzone: record.workload.locality.subzone == locality.subzone
        // Two workloads on nodes nobody named are not on the same one.
        case .node: !node.isEmpty && record.workload.node == node
        case .cluster: record.workload.clusterID == cluster
        case .network: record.workload.network == network
        }
    }

    /// How near a workload is; nil when the service wants nearer ones only (PROTOCOL.md §4.2).
    func rank(of workload: WorkloadRecord, _ balancing: LoadBalancing) -> Int? {
        let preferences = balancing.routingPreference
        switch balancing.mode {
        case .unspecified, .passthrough: return 0
        case .strict:
            return preferences.allSatisfy { matches(workload, in: $0) } ? 0 : nil
        case .failover:
            var rank = 0
            for (index, scope) in preferences.enumerated() {
                let isNear = matches(workload, in: scope)
                if index == 0, scope == .network {
                    // The network outweighs all the rest together, and does not end the walk.
                    rank += isNear ? preferences.count - 1 : 0
                } else if isNear {
                    rank += 1
                } else {
                    break
                }
            }
            return rank
        }
    }
}

/// The endpoints of one service that one source may use for one port, nearest ones only.
struct Offer: Sendable {
    struct Candidate: Sendable {
        let workload: WorkloadRecord
        let targetPort: UInt16
        /// The sum of the weights of all candidates before this one.
        let weightsBefore: UInt64
        let weight: UInt64
    }

    let service: ServiceRecord
    let candidates: [Candidate]
    /// Why there is no candidate, if there is none.
    let refusal: Refusal.Reason
    private let weights: UInt64

    init(
        of service: ServiceRecord,
        to locality: SourceLocality,
        port: UInt16,
        excluding excluded: Set<String>
    ) {
        self.service = service
        var best: [(workload: WorkloadRecord, port: UInt16)] = []
        var bestRank = -1
        var refusal = Refusal.Reason.noHealthyEndpoint
        let balancing = service.service.loadBalancing
        let families = service.service.ipFamilies
        for endpoint in service.endpoints.runs.joined() {
            let record = endpoint.workload
            guard record.isUsable(under: balancing.healthPolicy),
                excluded.isEmpty || !excluded.contains(record.workload.uid)
            else { continue }
            guard let target = service.targetPort(of: port, at: endpoint) else {
                if refusal == .noHealthyEndpoint { refusal = .noTargetPort }
                continue
            }
            guard record.workload.network == locality.network else {
                refusal = .networkNotReachable
                continue
            }
            guard record.hasAddress(of: families, locality.families),
                let rank = locality.rank(of: record, balancing),
                rank >= bestRank
            else { continue }
            if rank > bestRank {
                bestRank = rank
                best.removeAll(keepingCapacity: true)
            }
            best.append((record, target))
        }
        var weights: UInt64 = 0
        candidates = best.map { workload, port in
            let candidate = Candidate(
                workload: workload,
                targetPort: port,
                weightsBefore: weights,
                weight: UInt64(workload.workload.capacity)
            )
            weights += candidate.weight
            return candidate
        }
        self.weights = weights
        self.refusal = refusal
    }

    /// The less loaded of two candidates, drawn by weight; load counts relative to weight.
    func pick(
        load: (WorkloadRecord) -> Int,
        random: inout some RandomNumberGenerator
    ) -> Candidate? {
        guard weights > 0 else { return nil }
        let first = candidate(at: UInt64.random(in: 0..<weights, using: &random))
        guard weights > first.weight else { return first }
        // The second draw leaves the first candidate's share out.
        var share = UInt64.random(in: 0..<(weights - first.weight), using: &random)
        if share >= first.weightsBefore { share += first.weight }
        let second = candidate(at: share)
        return Self.pressure(load(second.workload), on: first)
            < Self.pressure(load(first.workload), on: second) ? second : first
    }

    /// A load weighed by the *other* candidate's weight, which compares load / weight exactly.
    private static func pressure(_ load: Int, on other: Candidate) -> UInt64 {
        UInt64(min(max(load, 0), Int(Int32.max))) * other.weight
    }

    /// The candidate whose share of the weights holds `share`: the last that starts at or before.
    private func candidate(at share: UInt64) -> Candidate {
        var low = 0
        var high = candidates.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if candidates[middle].weightsBefore <= share { low = middle } else { high = middle - 1 }
        }
        return candidates[low]
    }
}

extension ServiceRecord {
    /// Where a port leads at an endpoint: what the endpoint says, else what the service says.
    package func targetPort(of port: UInt16, at endpoint: Endpoint) -> UInt16? {
        if let own = endpoint.ports.first(where: { $0.servicePort == port }), own.targetPort != 0 {
            return own.targetPort
        }
        guard let shared = service.ports.first(where: { $0.servicePort == port }),
            shared.targetPort != 0
        else { return nil }
        return shared.targetPort
    }
}

extension WorkloadRecord {
    /// Whether it may be chosen at all: it has weight, and health where that counts.
    package func isUsable(under policy: LoadBalancing.HealthPolicy) -> Bool {
        guard workload.capacity > 0 else { return false }
        return switch policy {
        case .allowAll: true
        case .onlyHealthy: workload.status == .healthy
        }
    }

    fileprivate func hasAddress(of one: Service.IPFamilies, _ two: Service.IPFamilies) -> Bool {
        workload.addresses.contains { one.includes($0.family) && two.includes($0.family) }
    }

    /// The address to reach it by when `dialled` was asked for (PROTOCOL.md §4.1).
    ///
    /// The very address if it is one of its own, else one of the family that was dialled, else
    /// one of a family that the service serves and the source can dial.
    func address(
        for dialled: IPAddress,
        from source: Workload,
        families: Service.IPFamilies
    ) -> IPAddress? {
        if workload.addresses.contains(dialled) { return dialled }
        let allowed = workload.addresses.lazy.filter { families.includes($0.family) }
        if let same = allowed.first(where: { $0.family == dialled.family }) { return same }
        let reach = SourceLocality.families(of: source)
        return allowed.first { reach.includes($0.family) }
    }
}

extension Service.IPFamilies {
    fileprivate func includes(_ family: IPAddress.Family) -> Bool {
        switch self {
        case .automatic, .dual: true
        case .v4Only: family == .v4
        case .v6Only: family == .v6
        }
    }
}
