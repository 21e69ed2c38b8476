package import Kubernetes
internal import Mesh

/// Objects coming, changing and going.
extension MeshIndex {
    /// Adds or replaces a namespace.
    package mutating func set(_ namespace: Namespace) {
        let name = namespace.metadata.name
        accept(namespace.key)
        let old = namespaces.updateValue(namespace, forKey: name)
        guard old?.metadata.labels != namespace.metadata.labels else { return }
        touch(namespace: name)
    }

    /// Adds or replaces a node.
    package mutating func set(_ node: Kubernetes.Node) {
        accept(node.key)
        setLocality(node.locality, of: node.metadata.name)
    }

    private mutating func setLocality(_ locality: Locality?, of node: String) {
        let old = localities[node]
        localities[node] = locality
        guard old ?? Locality() != locality ?? Locality() else { return }
        dirtyPods.formUnion(podsByNode[node])
        dirtySlices.formUnion(slicesByNode[node])
    }

    /// Adds or replaces a pod.
    package mutating func set(_ pod: Pod) {
        accept(pod.key)
        replace(pod.name, with: pod.trimmed)
    }

    /// Adds or replaces a service.
    package mutating func set(_ service: Kubernetes.Service) {
        accept(service.key)
        replace(service.name, with: service)
    }

    /// Adds or replaces some endpoints of a service.
    package mutating func set(_ slice: EndpointSlice) {
        accept(slice.key)
        replace(slice.name, with: slice)
    }

    /// Adds or replaces a gateway.
    package mutating func set(_ gateway: Gateway) {
        accept(gateway.key)
        replace(gateway.name, with: gateway)
    }

    /// Adds or replaces a policy; one that is refused leaves the last good one in force, and where
    /// that is lost refuses everything.
    package mutating func set(_ policy: AuthorizationPolicy) {
        do {
            let (effect, warnings) = try policies.set(policy)
            accept(policy.key)
            note(warnings, for: policy.key)
            touch(effect)
        } catch {
            refuse(policy.key, error)
            touch(policies.close(policy))
        }
    }

    /// Adds or replaces a policy; one that is refused leaves the last good one in force, and where
    /// that is lost refuses plaintext.
    package mutating func set(_ policy: PeerAuthentication) {
        do {
            touch(try policies.set(policy))
            accept(policy.key)
        } catch {
            refuse(policy.key, error)
            touch(policies.close(policy))
        }
        notePeers(in: policy.metadata.namespace)
    }

    /// Removes an object; nothing happens when it is not there.
    package mutating func remove(_ key: ObjectKey) {
        accept(key)
        note([], for: key)
        let name = NamespacedName(key.namespace, key.name)
        switch key.kind {
        case Namespace.objectType.kind:
            guard namespaces.removeValue(forKey: key.name) != nil else { return }
            touch(namespace: key.name)
        case Kubernetes.Node.objectType.kind: setLocality(nil, of: key.name)
        case Pod.objectType.kind: replace(name, with: Pod?.none)
        case Kubernetes.Service.objectType.kind: replace(name, with: Kubernetes.Service?.none)
        case EndpointSlice.objectType.kind: replace(name, with: EndpointSlice?.none)
        case Gateway.objectType.kind: replace(name, with: Gateway?.none)
        case AuthorizationPolicy.objectType.kind: touch(policies.removeAuthorization(key))
        case PeerAuthentication.objectType.kind:
            touch(policies.removePeerAuthentication(key))
            notePeers(in: key.namespace)
        default: break
        }
    }

    private mutating func notePeers(in namespace: String) {
        let warnings = Dictionary(grouping: policies.peerWarnings(in: namespace), by: \.object)
        for key in policies.peerKeys(in: namespace) { note(warnings[key] ?? [], for: key) }
    }

    // MARK: What refers to what

    private mutating func touch(namespace name: String) {
        let labels = namespaces[name]?.metadata.labels ?? [:]
        waypoints.note(WaypointIndex.request(by: labels, in: name), by: .namespace(name))
        dirtyNamespaces.insert(name)
        dirtyPods.formUnion(podsByNamespace[name])
        dirtyServices.formUnion(servicesByNamespace[name])
    }

    private mutating func touch(_ effect: PolicyIndex.Effect) {
        dirtyPolicies.formUnion(effect.policyKeys)
        for selection in effect.pods { touch(selection) }
    }

    private mutating func touch(_ selection: PodSelection) {
        let namespaces = selection.namespace.map { [$0] } ?? Array(podsByNamespace.keys)
        for namespace in namespaces { touch(pods: selection.labels, in: namespace) }
    }

    // Looks only at the pods with the rarest of the labels.
    private mutating func touch(pods labels: [String: String], in namespace: String) {
        let lists = labels.map { LabelPair(namespace: namespace, key: $0.key, value: $0.value) }
        guard
            let rarest = lists.min(by: { podsByLabel.count(of: $0) < podsByLabel.count(of: $1) })
        else {
            dirtyPods.formUnion(podsByNamespace[namespace])
            return
        }
        let selector = LabelSelector(matchLabels: labels)
        for name in podsByLabel[rarest] where selector.selects(pods[name]?.metadata.labels ?? [:]) {
            dirtyPods.insert(name)
        }
    }

