package import Kubernetes
package import Mesh

/// One pod or outside endpoint as a workload (PROTOCOL.md §2.2).
///
/// Each function reads only what its workload depends on, so that one change costs one workload.
package struct WorkloadTranslation: Sendable {
    private let settings: MeshSettings
    private let services: ServiceTranslation

    /// Makes a translation for a mesh with these settings.
    package init(settings: MeshSettings) {
        self.settings = settings
        self.services = ServiceTranslation(settings: settings)
    }

    /// The uid of a pod's workload.
    package func uid(ofPod pod: NamespacedName) -> String {
        "\(settings.clusterID)//Pod/\(pod)"
    }

    /// The workload of a pod; nil when it has ended or has no address yet.
    ///
    /// `services` are those that select it, `policyKeys` those of the policies that do.
    package func workload(
        _ pod: Pod,
        isEnrolled: Bool,
        locality: Locality,
        services selecting: [Kubernetes.Service],
        policyKeys: [String]
    ) -> Workload? {
        let addresses =
            pod.addresses.isEmpty && pod.usesHostNetwork
            ? pod.hostAddresses : pod.addresses
        guard !addresses.isEmpty, pod.phase != .succeeded, pod.phase != .failed else { return nil }
        let (name, namespace) = (pod.metadata.name, pod.metadata.namespace)
        var workload = Workload(
            uid: uid(ofPod: NamespacedName(namespace, name)),
            name: name,
            namespace: namespace
        )
        workload.addresses = addresses
        workload.network = settings.network
        let isCaptured = !settings.awaitsCapture || Self.isCaptured(pod)
        workload.tunnelProtocol =
            isEnrolled && isCaptured || Self.hasOwnTunnel(pod) ? .hbone : .none
        workload.trustDomain = settings.trustDomain
        workload.serviceAccount = pod.serviceAccountName
        workload.node = pod.nodeName
        workload.clusterID = settings.clusterID
        let owner = Owner(of: pod)
        workload.workloadName = owner.name
        workload.kind = owner.kind
        workload.canonicalName = canonicalName(pod.metadata.labels) ?? owner.name
        workload.canonicalRevision = canonicalRevision(pod.metadata.labels)
        let isReady = pod.isReady ?? settings.assumesReady
        workload.status = isReady && !pod.metadata.isBeingDeleted ? .healthy : .unhealthy
        workload.locality = locality
        workload.networkMode = pod.usesHostNetwork ? .hostNetwork : .standard
        if !pod.subdomain.isEmpty {
            let host = pod.hostname.isEmpty ? name : pod.hostname
            let domain = services.hostname(namespace: namespace, name: pod.subdomain)
            workload.hostname = host + "." + domain
        }
        for service in selecting {
            let key = services.key(namespace: namespace, name: service.metadata.name)
            workload.services[key] = ports(of: service, at: pod)
        }
        workload.authorizationPolicies = policyKeys
        return workload
    }

    // A pod that ends HBONE itself, such as a gateway; peers of either mesh label it so.
    private static func hasOwnTunnel(_ pod: Pod) -> Bool {
        let labels = pod.metadata.labels
        let value = labels["ambit.dev/tunnel"] ?? labels["networking.istio.io/tunnel"]
        return value == "http"
    }

    // What the node agent of either mesh writes when it has taken the pod's traffic.
    private static func isCaptured(_ pod: Pod) -> Bool {
        let annotations = pod.metadata.annotations
        return annotations["ambit.dev/captured"] == "true"
            || annotations["ambient.istio.io/redirection"] == "enabled"
    }

    // A named port that the pod does not have is left out: the pod does not serve it.
    private func ports(of service: Kubernetes.Service, at pod: Pod) -> [ServicePort] {
        let names = pod.portNames
        return service.ports.filter { $0.transport == .tcp }.compactMap { port in
            let target: UInt16? =
                switch port.targetPort {
                case .number(let number): number
                case .name(let name): names[name]
                }
            return target.map { ServicePort(servicePort: port.port, targetPort: $0) }
        }
    }

    private func canonicalName(_ labels: [String: String]) -> String? {
        ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]
            .lazy.compactMap { labels[$0] }.first { !$0.isEmpty }
    }

    private func canonicalRevision(_ labels: [String: String]) -> String {
        ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]
            .lazy.compactMap { labels[$0] }.first { !$0.isEmpty } ?? "latest"
    }

    // MARK: Endpoint slices

    /// The ports a slice gives its endpoints for a service: those whose names agree.
    package func ports(
        of service: Kubernetes.Service,
        in slice: EndpointSlice
    ) -> [ServicePort] {
        let numbers = Dictionary(
            slice.ports.lazy.filter { $0.transport == .tcp }.map { ($0.name, $0.port) },
            uniquingKeysWith: { first, _ in first }
        )
        return service.ports.filter { $0.transport == .tcp }.compactMap { port in
            numbers[port.name].map { ServicePort(servicePort: port.port, targetPort: $0) }
        }
    }

    /// The workload of an endpoint that is no pod: reached in the clear, without identity.
    package func workload(
        _ endpoint: EndpointSlice.Endpoint,
        of slice: EndpointSlice,
        for service: Kubernetes.Service,
        locality: Locality
    ) -> Workload? {
        guard let address = endpoint.addresses.first else { return nil }
        let (name, namespace) = (slice.metadata.name, slice.metadata.namespace)
        var workload = Workload(
            uid: "\(settings.clusterID)/discovery.k8s.io/EndpointSlice/\(namespace)/\(name)"
                + "/\(address)",
            name: name,
            namespace: namespace
        )
        workload.addresses = endpoint.addresses
        workload.network = settings.network
        workload.trustDomain = settings.trustDomain
        workload.node = endpoint.nodeName
        workload.clusterID = settings.clusterID
        workload.workloadName = service.metadata.name
        workload.canonicalName = service.metadata.name
        workload.canonicalRevision = "latest"
        workload.status = endpoint.isReady ? .healthy : .unhealthy
        workload.locality = locality
        if !endpoint.zone.isEmpty { workload.locality.zone = endpoint.zone }
        let key = services.key(namespace: namespace, name: service.metadata.name)
        workload.services[key] = ports(of: service, in: slice)
        return workload
    }
}
