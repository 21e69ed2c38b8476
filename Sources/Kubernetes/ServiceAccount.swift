/// A service account: with its namespace, the identity of the pods that run under it.
package struct ServiceAccount: Object {
    package static let objectType = ObjectType(kind: "ServiceAccount", apiVersions: ["v1"])

    package var metadata: ObjectMeta

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
    }
}
