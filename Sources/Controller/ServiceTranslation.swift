package import Kubernetes
package import Mesh

/// One Kubernetes service as the mesh's (PROTOCOL.md §2.2, §4.2).
package struct ServiceTranslation: Sendable {
    private let settings: MeshSettings

    /// Makes a translation for a mesh with these settings.
    package init(settings: MeshSettings) {
        self.settings = settings
    }

    /// The key workloads name a service by.
    package func key(namespace: String, name: String) -> String {
        namespace + "/" + hostname(namespace: namespace, name: name)
    }

    /// The full host name of a service.
    package func hostname(namespace: String, name: String) -> String {
        "\(name).\(namespace).svc.\(settings.clusterDomain)"
    }

    /// The mesh's service; nil for an ExternalName, which is only an alias in DNS.
    package func service(_ object: Kubernetes.Service) -> Mesh.Service? {
        guard !object.isExternalName else { return nil }
        let (name, namespace) = (object.metadata.name, object.metadata.namespace)
        var service = Mesh.Service(
            name: name,
            namespace: namespace,
            hostname: hostname(namespace: namespace, name: name)
        )
        service.addresses = object.clusterIPs.compactMap { address in
            IPPrefix(address, length: address.family == .v4 ? 32 : 128).map {
                Mesh.Service.VirtualAddress(network: settings.network, prefix: $0)
            }
        }
        service.ports = object.ports.filter { $0.transport == .tcp }.map { port in
            // A named port differs from pod to pod: 0 sends the reader to the endpoint.
            let target: UInt16 = if case .number(let number) = port.targetPort { number } else { 0 }
            return Mesh.ServicePort(servicePort: port.port, targetPort: target)
        }
        service.ipFamilies = ipFamilies(object.ipFamilies)
        service.loadBalancing = loadBalancing(object)
        service.canonical = true
        return service
    }

    private func ipFamilies(_ families: [IPAddress.Family]) -> Mesh.Service.IPFamilies {
        switch (families.contains(.v4), families.contains(.v6)) {
        case (true, true): .dual
        case (true, false): .v4Only
        case (false, true): .v6Only
        case (false, false): .automatic
        }
    }

    private func loadBalancing(_ object: Kubernetes.Service) -> LoadBalancing {
        var loadBalancing = LoadBalancing()
        loadBalancing.healthPolicy = object.publishesNotReadyAddresses ? .allowAll : .onlyHealthy
        if object.isNodeLocal {
            loadBalancing.mode = .strict
            loadBalancing.routingPreference = [.node]
            return loadBalancing
        }
        switch object.trafficDistribution {
        case "PreferClose", "PreferSameZone":
            loadBalancing.mode = .failover
            loadBalancing.routingPreference = [.network, .region, .zone]
        case "PreferSameNode":
            loadBalancing.mode = .failover
            loadBalancing.routingPreference = [.network, .region, .zone, .subzone, .node]
        default:
            break
        }
        return loadBalancing
    }
}
