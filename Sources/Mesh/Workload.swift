/// One pod or external endpoint, with the fields of `istio.workload.Workload` (PROTOCOL.md §2.2).
///
/// The pods of a Deployment differ in name and address and have the rest in common, which is held
/// in two objects that many workloads can share: a copy is cheap, and a mesh is small.
package struct Workload: Sendable, Equatable {
    /// How to reach the workload: in the clear or by HBONE.
    package enum TunnelProtocol: Sendable, Hashable { case none, hbone }
    /// What made the workload.
    package enum Kind: Sendable, Hashable { case deployment, cronJob, pod, job }
    /// Whether it may be chosen by a service.
    package enum Status: Sendable, Hashable { case healthy, unhealthy }
    /// Whether it shares its node's network.
    package enum NetworkMode: Sendable, Hashable { case standard, hostNetwork }

    /// Unique in the mesh: `cluster/group/Kind/ns/name[/section]`.
    package var uid: String
    package var name: String
    package var addresses: [IPAddress] = []
    package var status: Status = .healthy
    /// What it mostly has in common with others; shared with them.
    var shape: WorkloadShape
    /// Where it runs; shared with others there.
    var place: WorkloadPlace

    /// Makes a workload with every other field at its default.
    package init(uid: String, name: String, namespace: String) {
        self.uid = uid
        self.name = name
        shape = WorkloadShape(WorkloadShape.Fields(namespace: namespace))
        place = .unknown
    }

    /// The identity its certificate carries.
    package var identity: SPIFFEID {
        SPIFFEID(
            trustDomain: trustDomain,
            namespace: namespace,
            serviceAccount: serviceAccount
        )
    }

    /// Compares the values; of parts that are shared the objects first.
    package static func == (left: Workload, right: Workload) -> Bool {
        left.uid == right.uid && left.status == right.status && left.shape == right.shape
            && left.place == right.place && left.addresses == right.addresses
            && left.name == right.name
    }
}

/// Where a workload runs, each part empty when unknown.
package struct Locality: Sendable, Hashable {
    package var region = ""
    package var zone = ""
    package var subzone = ""
    package init() {}
}

/// A service's port and the port behind it at one endpoint; 0 means named, look at the endpoint.
package struct ServicePort: Sendable, Hashable {
    package var servicePort: UInt16
    package var targetPort: UInt16
    package init(servicePort: UInt16, targetPort: UInt16) {
        self.servicePort = servicePort
        self.targetPort = targetPort
    }
}

/// A waypoint or network gateway by name or by address.
package struct GatewayAddress: Sendable, Hashable {
    /// How the gateway is named.
    package enum Destination: Sendable, Hashable {
        case hostname(namespace: String, hostname: String)
        case address(network: String, IPAddress)
    }
    package var destination: Destination
    package var hboneMTLSPort: UInt16
    package init(destination: Destination, hboneMTLSPort: UInt16) {
        self.destination = destination
        self.hboneMTLSPort = hboneMTLSPort
    }
}
