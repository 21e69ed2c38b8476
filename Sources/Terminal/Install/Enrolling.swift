package import Kubernetes

/// Takes a namespace into the mesh or out of it, and waits for its pods.
package struct Enrolling: Sendable {
    /// What says whether a namespace or pod is in the mesh.
    package static let label = "ambit.dev/dataplane-mode"
    /// What a node writes on the pods it captured.
    package static let annotation = "ambit.dev/captured"

    private static let interval: Duration = .milliseconds(500)

    private let cluster: any Cluster
    private let tell: @Sendable (String) -> Void

    /// `tell` takes lines for the person who waits.
    package init(_ cluster: any Cluster, tell: @escaping @Sendable (String) -> Void) {
        self.cluster = cluster
        self.tell = tell
    }

    /// Sets or removes the label and waits until the running pods have followed.
    package func run(_ name: String, enrol: Bool, seconds: Int64) async throws {
        let reference = ObjectReference(.namespaces, name: name)
        guard let found = try await cluster.get(reference) else {
            throw ReachError(.data, "there is no namespace \(name)")
        }
        guard name != Installation.namespace else {
            throw ReachError(.data, "\(name) holds the mesh's own programs, which stay out of it")
        }
        _ = try await cluster.patch(
            reference,
            subresource: "",
            with: ["metadata": ["labels": .map([Self.label: enrol ? "ambient" : .null])]]
        )
        let other = found["metadata"]["labels"]["istio.io/dataplane-mode"].stringValue
        if !enrol, other == "ambient" {
            tell("the label istio.io/dataplane-mode still enrols it; remove that too")
        }
        tell("namespace \(name) is " + (enrol ? "in the mesh" : "no longer in the mesh"))
        try await wait(for: name, seconds: seconds)
    }

    private func wait(for name: String, seconds: Int64) async throws {
        var selection = ObjectSelection()
        selection.namespace = name
        let deadline = ContinuousClock.now + .seconds(seconds)
        var last = ""
        while true {
            guard let space = try await cluster.get(ObjectReference(.namespaces, name: name)) else {
                throw ReachError(.data, "namespace \(name) was deleted meanwhile")
            }
            let pods = try await cluster.list(.pods, in: selection)
            let progress = EnrolmentProgress(namespace: space, pods: pods)
            if progress.text != last {
                tell(progress.text)
                last = progress.text
            }
            if progress.isComplete { return }
            guard ContinuousClock.now < deadline else {
                throw ReachError(
                    .failed,
                    "after \(seconds) s: \(progress.text); waiting: "
                        + progress.waiting.prefix(5).joined(separator: ", ")
                        + ". kubectl describe pod tells why a pod cannot be enrolled"
                )
            }
            try await Pause.wait(for: Self.interval)
        }
    }
}

/// Which pods of a namespace are where their labels say.
package struct EnrolmentProgress: Sendable, Equatable {
    /// What there is to say of a namespace outside the mesh.
    package static let none = "no pod is captured"

    /// For a person.
    package let text: String
    package let isComplete: Bool
    /// Names of the pods that are not there yet.
    package let waiting: [String]

    /// Reads a namespace and its pods; only running pods count.
    package init(namespace: Value, pods: [Value]) {
        var captured = 0
        var wanted = 0
        var waiting: [String] = []
        for pod in pods where pod["status"]["phase"] == "Running" {
            guard pod["metadata"]["deletionTimestamp"] == .null else { continue }
            let isWanted = Self.isWanted(pod, in: namespace)
            let annotation = pod["metadata"]["annotations"][Enrolling.annotation]
            let isCaptured = annotation.stringValue == "true"
            if isWanted { wanted += 1 }
            if isCaptured { captured += 1 }
            if isWanted != isCaptured {
                waiting.append(pod["metadata"]["name"].stringValue ?? "")
            }
        }
        self.waiting = waiting.sorted()
        isComplete = waiting.isEmpty
        let left = waiting.count
        if wanted > 0 {
            text = "\(max(0, wanted - left)) of \(wanted) pods captured"
        } else {
            text = captured > 0 ? "\(captured) pods still captured" : Self.none
        }
    }

    // The pod's label beats the namespace's, ours beats Istio's (DESIGN.md §3.7).
    private static func isWanted(_ pod: Value, in namespace: Value) -> Bool {
        guard pod["spec"]["hostNetwork"].boolValue != true else { return false }
        let own = mode(pod["metadata"]["labels"])
        return (own ?? mode(namespace["metadata"]["labels"])) == "ambient"
    }

    private static func mode(_ labels: Value) -> String? {
        labels[Enrolling.label].stringValue ?? labels["istio.io/dataplane-mode"].stringValue
    }
}
