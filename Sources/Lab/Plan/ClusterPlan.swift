package import Mesh

/// Everything a lab is to run, computed from the objects alone.
package struct ClusterPlan: Sendable {
    package var nodes: [NodePlan] = []
    package var pods: [PodPlan] = []
    /// Keys of the pods that are enrolled in the mesh.
    package var enrolled: Set<String> = []
    /// The content of the file every node reads the mesh from.
    package var meshState: [UInt8] = []
    /// The content of the file each node reads its own pods from.
    package var podFiles: [String: [UInt8]] = [:]
    /// The content of the file the controller reads the objects from.
    package var objectFile: [UInt8] = []
    /// The identities of each node's enrolled pods.
    package var identities: [String: Set<SPIFFEID>] = [:]
    /// The state itself, and named ports of services by their names in DNS (SRV).
    package var state = MeshState()
    package var serviceTargets: [String: ClusterResolver.ServiceTarget] = [:]
    /// What ExternalName services stand for, by their names in DNS.
    package var serviceAliases: [String: String] = [:]
    /// What is worth telling whoever applied the objects.
    package var warnings: [String] = []

    package init() {}
}
