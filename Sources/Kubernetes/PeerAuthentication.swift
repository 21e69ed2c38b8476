/// Whether workloads take plaintext connections, as written.
package struct PeerAuthentication: Object {
    package static let objectType = ObjectType(
        kind: "PeerAuthentication",
        apiVersions: AuthorizationPolicy.objectType.apiVersions
    )

    /// What is asked of a connection.
    package enum Mode: String, Sendable, Hashable {
        /// As the namespace's or the mesh's policy says.
        case unset = "UNSET"
        /// Plaintext is taken; so is a tunnel, which no workload here can refuse.
        case disable = "DISABLE"
        case permissive = "PERMISSIVE"
        case strict = "STRICT"
        /// A mode this version does not know, which the conversion refuses.
        case unknown = ""
    }

    package var metadata: ObjectMeta
    /// Empty for our own API, `security.istio.io` for the one it is compatible with.
    package var group: String = ""
    /// Whether its status says that a version of it was in force.
    package var wasEnforced: Bool = false
    package var selector: LabelSelector?
    package var mode: Mode = .unset
    /// Modes of single ports, which are ports of the pod and not of a service.
    package var portModes: [UInt16: Mode] = [:]
    /// Paths of fields in the spec that are not known, sorted.
    package var unknownFields: [String] = []

    /// What names the object; objects of the two groups are never the same.
    package var key: ObjectKey {
        ObjectKey(
            kind: Self.objectType.kind,
            namespace: metadata.namespace,
            name: metadata.name,
            group: group
        )
    }

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
        group = try SecurityGroup.foreign(root)
        wasEnforced = SecurityGroup.wasEnforced(root)
        guard let spec = try root.field("spec") else { return }
        var unknown = try spec.unknownChildren(besides: ["selector", "mtls", "portLevelMtls"])
        if let field = try spec.field("selector") {
            selector = try LabelSelector(field, unknown: &unknown)
        }
        if let field = try spec.field("mtls") {
            mode = try PeerAuthentication.mode(field, unknown: &unknown)
        }
        for (name, field) in try spec.field("portLevelMtls")?.entries() ?? [] {
            guard let port = UInt16(name), port > 0 else {
                throw field.refused("the key must be a port from 1 to 65535")
            }
            guard portModes[port] == nil else { throw field.refused("the port is repeated") }
            portModes[port] = try PeerAuthentication.mode(field, unknown: &unknown)
        }
        unknownFields = unknown
    }

    private static func mode(
        _ field: Field,
        unknown: inout [String]
    ) throws(FieldError) -> Mode {
        unknown += try field.unknownChildren(besides: ["mode"])
        guard let text = try field.string("mode") else { return .unset }
        return text.isEmpty ? .unknown : Mode(rawValue: text) ?? .unknown
    }
}
