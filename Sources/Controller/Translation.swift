package import Kubernetes
package import Mesh

/// Kubernetes objects as a mesh: the state all nodes share and the pods each node captures.
package struct Translation: Sendable {
    /// Workloads, services and policies, the same for every node.
    package private(set) var state = MeshState()
    /// The enrolled pods of each node by node name; the network namespace paths are left empty.
    package private(set) var localPods: [String: [LocalPod]] = [:]
    /// Objects that are not in the state because they were not understood.
    ///
    /// A caller that has a previous state keeps it.
    package private(set) var refusals: [Finding] = []
    /// What was written but has no effect, or not the one its author may expect.
    package private(set) var warnings: [Finding] = []

    private let translation: WorkloadTranslation
    private let serviceTranslation: ServiceTranslation

    fileprivate init(settings: MeshSettings) {
        translation = WorkloadTranslation(settings: settings)
        serviceTranslation = ServiceTranslation(settings: settings)
    }
}

/// Translates all objects at once.
package func translate(_ objects: ObjectSet, settings: MeshSettings) -> Translation {
    var translation = Translation(settings: settings)
    let policies = PolicyTranslation(
        authorization: objects.authorizationPolicies,
        peerAuthentication: objects.peerAuthentications,
        settings: settings
    )
    translation.add(policies)
    translation.addServices(objects.services)
    translation.addPods(objects, policies: policies)
    translation.addEndpointSlices(objects)
    return translation
}

extension Translation {
    fileprivate mutating func add(_ translated: PolicyTranslation) {
        state.policies = translated.policies
        refusals += translated.refusals
        warnings += translated.warnings
    }

    fileprivate mutating func addServices(_ objects: [Kubernetes.Service]) {
        for object in objects {
            if let service = serviceTranslation.service(object) {
                state.services.append(service)
            } else {
                warnings.append(
                    Finding(
                        object: object.key,
                        field: "spec.type",
                        reason: "an ExternalName is left to DNS; its traffic is not in the mesh"
                    )
                )
            }
        }
    }

    fileprivate mutating func addPods(_ objects: ObjectSet, policies: PolicyTranslation) {
        let namespaces = Dictionary(
            objects.namespaces.map { ($0.metadata.name, $0) },
            uniquingKeysWith: { _, last in last }
        )
        let nodes = Self.nodes(objects)
        let services = Dictionary(grouping: objects.services, by: \.metadata.namespace)
        for namespace in objects.namespaces {
            warnings += Enrolment.warnings(for: namespace)
        }
        for pod in objects.pods {
            let namespace = pod.metadata.namespace
            let enrolment = Enrolment(of: pod, in: namespaces[namespace])
            warnings += enrolment.warnings
            let workload = translation.workload(
                pod,
                isEnrolled: enrolment.isEnrolled,
                node: nodes[pod.nodeName],
                services: services[namespace] ?? [],
                policies: policies
            )
            guard let workload else { continue }
            state.workloads.append(workload)
            if enrolment.isEnrolled, !pod.nodeName.isEmpty {
                localPods[pod.nodeName, default: []].append(LocalPod(pod, enrolment))
            }
        }
    }

    private static func nodes(_ objects: ObjectSet) -> [String: Kubernetes.Node] {
        Dictionary(
            objects.nodes.map { ($0.metadata.name, $0) },
            uniquingKeysWith: { _, last in last }
        )
    }
}

extension Translation {
    // A slice that Kubernetes wrote from a selector says nothing that the pods do not say sooner.
    fileprivate mutating func addEndpointSlices(_ objects: ObjectSet) {
        let nodes = Self.nodes(objects)
        let services = Dictionary(
            objects.services.map { ($0.key, $0) },
            uniquingKeysWith: { _, last in last }
        )
        var workloadByPod: [String: Int] = [:]
        var workloadByAddress: [IPAddress: Int] = [:]
        var outside: Set<String> = []
        for (index, workload) in state.workloads.enumerated() {
            workloadByPod[workload.namespace + "/" + workload.name] = index
            guard workload.networkMode == .standard else { continue }
            for address in workload.addresses { workloadByAddress[address] = index }
        }
        for slice in objects.endpointSlices {
            guard let service = service(of: slice, among: services),
                service.selector.isEmpty || !slice.mirrorsSelector
            else { continue }
            let key = serviceTranslation.key(
                namespace: slice.metadata.namespace,
                name: slice.serviceName
            )
            for endpoint in slice.endpoints {
                let pod = endpoint.pod.map { $0.namespace + "/" + $0.name }
                let index =
                    pod.flatMap { workloadByPod[$0] }
                    ?? endpoint.addresses.lazy.compactMap { workloadByAddress[$0] }.first
                if let index {
                    let ports = translation.ports(of: service, in: slice)
                    merge(ports, into: &state.workloads[index].services[key, default: []])
                } else if pod == nil,
                    let workload = translation.workload(
                        endpoint,
                        of: slice,
                        for: service,
                        node: nodes[endpoint.nodeName]
                    ), outside.insert(workload.uid).inserted
                {
                    state.workloads.append(workload)
                }
            }
        }
    }

    private func merge(_ new: [ServicePort], into ports: inout [ServicePort]) {
        for port in new where !ports.contains(where: { $0.servicePort == port.servicePort }) {
            ports.append(port)
        }
    }

    private mutating func service(
        of slice: EndpointSlice,
        among services: [ObjectKey: Kubernetes.Service]
    ) -> Kubernetes.Service? {
        let key = ObjectKey(
            kind: Kubernetes.Service.objectType.kind,
            namespace: slice.metadata.namespace,
            name: slice.serviceName
        )
        if slice.holdsNames {
            warn(slice, "addressType", "endpoints by name (FQDN) are not supported")
            return nil
        }
        guard let service = services[key] else {
            let label = "metadata.labels.kubernetes.io/service-name"
            warn(slice, label, "there is no \(key)")
            return nil
        }
        return service
    }

    private mutating func warn(_ slice: EndpointSlice, _ field: String, _ reason: String) {
        warnings.append(Finding(object: slice.key, field: field, reason: reason))
    }
}

extension LocalPod {
    // A manifest has no UIDs; a namespace has no dot in its name, so this one is unique.
    fileprivate init(_ pod: Pod, _ enrolment: Enrolment) {
        let (name, namespace) = (pod.metadata.name, pod.metadata.namespace)
        let uid = pod.metadata.uid.isEmpty ? "\(namespace).\(name)" : pod.metadata.uid
        self.init(
            uid: uid,
            name: name,
            namespace: namespace,
            serviceAccount: pod.serviceAccountName,
            networkNamespacePath: ""
        )
        addresses = pod.addresses
        excludedOutboundPorts = enrolment.excludedOutboundPorts
        excludedInboundPorts = enrolment.excludedInboundPorts
        capturesDNS = enrolment.capturesDNS
        probePorts = pod.probePorts
    }
}
