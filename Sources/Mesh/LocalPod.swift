/// A pod of this node that is enrolled in the mesh: what capture needs to know of it.
package struct LocalPod: Sendable, Equatable {
    /// The Kubernetes pod UID, unique over time.
    package var uid: String
    package var name: String
    package var namespace: String
    package var serviceAccount: String
    /// The pod's addresses; empty means: find the workload by its name and namespace.
    package var addresses: [IPAddress] = []
    /// A path that names the network namespace, such as `/proc/42/ns/net`.
    package var networkNamespacePath: String
    /// Destination ports whose outgoing connections are not captured.
    package var excludedOutboundPorts: [UInt16] = []
    /// Listening ports whose incoming connections are not captured.
    package var excludedInboundPorts: [UInt16] = []
    /// Ports that the node itself may reach in the clear whatever policy says: those of the pod's
    /// probes (DESIGN.md §3.9).
    package var probePorts: [UInt16] = []
    /// Whether port 53 of the pod is answered by the proxy.
    package var capturesDNS: Bool = true

    package init(
        uid: String,
        name: String,
        namespace: String,
        serviceAccount: String,
        networkNamespacePath: String
    ) {
        self.uid = uid
        self.name = name
        self.namespace = namespace
        self.serviceAccount = serviceAccount
        self.networkNamespacePath = networkNamespacePath
    }
}
