internal import AmbientProtocol
internal import Mesh
internal import SwiftProtobuf

/// What a client says of itself in its first request, checked against who it was proven to be.
struct NodeIdentifier: Sendable, Equatable {
    /// Metadata by which our own client says that it takes a sync in parts.
    static let partialKey = "AMBIT_PARTIAL"

    let id: String
    let takesPartial: Bool

    /// Checks `ztunnel~IP~POD.NAMESPACE~DOMAIN` and the metadata against the caller.
    init(_ node: Envoy_Config_Core_V3_Node, caller: Caller) throws(Refusal) {
        let id = node.id
        let shown = id.clipped(bytes: 256).debugDescription
        let parts = id.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "ztunnel", IPAddress(String(parts[1])) != nil else {
            throw Refusal("node id \(shown) is not ztunnel~IP~POD.NAMESPACE~DOMAIN")
        }
        let name = parts[2]
        guard let dot = name.lastIndex(of: "."),
            name[name.index(after: dot)...] == caller.namespace
        else {
            throw Refusal("node id \(shown) is not of namespace \(caller.namespace)")
        }
        // A token that is bound to a pod names it.
        guard caller.podName.isEmpty || name[..<dot].isEmpty || name[..<dot] == caller.podName
        else { throw Refusal("node id \(shown) is not of pod \(caller.podName)") }
        let claims = [
            ("NAMESPACE", caller.namespace), ("SERVICE_ACCOUNT", caller.serviceAccount),
            ("NODE_NAME", caller.nodeName),
        ]
        for (key, proven) in claims {
            guard case .stringValue(let claim)? = node.metadata.fields[key]?.kind,
                !claim.isEmpty, !proven.isEmpty
            else { continue }
            guard claim == proven else {
                throw Refusal("metadata \(key) is \(claim.clipped(bytes: 256)), not \(proven)")
            }
        }
        self.id = id.clipped(bytes: 512)
        self.takesPartial = node.metadata.fields[Self.partialKey]?.stringValue == "true"
    }
}
