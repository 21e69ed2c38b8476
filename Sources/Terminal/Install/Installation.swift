/// Ambit as it is installed in a cluster.
package enum Installation {
    /// The root namespace, which holds the mesh's own programs.
    package static let namespace = "ambit-system"
    /// Who owns the fields that are applied.
    package static let fieldManager = "ambit"
}
