internal import Kubernetes

/// A kind of object as people type it.
struct KindName {
    let kind: String
    let isNamespaced: Bool

    private static let types: [(type: ObjectType, short: [String])] = [
        (Namespace.objectType, ["ns"]),
        (Node.objectType, ["no"]),
        (ServiceAccount.objectType, ["sa"]),
        (Pod.objectType, ["po"]),
        (Service.objectType, ["svc"]),
        (EndpointSlice.objectType, []),
        (AuthorizationPolicy.objectType, ["ap", "authorizationpolicies"]),
        (PeerAuthentication.objectType, ["pa"]),
        (Gateway.objectType, ["gtw"]),
    ]

    /// Finds the kind by its name in singular or plural, in any case, or by its short name.
    init?(_ text: String) {
        let text = text.lowercased()
        for (type, short) in Self.types {
            let name = type.kind.lowercased()
            guard text == name || text == name + "s" || short.contains(text) else { continue }
            kind = type.kind
            isNamespaced = type.isNamespaced
            return
        }
        return nil
    }
}
