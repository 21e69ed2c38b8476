/// The whole mesh as one node sees it, immutable, shared by all workers.
///
/// Built off the data path from the last accepted state; lookups are dictionary reads and never
/// grow with what a connection does not touch. Records that did not change are taken over from the
/// previous snapshot, so that `===` finds what did.
package final class Snapshot: Sendable {
    private struct PodName: Hashable {
        let namespace: String
        let name: String
    }

    /// Counts up with each accepted state.
    package let version: UInt64
    package let workloads: [WorkloadRecord]
    package let services: [ServiceRecord]
    package let policies: [PolicyRecord]

    private let policySets: [PolicyIndex.SetKey: PolicySet]
    private let workloadsByUID: [String: WorkloadRecord]
    private let workloadsByName: [PodName: WorkloadRecord]
    private let workloadsByAddress: [NetworkAddress: WorkloadRecord]
    private let servicesByKey: [String: ServiceRecord]
    private let servicesByHostname: [String: [ServiceRecord]]
    private let virtualAddresses: VirtualAddressIndex

    /// Builds the indexes over a state that was checked before.
    ///
    /// Where two entries share a key the later one wins; `MeshState` refuses such states.
    package init(
        version: UInt64,
        workloads: [Workload],
        services: [Service],
        policies: [Policy],
        previous: Snapshot? = nil
    ) {
        self.version = version
        var policyIndex = PolicyIndex(
            policies,
            previous: previous?.policies ?? [],
            previousSets: previous?.policySets ?? [:]
        )
        let workloadRecords = workloads.map { workload in
            let former = previous?.workloadsByUID[workload.uid]
            let set = policyIndex.set(for: workload)
            if let former, former.policies === set, former.workload == workload { return former }
            return WorkloadRecord(workload, policies: set)
        }
        let serviceRecords = Self.makeServices(services, workloadRecords, previous: previous)
        self.policies = policyIndex.records
        self.policySets = policyIndex.sets
        self.workloads = workloadRecords
        self.services = serviceRecords
        workloadsByUID = Dictionary(workloadRecords.map { ($0.workload.uid, $0) }) { $1 }
        workloadsByName = Dictionary(
            workloadRecords.map {
                (PodName(namespace: $0.workload.namespace, name: $0.workload.name), $0)
            },
            uniquingKeysWith: Self.preferred
        )
        workloadsByAddress = Dictionary(
            workloadRecords.lazy.filter { $0.workload.networkMode == .standard }.flatMap { record in
                record.workload.addresses.map { address in
                    (NetworkAddress(network: record.workload.network, address: address), record)
                }
            },
            uniquingKeysWith: Self.preferred
        )
        servicesByKey = Dictionary(serviceRecords.map { ($0.key, $0) }) { $1 }
        servicesByHostname = Dictionary(
            grouping: serviceRecords,
            by: { $0.service.hostname.lowercased() }
        )
        virtualAddresses = VirtualAddressIndex(serviceRecords)
    }

    /// A mesh without anything in it.
    package static let empty = Snapshot(version: 0, workloads: [], services: [], policies: [])

    /// The workload with this uid.
    package func workload(uid: String) -> WorkloadRecord? { workloadsByUID[uid] }

    /// The workload that answers to an address; never one on its node's network.
    package func workload(address: IPAddress, network: String) -> WorkloadRecord? {
        workloadsByAddress[NetworkAddress(network: network, address: address)]
    }

    /// The workload of this namespace and name, a pod if there is one.
    package func workload(namespace: String, name: String) -> WorkloadRecord? {
        workloadsByName[PodName(namespace: namespace, name: name)]
    }

    /// The service with this key, `ns/hostname`.
    package func service(key: String) -> ServiceRecord? { servicesByKey[key] }

    /// The service behind a virtual address, as a client of `clientNamespace` sees it.
    ///
    /// An exact address goes before a block. Ties (PROTOCOL.md §4.3): the client's namespace, then
    /// (for blocks) the longest prefix, then the canonical one, then the first.
    package func service(
        address: IPAddress,
        network: String,
        clientNamespace: String
    ) -> ServiceRecord? {
        virtualAddresses.service(
            NetworkAddress(network: network, address: address),
            clientNamespace: clientNamespace
        )
    }

    /// The services of a hostname that a client of `clientNamespace` sees, the best one first.
    ///
    /// `hostname` is in lower case without a trailing dot. The order is: the client's namespace,
    /// the canonical ones, the others as the state has them.
    package func services(hostname: String, clientNamespace: String) -> [ServiceRecord] {
        guard let all = servicesByHostname[hostname] else { return [] }
        let visible = all.filter { $0.isVisible(to: clientNamespace) }
        guard visible.count > 1 else { return visible }
        return visible.enumerated().sorted { left, right in
            let leftRank = left.element.preference(of: clientNamespace)
            let rightRank = right.element.preference(of: clientNamespace)
            return leftRank == rightRank ? left.offset < right.offset : leftRank > rightRank
        }.map(\.element)
    }

    /// The members of a service; empty when it is not known.
    package func endpoints(of serviceKey: String) -> [Endpoint] {
        servicesByKey[serviceKey]?.endpoints ?? []
    }

    private static func preferred(_ one: WorkloadRecord, _ two: WorkloadRecord) -> WorkloadRecord {
        two.isPreferred(to: one) ? two : one
    }

    private static func makeServices(
        _ services: [Service],
        _ workloads: [WorkloadRecord],
        previous: Snapshot?
    ) -> [ServiceRecord] {
        var endpoints: [String: [Endpoint]] = [:]
        for record in workloads {
            for (key, ports) in record.workload.services {
                endpoints[key, default: []].append(Endpoint(workload: record, ports: ports))
            }
        }
        return services.map { service in
            let members = endpoints[service.key] ?? []
            if let former = previous?.servicesByKey[service.key],
                former.service == service,
                former.endpoints.elementsEqual(members, by: { $0.isSame(as: $1) })
            {
                return former
            }
            return ServiceRecord(service, endpoints: members)
        }
    }
}
