/// One workload of a snapshot with what is worth computing once.
///
/// Lookups hand out this object instead of copying the workload. The same object stands in
/// successive snapshots for as long as neither the workload nor a policy that applies to it
/// changes, so `===` tells cheaply whether anything needs another look.
package final class WorkloadRecord: Sendable {
    package let workload: Workload
    /// The policies that apply to connections to it.
    package let policies: PolicySet

    init(_ workload: Workload, policies: PolicySet) {
        self.workload = workload
        self.policies = policies
    }

    /// The identity its certificate carries.
    package var identity: SPIFFEID { workload.identity }

    /// Whether this one answers for an address that `other` has too (PROTOCOL.md §4.3).
    ///
    /// Pod with HBONE before pod before HBONE before others; then the healthy one, because an
    /// address is soon another pod's; then the smaller uid, so that all nodes agree.
    func isPreferred(to other: WorkloadRecord) -> Bool {
        if addressRank != other.addressRank { return addressRank > other.addressRank }
        let isHealthy = workload.status == .healthy
        if isHealthy != (other.workload.status == .healthy) { return isHealthy }
        return workload.uid < other.workload.uid
    }

    private var addressRank: Int {
        let isPod = workload.uid.utf8.split(separator: UInt8(ascii: "/")).contains {
            $0.elementsEqual("Pod".utf8)
        }
        return (isPod ? 2 : 0) + (workload.tunnelProtocol == .hbone ? 1 : 0)
    }
}

/// A workload as a member of one service.
package struct Endpoint: Sendable {
    package let workload: WorkloadRecord
    /// Where the service's ports lead at this workload.
    package let ports: [ServicePort]
}

/// One service of a snapshot with its endpoints.
///
/// The same object stands in successive snapshots while neither it nor an endpoint changes.
package final class ServiceRecord: Sendable {
    package let service: Service
    /// The service's key `ns/hostname`.
    package let key: String
    /// All members, healthy or not, in the order of their uids.
    package let endpoints: EndpointList
    /// The extra identities its endpoints may present; those that are no SPIFFE id are left out.
    package let subjectIdentities: [SPIFFEID]
    /// Every port it can be dialled on, as it or an endpoint says.
    package let servicePorts: Set<UInt16>

    /// Its hostname in lower case.
    let hostname: String
    /// Whether it is a service, not the holder of members that came before theirs.
    let isKnown: Bool

    /// Makes a record; `former` is the service's record before, whose parts are taken over.
    ///
    /// Without a service it only holds the members.
    init(_ service: Service?, key: String, endpoints: EndpointList, former: ServiceRecord?) {
        self.key = former?.key ?? key
        self.endpoints = endpoints
        isKnown = service != nil
        guard let service else {
            self.service = Service(name: "", namespace: "", hostname: "")
            subjectIdentities = []
            hostname = ""
            servicePorts = []
            return
        }
        if let former, former.isKnown, former.service == service {
            self.service = former.service
            hostname = former.hostname
            subjectIdentities = former.subjectIdentities
            if former.endpoints.portUses.keys == endpoints.portUses.keys {
                servicePorts = former.servicePorts
                return
            }
        } else {
            self.service = service
            hostname = service.hostname.lowercased()
            subjectIdentities = service.subjectAltNames.compactMap { SPIFFEID(uri: $0) }
        }
        servicePorts = Set(service.ports.map(\.servicePort)).union(endpoints.portUses.keys)
    }

    /// Whether a client of `namespace` may see it.
    package func isVisible(to namespace: String) -> Bool {
        switch service.visibility {
        case .everywhere: true
        case .namespace: service.namespace == namespace
        }
    }

    /// How strongly a client of `namespace` prefers it among services that share an address.
    func preference(of namespace: String) -> Int {
        (service.namespace == namespace ? 2 : 0) + (service.canonical ? 1 : 0)
    }
}

/// An address on a network: what a workload or service answers to.
package struct NetworkAddress: Hashable, Sendable {
    package let network: String
    package let address: IPAddress

    package init(network: String, address: IPAddress) {
        self.network = network
        self.address = address
    }
}
