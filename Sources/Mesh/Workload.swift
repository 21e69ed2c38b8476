/// One pod or external endpoint, with the fields of `istio.workload.Workload` (PROTOCOL.md §2.2).
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
    package var namespace: String
    package var addresses: [IPAddress] = []
    package var hostname: String = ""
    package var network: String = ""
    package var tunnelProtocol: TunnelProtocol = .none
    package var trustDomain: String = "cluster.local"
    package var serviceAccount: String = "default"
    package var node: String = ""
    package var canonicalName: String = ""
    package var canonicalRevision: String = ""
    package var kind: Kind = .pod
    /// The name of the Deployment, CronJob, Job or pod behind it.
    package var workloadName: String = ""
    package var nativeTunnel: Bool = false
    package var clusterID: String = "Kubernetes"
    package var status: Status = .healthy
    package var locality = Locality()
    package var networkMode: NetworkMode = .standard
    /// Relative weight in its services; 1 unless given, 0 never chosen.
    package var capacity: UInt32 = 1
    package var waypoint: GatewayAddress?
    package var networkGateway: GatewayAddress?
    /// Port maps of the services it belongs to, by service key `ns/hostname`.
    package var services: [String: [ServicePort]] = [:]
    /// Keys `ns/name` of the selector-scoped policies that apply to it.
    package var authorizationPolicies: [String] = []

    package init(uid: String, name: String, namespace: String) {
        self.uid = uid
        self.name = name
        self.namespace = namespace
    }

    /// The identity its certificate carries.
    package var identity: SPIFFEID {
        SPIFFEID(
            trustDomain: trustDomain,
            namespace: namespace,
            serviceAccount: serviceAccount
        )
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
