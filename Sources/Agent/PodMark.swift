internal import Kubernetes

/// The annotations that tell whether a pod is captured.
enum PodMark {
    static let annotation = "ambit.dev/captured"
    static let captured = "true"
    /// The one that control planes and tools of the ambient kind look at.
    static let otherAnnotation = "ambient.istio.io/redirection"
    static let otherCaptured = "enabled"

    /// Sets or takes away both, and leaves the rest of the pod alone.
    ///
    /// Goes by the status subresource, which may not touch the spec: the right to do it is all the
    /// node has. A pod that is gone is no failure; a conflict is one, of many writers at once.
    static func write(
        _ isCaptured: Bool,
        on name: PodName,
        uid: String,
        in cluster: any Cluster
    ) async throws(ClusterError) {
        // The UID makes the server refuse, as invalid, when another pod has the name by now.
        let patch = Value.map([
            "metadata": .map([
                "uid": .string(uid),
                "annotations": .map([
                    annotation: isCaptured ? .string(captured) : .null,
                    otherAnnotation: isCaptured ? .string(otherCaptured) : .null,
                ]),
            ])
        ])
        let pod = ObjectReference(.pods, namespace: name.namespace, name: name.name)
        do throws(ClusterError) {
            _ = try await cluster.patch(pod, subresource: "status", with: patch)
        } catch {
            guard error.code == .notFound else { throw error }
        }
    }
}
