/// A namespace; its labels enrol its pods.
package struct Namespace: Object {
    package static let objectType = ObjectType(
        kind: "Namespace",
        apiVersions: ["v1"],
        isNamespaced: false
    )

    package var metadata: ObjectMeta

    /// Makes a namespace without labels.
    package init(name: String) {
        metadata = ObjectMeta(name: name, namespace: "")
    }

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: false, nameRule: .label)
    }
}