    private mutating func replace(_ name: NamespacedName, with pod: Pod?) {
        let old = pods[name]
        guard old != pod else { return }
        pods[name] = pod
        dirtyPods.insert(name)
        if (old == nil) != (pod == nil) {
            podsByNamespace.move(
                name,
                from: old == nil ? [] : [name.namespace],
                to: pod == nil ? [] : [name.namespace]
            )
        }
        if old?.nodeName != pod?.nodeName {
            podsByNode.move(name, from: old?.nodes ?? [], to: pod?.nodes ?? [])
        }
        if old?.metadata.labels != pod?.metadata.labels {
            podsByLabel.move(name, from: old?.labelPairs ?? [], to: pod?.labelPairs ?? [])
            let labels = pod?.metadata.labels ?? [:]
            waypoints.note(
                WaypointIndex.request(by: labels, in: name.namespace),
                by: .pod(name)
            )
        }
        let (before, after) = (old?.ownAddresses ?? [], pod?.ownAddresses ?? [])
        if before != after { podsByAddress.move(name, from: before, to: after) }
        for address in before + after { dirtySlices.formUnion(slicesByAddress[address]) }
        dirtySlices.formUnion(slicesByPod[name])
    }

    private mutating func replace(_ name: NamespacedName, with service: Kubernetes.Service?) {
        let old = services[name]
        guard old != service else { return }
        services[name] = service
        dirtyServices.insert(name)
        dirtySlices.formUnion(slicesByService[name])
        if (old == nil) != (service == nil) {
            servicesByNamespace.move(
                name,
                from: old == nil ? [] : [name.namespace],
                to: service == nil ? [] : [name.namespace]
            )
        }
        waypoints.note(
            service.flatMap {
                WaypointIndex.request(by: $0.metadata.labels, in: name.namespace)
            },
            by: .service(name)
        )
        let pairs = [old, service].map { $0?.podSelector?.pair(in: name.namespace) }
        servicesBySelector.move(
            name,
            from: pairs[0].map { [$0] } ?? [],
            to: pairs[1].map { [$0] } ?? []
        )
        for selector in [old?.podSelector, service?.podSelector] {
            if let selector { touch(pods: selector.matchLabels, in: name.namespace) }
        }
    }

    private mutating func replace(_ name: NamespacedName, with slice: EndpointSlice?) {
        let old = slices[name]
        guard old != slice else { return }
        slices[name] = slice
        dirtySlices.insert(name)
        slicesByService.move(
            name,
            from: old.map { [$0.service] } ?? [],
            to: slice.map { [$0.service] } ?? []
        )
    }

    private mutating func replace(_ name: NamespacedName, with gateway: Gateway?) {
        for user in waypoints.set(gateway, named: name) {
            switch user {
            case .service(let name): dirtyServices.insert(name)
            case .pod(let name): dirtyPods.insert(name)
            case .namespace(let name):
                dirtyNamespaces.insert(name)
                dirtyPods.formUnion(podsByNamespace[name])
                dirtyServices.formUnion(servicesByNamespace[name])
            }
        }
    }
}

extension Object {
    fileprivate var name: NamespacedName { NamespacedName(metadata.namespace, metadata.name) }
}

extension Pod {
    /// The pod without what the mesh never looks at.
    fileprivate var trimmed: Pod {
        var pod = self
        pod.metadata.annotations = metadata.annotations.filter { annotation in
            annotation.key.hasPrefix("ambit.dev/") || annotation.key.contains("istio.io/")
        }
        pod.initContainers = []
        for index in pod.containers.indices {
            pod.containers[index].image = ""
            pod.containers[index].command = []
            pod.containers[index].arguments = []
            pod.containers[index].environment = []
        }
        return pod
    }

    /// Whether it has run to its end.
    package var hasEnded: Bool { phase == .succeeded || phase == .failed }

    /// The addresses that are no other pod's while it runs.
    fileprivate var ownAddresses: [IPAddress] { usesHostNetwork || hasEnded ? [] : addresses }

    fileprivate var nodes: [String] { nodeName.isEmpty ? [] : [nodeName] }

    fileprivate var labelPairs: [LabelPair] {
        metadata.labels.map {
            LabelPair(namespace: metadata.namespace, key: $0.key, value: $0.value)
        }
    }
}

extension Kubernetes.Service {
    /// Which pods it selects; nil when none, as its endpoints are given otherwise.
    var podSelector: LabelSelector? {
        selector.isEmpty || isExternalName ? nil : LabelSelector(matchLabels: selector)
    }
}

extension EndpointSlice {
    /// The service it belongs to.
    var service: NamespacedName { NamespacedName(metadata.namespace, serviceName) }
}
