/// The versions of the CNI specification that the plugin speaks.
package enum CNIVersion: String, Sendable, CaseIterable {
    case v1_0 = "1.0.0"
    case v1_1 = "1.1.0"
}
