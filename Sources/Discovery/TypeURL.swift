/// The types of resources that discovery serves (PROTOCOL.md §2.1).
package enum TypeURL {
    package static let address = "type.googleapis.com/istio.workload.Address"
    package static let authorization = "type.googleapis.com/istio.security.Authorization"
}
