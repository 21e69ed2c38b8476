/// The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
package struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    package let trustDomain: String
    package let namespace: String
    package let serviceAccount: String

    /// Makes an identity from parts that were checked where they came in.
    package init(trustDomain: String, namespace: String, serviceAccount: String) {
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }

    /// The URI form.
    package var description: String { "spiffe://" + principal }

    /// The form policies compare: the URI without its scheme.
    package var principal: String {
        trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount
    }
}
