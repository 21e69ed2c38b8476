package import Mesh

/// The ports that annotations of pods keep out of the mesh, as far as nodes tell of their pods.
package struct ExcludedPorts: Sendable {
    private let nodes: Set<String>
    private var pods: [String: NodeDump.LocalPod] = [:]

    /// Takes what some nodes told; of the pods of others nothing is known.
    package init(_ dumps: [NodeDump] = []) {
        nodes = Set(dumps.map(\.node))
        for pod in dumps.flatMap(\.pods) { pods[pod.namespace + "/" + pod.name] = pod }
    }

    /// Whether the node of a workload told of its pods.
    package func isKnown(for workload: Workload) -> Bool { nodes.contains(workload.node) }

    /// Whether connections to a port of a pod are let in without the mesh, if they are no tunnel.
    package func isExcluded(inboundTo port: UInt16, at workload: Workload) -> Bool {
        pod(workload)?.excludedInboundPorts.contains(port) ?? false
    }

    /// Whether connections of a pod to a port, the one it dials, leave without the mesh.
    package func isExcluded(outboundTo port: UInt16, from workload: Workload) -> Bool {
        pod(workload)?.excludedOutboundPorts.contains(port) ?? false
    }

    private func pod(_ workload: Workload) -> NodeDump.LocalPod? {
        pods[workload.namespace + "/" + workload.name]
    }
}
