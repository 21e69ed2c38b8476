/// One file of deploy/ as it was when this program was built.
package struct EmbeddedManifest: Sendable {
    /// Below deploy/.
    package let path: String
    /// The text of the file.
    package let text: String

    /// All files of deploy/overlays/default, in the order they are applied: what an object needs
    /// comes before it.
    package static let all = [
        baseNamespace, authorizationPolicies, peerAuthentications, requestAuthentications,
        baseControllerAccess, baseNodeAccess, baseController, baseNode,
    ]
}
