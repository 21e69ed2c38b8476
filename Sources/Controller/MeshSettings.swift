/// What the translation has to know of the mesh besides its objects.
package struct MeshSettings: Sendable, Equatable {
    /// The trust domain of every identity.
    package var trustDomain = "cluster.local"
    /// The suffix of service host names, after `svc`.
    package var clusterDomain = "cluster.local"
    package var clusterID = "Kubernetes"
    /// The name of the network all pods share.
    package var network = ""
    /// The namespace whose policies without selector hold for the whole mesh.
    package var rootNamespace = "ambit-system"
    /// Whether a pod without a Ready condition counts as ready; manifests have no conditions, pods
    /// from an API server always do.
    package var assumesReady = true
    /// Whether an enrolled pod speaks HBONE only once its node says that it is captured; manifests
    /// are never told so.
    package var awaitsCapture = false

    /// Makes the settings of a cluster that changed nothing.
    package init() {}
}
