internal import Kubernetes
internal import Mesh
internal import Node

/// What the agent knows of one pod of its node.
struct PodState {
    /// As the API server has it.
    var pod: Pod
    /// The pod's network namespace, once it is found or handed over.
    var namespace: HeldNamespace?
    /// The sandbox that handed the namespace over; empty when it was found by a process.
    var sandbox = ""
    /// What the node was told.
    var told: LocalPod?
    /// What the node said of it last.
    var outcome: NodeFeed.Outcome?
    /// Whether this process let it go, and its mark is on its way out.
    var wasReleased = false
    /// How often its namespace was looked for in vain.
    var searches = 0

    /// Whether the pod has a sandbox by now, as far as the API server knows.
    var isRunning: Bool { pod.phase == .running || !pod.addresses.isEmpty }
    /// Whether all its containers ended for good.
    var isOver: Bool { pod.phase == .succeeded || pod.phase == .failed }

    /// The UID in the pod's cgroup and in what its runtime says: a static pod has one of its own.
    var runtimeUID: String {
        pod.metadata.annotations["kubernetes.io/config.hash"] ?? pod.metadata.uid
    }

    /// Whether a runtime's UID is this pod's; a runtime that does not tell is believed.
    func isCalled(_ uid: String) -> Bool {
        uid.isEmpty || uid == pod.metadata.uid || uid == runtimeUID
    }

    /// Whether the pod says that its capture is in force.
    var isMarked: Bool { pod.metadata.annotations[PodMark.annotation] == PodMark.captured }

    /// The pod as the data path takes it.
    func local(_ enrolment: Enrolment, in namespace: HeldNamespace) -> LocalPod {
        var local = LocalPod(
            uid: pod.metadata.uid,
            name: pod.metadata.name,
            namespace: pod.metadata.namespace,
            serviceAccount: pod.serviceAccountName,
            networkNamespacePath: namespace.path
        )
        local.excludedOutboundPorts = enrolment.excludedOutboundPorts
        local.excludedInboundPorts = enrolment.excludedInboundPorts
        local.capturesDNS = enrolment.capturesDNS
        local.probePorts = pod.probePorts
        return local
    }
}

/// The name of a pod among all of the cluster.
struct PodName: Hashable, CustomStringConvertible {
    let namespace: String
    let name: String

    init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    init(_ pod: Pod) { self.init(pod.metadata.namespace, pod.metadata.name) }

    /// `NAMESPACE/NAME`.
    var description: String { "\(namespace)/\(name)" }
}
