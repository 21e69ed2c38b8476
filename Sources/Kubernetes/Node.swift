package import Mesh

/// A machine that runs pods.
package struct Node: Object {
    package static let objectType = ObjectType(
        kind: "Node",
        apiVersions: ["v1"],
        isNamespaced: false
    )

    package var metadata: ObjectMeta
    /// The blocks its pods get their addresses from; empty when the lab is to choose.
    package var podCIDRs: [IPPrefix] = []
    /// The node's own addresses, from `status.addresses` of type InternalIP.
    package var addresses: [IPAddress] = []

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: false, nameRule: .subdomain)
        if let spec = try root.field("spec") {
            podCIDRs = try spec.list("podCIDRs", Node.prefix)
            if podCIDRs.isEmpty, let single = try spec.field("podCIDR") {
                podCIDRs = [try Node.prefix(single)]
            }
        }
        let reported = try root.field("status")?.list("addresses") { entry throws(FieldError) in
            try entry.string("type") == "InternalIP" ? try entry.required("address").address() : nil
        }
        addresses = (reported ?? []).compactMap { $0 }
    }

    private static func prefix(_ field: Field) throws(FieldError) -> IPPrefix {
        let text = try field.string()
        guard let prefix = IPPrefix(text) else {
            throw field.refused("must be a block of addresses such as 10.1.0.0/24")
        }
        return prefix
    }

    /// Where the node stands, from the well-known topology labels.
    package var locality: Locality {
        var locality = Locality()
        locality.region = metadata.labels["topology.kubernetes.io/region"] ?? ""
        locality.zone = metadata.labels["topology.kubernetes.io/zone"] ?? ""
        locality.subzone =
            metadata.labels["topology.ambit.dev/subzone"]
            ?? metadata.labels["topology.istio.io/subzone"] ?? ""
        return locality
    }
}
