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

    fileprivate init() {}
}

/// Translates all objects at once.
package func translate(_ objects: ObjectSet, settings: MeshSettings) -> Translation {
    var index = MeshIndex(settings: settings)
    index.set(objects)
    let change = index.takeChange()
    var translation = Translation()
    translation.addState(change, in: objects)
    translation.addFindings(of: index, in: objects)
    translation.addLocalPods(objects)
    return translation
}

extension MeshIndex {
    /// Adds all objects of a set.
    package mutating func set(_ objects: ObjectSet) {
        for object in objects.namespaces { set(object) }
        for object in objects.nodes { set(object) }
        for object in objects.gateways { set(object) }
        for object in objects.authorizationPolicies { set(object) }
        for object in objects.peerAuthentications { set(object) }
        for object in objects.services { set(object) }
        for object in objects.endpointSlices { set(object) }
        for object in objects.pods { set(object) }
    }
}

extension Translation {
    // Pods and services stand in the order of their objects, what is outside after them.
    fileprivate mutating func addState(_ change: MeshChange, in objects: ObjectSet) {
        let pods = Self.ranks(objects.pods)
        let services = Self.ranks(objects.services)
        state.workloads = change.workloads.enumerated().sorted { one, two in
            let ranks = [one, two].map { pods[$0.element.namespace + "/" + $0.element.name] }
            return (ranks[0] ?? .max, one.offset) < (ranks[1] ?? .max, two.offset)
        }.map(\.element)
        state.services = change.services.enumerated().sorted { one, two in
            let ranks = [one, two].map { services[$0.element.namespace + "/" + $0.element.name] }
            return (ranks[0] ?? .max, one.offset) < (ranks[1] ?? .max, two.offset)
        }.map(\.element)
        state.policies = change.policies
    }

    private static func ranks(_ objects: [some Object]) -> [String: Int] {
        Dictionary(
            objects.enumerated().map { index, object in
                (object.metadata.namespace + "/" + object.metadata.name, index)
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    fileprivate mutating func addFindings(of index: MeshIndex, in objects: ObjectSet) {
        let policies =
            objects.authorizationPolicies.map(\.key) + objects.peerAuthentications.map(\.key)
        refusals = policies.sorted { $0.name < $1.name }.compactMap { index.refusal(of: $0) }
        let others =
            objects.services.map(\.key) + objects.namespaces.map(\.key) + objects.pods.map(\.key)
            + objects.endpointSlices.map(\.key)
        warnings = (policies + others).flatMap { index.warnings(of: $0) }
    }

    fileprivate mutating func addLocalPods(_ objects: ObjectSet) {
        let namespaces = Dictionary(
            objects.namespaces.map { ($0.metadata.name, $0) },
            uniquingKeysWith: { _, last in last }
        )
        for pod in objects.pods where !pod.nodeName.isEmpty && !pod.hasEnded {
            let enrolment = Enrolment(of: pod, in: namespaces[pod.metadata.namespace])
            let hasAddress = !pod.addresses.isEmpty || pod.usesHostNetwork
            guard enrolment.isEnrolled, hasAddress else { continue }
            localPods[pod.nodeName, default: []].append(LocalPod(pod, enrolment))
        }
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
