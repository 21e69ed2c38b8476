internal import Kubernetes
internal import Mesh

/// Looking again at objects that may have come to mean something else.
extension MeshIndex {
    /// What the slices of a service without selector give one pod.
    struct Share: Sendable, Equatable {
        var serviceKey: String
        var ports: [ServicePort]
    }

    /// What came of a slice, and what it depends on.
    struct SliceParts: Sendable {
        var pods: [NamespacedName: Share] = [:]
        var outside: [String: Workload] = [:]
        var podReferences: Set<NamespacedName> = []
        var addresses: Set<IPAddress> = []
        var nodes: Set<String> = []
    }

    mutating func refreshPod(_ name: NamespacedName, _ change: inout MeshChange) {
        let uid = workloadTranslation.uid(ofPod: name)
        guard let pod = pods[name] else {
            untell(workload: uid, &change)
            return
        }
        let namespace = namespaces[name.namespace]
        let enrolment = Enrolment(of: pod, in: namespace)
        var warnings = enrolment.warnings
        var workload = workloadTranslation.workload(
            pod,
            isEnrolled: enrolment.isEnrolled,
            locality: localities[pod.nodeName] ?? Locality(),
            services: services(selecting: pod),
            policyKeys: policies.policyKeys(
                labels: pod.metadata.labels,
                namespace: name.namespace
            )
        )
        workload?.waypoint = waypoint(of: pod, for: .workload, &warnings)
        for (_, share) in (shares[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
            workload?.services[share.serviceKey, default: []].merge(share.ports)
        }
        note(warnings, for: pod.key)
        if let workload { tell(workload, &change) } else { untell(workload: uid, &change) }
    }

    private func services(selecting pod: Pod) -> [Kubernetes.Service] {
        let labels = pod.metadata.labels
        return labels.flatMap { key, value in
            let pair = LabelPair(namespace: pod.metadata.namespace, key: key, value: value)
            return servicesBySelector[pair].compactMap { services[$0] }
        }.filter { $0.podSelector?.selects(labels) == true }
    }

    // The object's own wish, or else its namespace's; only the own one is the object's fault.
    private func waypoint(
        of object: some Object,
        for target: WaypointIndex.Target,
        _ warnings: inout [Finding]
    ) -> GatewayAddress? {
        let (labels, name) = (object.metadata.labels, object.metadata.namespace)
        guard !WaypointIndex.isGatewayPart(labels) else { return nil }
        let namespace = namespaces[name] ?? Namespace(name: name)
        if let own = WaypointIndex.request(by: labels, in: name) {
            let answer = waypoints.answer(own, for: target, from: namespace)
            if let problem = answer.problem {
                warnings.append(Finding(object: object.key, field: own.label, reason: problem))
            }
            return answer.address
        }
        return WaypointIndex.request(by: namespace.metadata.labels, in: name).flatMap {
            waypoints.answer($0, for: target, from: namespace).address
        }
    }

    mutating func refreshNamespace(_ name: String) {
        guard let namespace = namespaces[name] else { return }
        var warnings = Enrolment.warnings(for: namespace)
        if let request = WaypointIndex.request(by: namespace.metadata.labels, in: name) {
            let answer = waypoints.answer(request, for: .service, from: namespace)
            if let problem = answer.problem {
                warnings.append(
                    Finding(object: namespace.key, field: request.label, reason: problem)
                )
            }
        }
        note(warnings, for: namespace.key)
    }

    mutating func refreshService(_ name: NamespacedName, _ change: inout MeshChange) {
        var warnings: [Finding] = []
        var service: Mesh.Service?
        if let object = services[name] {
            service = serviceTranslation.service(object)
            service?.waypoint = waypoint(of: object, for: .service, &warnings)
            if service == nil {
                let reason = "an ExternalName is left to DNS; its traffic is not in the mesh"
                warnings = [Finding(object: object.key, field: "spec.type", reason: reason)]
            }
            note(warnings, for: object.key)
        }
        let key = serviceTranslation.key(namespace: name.namespace, name: name.name)
        guard meshServices[key] != service else { return }
        meshServices[key] = service
        if let service {
            change.services.append(service)
        } else {
            change.removedServices.append(key)
        }
    }

    // MARK: Endpoint slices

    // A slice that Kubernetes wrote from a selector says nothing that the pods do not say sooner.
    mutating func refreshSlice(_ name: NamespacedName, _ change: inout MeshChange) {
        let old = sliceParts[name] ?? SliceParts()
        var new = SliceParts()
        if let slice = slices[name] {
            let (service, warning) = service(of: slice)
            note(warning.map { [$0] } ?? [], for: slice.key)
            if let service { new = parts(of: slice, service) }
        }
        let isEmpty = new.podReferences.isEmpty && new.addresses.isEmpty
        sliceParts[name] = isEmpty ? nil : new
        slicesByPod.move(name, from: old.podReferences, to: new.podReferences)
        slicesByAddress.move(name, from: old.addresses, to: new.addresses)
        slicesByNode.move(name, from: old.nodes, to: new.nodes)
        for (pod, _) in old.pods where new.pods[pod] == nil {
            shares[pod]?[name] = nil
            if shares[pod]?.isEmpty == true { shares[pod] = nil }
            dirtyPods.insert(pod)
        }
        for (pod, share) in new.pods where old.pods[pod] != share {
            shares[pod, default: [:]][name] = share
            dirtyPods.insert(pod)
        }
        for uid in old.outside.keys.sorted() where new.outside[uid] == nil {
            untell(workload: uid, &change)
        }
        for (_, workload) in new.outside.sorted(by: { $0.key < $1.key }) {
            tell(workload, &change)
        }
    }

    private func service(of slice: EndpointSlice) -> (Kubernetes.Service?, Finding?) {
        if slice.holdsNames {
            let reason = "endpoints by name (FQDN) are not supported"
            return (nil, Finding(object: slice.key, field: "addressType", reason: reason))
        }
        guard let service = services[slice.service] else {
            let field = "metadata.labels.kubernetes.io/service-name"
            let reason = "there is no Service \(slice.service)"
            return (nil, Finding(object: slice.key, field: field, reason: reason))
        }
        let isUsed =
            !service.isExternalName && (service.selector.isEmpty || !slice.mirrorsSelector)
        return (isUsed ? service : nil, nil)
    }

    private func parts(of slice: EndpointSlice, _ service: Kubernetes.Service) -> SliceParts {
        var parts = SliceParts()
        let share = Share(
            serviceKey: serviceTranslation.key(
                namespace: slice.metadata.namespace,
                name: slice.serviceName
            ),
            ports: workloadTranslation.ports(of: service, in: slice)
        )
        for endpoint in slice.endpoints {
            let named = endpoint.pod.map { NamespacedName($0.namespace, $0.name) }
            if let named { parts.podReferences.insert(named) }
            parts.addresses.formUnion(endpoint.addresses)
            let isServing = endpoint.isReady || service.publishesNotReadyAddresses
            if let named, pods[named].map({ !$0.hasEnded }) == true {
                if isServing { parts.pods[named] = share }
            } else if let pod = pod(at: endpoint.addresses) {
                if isServing { parts.pods[pod] = share }
            } else if named == nil,
                let workload = workloadTranslation.workload(
                    endpoint,
                    of: slice,
                    for: service,
                    locality: localities[endpoint.nodeName] ?? Locality()
                ), parts.outside[workload.uid] == nil
            {
                parts.outside[workload.uid] = workload
                if !endpoint.nodeName.isEmpty { parts.nodes.insert(endpoint.nodeName) }
            }
        }
        return parts
    }

    // While an address moves from one pod to the next, the one that stays has it.
    private func pod(at addresses: [IPAddress]) -> NamespacedName? {
        for address in addresses {
            let candidates = podsByAddress[address].sorted()
            let staying = candidates.first { pods[$0]?.metadata.isBeingDeleted == false }
            if let pod = staying ?? candidates.first { return pod }
        }
        return nil
    }
}

extension [ServicePort] {
    fileprivate mutating func merge(_ new: [ServicePort]) {
        for port in new where !contains(where: { $0.servicePort == port.servicePort }) {
            append(port)
        }
    }
}
