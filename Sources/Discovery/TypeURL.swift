/// The types of resources that discovery serves (PROTOCOL.md §2.1).
package enum TypeURL {
    package static let address = "type.googleapis.com/istio.workload.Address"
    package static let authorization = "type.googleapis.com/istio.security.Authorization"
    /// Our own: the revocation lists of the mesh's authorities, as the bytes field 1 of a message
    /// (a `google.protobuf.BytesValue`): PEM lists, and certificates of their authorities.
    ///
    /// Who does not subscribe to it never hears of it, as a foreign node; a foreign control plane
    /// leaves it unanswered or empty, and nothing waits for it.
    package static let revocation = "type.googleapis.com/ambit.security.RevocationLists"
}
