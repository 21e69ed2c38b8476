/// One service, with the fields of `istio.workload.Service` (PROTOCOL.md §2.2).
package struct Service: Sendable, Equatable {
    /// The families a service serves.
    package enum IPFamilies: Sendable, Hashable { case automatic, v4Only, v6Only, dual }
    /// Who may resolve it.
    package enum Visibility: Sendable, Hashable { case everywhere, namespace }

    /// A virtual address or block of the service on one network.
    package struct VirtualAddress: Sendable, Hashable {
        package var network: String
        package var prefix: IPPrefix
        package init(network: String, prefix: IPPrefix) {
            self.network = network
            self.prefix = prefix
        }
    }

    /// A weighted choice among waypoints.
    package struct WeightedWaypoint: Sendable, Hashable {
        package var destination: GatewayAddress
        package var weight: UInt32
        package init(destination: GatewayAddress, weight: UInt32) {
            self.destination = destination
            self.weight = weight
        }
    }

    package var name: String
    package var namespace: String
    package var hostname: String
    /// Empty for a headless service.
    package var addresses: [VirtualAddress] = []
    package var ports: [ServicePort] = []
    /// Extra identities its endpoints may present, as full SPIFFE URIs.
    package var subjectAltNames: [String] = []
    package var waypoint: GatewayAddress?
    package var weightedWaypoints: [WeightedWaypoint] = []
    package var loadBalancing = LoadBalancing()
    package var ipFamilies: IPFamilies = .automatic
    /// Whether it is the Kubernetes service of that name, not a hostname claimed by other means.
    package var canonical: Bool = false
    package var visibility: Visibility = .everywhere

    package init(name: String, namespace: String, hostname: String) {
        self.name = name
        self.namespace = namespace
        self.hostname = hostname
    }

    /// The key workloads name it by: `ns/hostname`.
    package var key: String { namespace + "/" + hostname }
}

/// How an endpoint is chosen (PROTOCOL.md §4.2).
package struct LoadBalancing: Sendable, Hashable {
    /// One level of nearness.
    package enum Scope: Sendable, Hashable { case region, zone, subzone, node, cluster, network }
    /// What nearness does.
    package enum Mode: Sendable, Hashable { case unspecified, strict, failover, passthrough }
    /// Whether unhealthy endpoints are used.
    package enum HealthPolicy: Sendable, Hashable { case onlyHealthy, allowAll }

    package var routingPreference: [Scope] = []
    package var mode: Mode = .unspecified
    package var healthPolicy: HealthPolicy = .onlyHealthy
    package init() {}
}
