/// A Kubernetes object of a kind that is read here, with only the fields that are used.
package protocol Object: Sendable, Equatable {
    /// The kind and the API groups it is read from.
    static var objectType: ObjectType { get }
    var metadata: ObjectMeta { get set }
    /// What names the object among all others.
    var key: ObjectKey { get }
    /// What an API server sends and `init` does not read, or only for who runs the containers.
    static var unread: Omission { get }
    /// Reads the object from its root; unknown fields are left out.
    init(_ root: Field) throws(FieldError)
}

extension Object {
    /// Who wrote which field, often half of an object.
    package static var unread: Omission { ["metadata": ["managedFields": .whole]] }

    /// What names the object among all others, for kinds of a single API group.
    package var key: ObjectKey {
        ObjectKey(
            kind: Self.objectType.kind,
            namespace: metadata.namespace,
            name: metadata.name
        )
    }
}

/// What Kubernetes calls a kind of object, and where it is served.
package struct ObjectType: Sendable, Hashable {
    package let kind: String
    /// `group/version` for each API it is read from; the core group has no slash.
    package let apiVersions: [String]
    /// Whether objects of the kind live in a namespace.
    package let isNamespaced: Bool

    package init(kind: String, apiVersions: [String], isNamespaced: Bool = true) {
        self.kind = kind
        self.apiVersions = apiVersions
        self.isNamespaced = isNamespaced
    }
}

/// The kinds that are read here.
package enum ObjectKind: Sendable, Hashable, CaseIterable {
    case namespace
    case node
    case serviceAccount
    case pod
    case service
    case endpointSlice
    case authorizationPolicy
    case peerAuthentication
    case gateway

    /// The kind an object says it is; nil when it is none of these.
    package init?(kind: String, apiVersion: String) {
        let match = Self.allCases.first {
            $0.objectType.kind == kind && $0.objectType.apiVersions.contains(apiVersion)
        }
        guard let match else { return nil }
        self = match
    }

    /// The kind's name and APIs.
    package var objectType: ObjectType {
        switch self {
        case .namespace: Namespace.objectType
        case .node: Node.objectType
        case .serviceAccount: ServiceAccount.objectType
        case .pod: Pod.objectType
        case .service: Service.objectType
        case .endpointSlice: EndpointSlice.objectType
        case .authorizationPolicy: AuthorizationPolicy.objectType
        case .peerAuthentication: PeerAuthentication.objectType
        case .gateway: Gateway.objectType
        }
    }
}

/// The kind, namespace and name of one object.
package struct ObjectKey: Sendable, Hashable, CustomStringConvertible {
    package let kind: String
    /// Empty for a cluster-scoped object.
    package let namespace: String
    package let name: String
    /// The API group, where the kind is read from several; empty for our own and for all others.
    ///
    /// Two objects that differ only in it are two objects.
    package let group: String

    package init(kind: String, namespace: String, name: String, group: String = "") {
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.group = group
    }

    /// Such as `Pod shop/web`, `Namespace shop` or `Kind.group shop/web`.
    package var description: String {
        let type = group.isEmpty ? kind : kind + "." + group
        return namespace.isEmpty ? "\(type) \(name)" : "\(type) \(namespace)/\(name)"
    }
}
