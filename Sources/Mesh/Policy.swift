/// One L4 authorization policy, with the fields of `istio.security.Authorization` (§2.3).
///
/// Semantics are PROTOCOL.md §3: a policy matches when any rule does, a rule when all its clauses
/// do, a clause when any of its matches does, a match when all its fields do.
package struct Policy: Sendable, Equatable {
    /// Which workloads it applies to.
    package enum Scope: Sendable, Hashable { case global, namespace, workloadSelector }
    /// What a match means.
    package enum Action: Sendable, Hashable { case allow, deny }

    package var name: String
    package var namespace: String
    package var scope: Scope
    package var action: Action
    package var rules: [Rule] = []
    /// Evaluated and logged, never enforced.
    package var dryRun: Bool = false

    package init(name: String, namespace: String, scope: Scope, action: Action) {
        self.name = name
        self.namespace = namespace
        self.scope = scope
        self.action = action
    }

    /// The key workloads name it by: `ns/name`.
    package var key: String { namespace + "/" + name }

    /// All clauses must hold; a rule without clauses matches everything.
    package struct Rule: Sendable, Hashable {
        package var clauses: [Clause]
        package init(clauses: [Clause]) { self.clauses = clauses }
    }

    /// Any match must hold; a clause without matches holds.
    package struct Clause: Sendable, Hashable {
        package var matches: [Match]
        package init(matches: [Match]) { self.matches = matches }
    }

    /// A test of one string.
    package enum StringMatch: Sendable, Hashable {
        case exact(String)
        case prefix(String)
        case suffix(String)
        case presence
    }

    /// A service account by namespace and name, whatever its trust domain.
    package struct ServiceAccountMatch: Sendable, Hashable {
        package var namespace: String
        package var serviceAccount: String
        package init(namespace: String, serviceAccount: String) {
            self.namespace = namespace
            self.serviceAccount = serviceAccount
        }
    }

    /// All given fields must hold; a match with no field at all never holds.
    package struct Match: Sendable, Hashable {
        package var namespaces: [StringMatch] = []
        package var notNamespaces: [StringMatch] = []
        package var principals: [StringMatch] = []
        package var notPrincipals: [StringMatch] = []
        package var sourceIPs: [IPPrefix] = []
        package var notSourceIPs: [IPPrefix] = []
        package var destinationIPs: [IPPrefix] = []
        package var notDestinationIPs: [IPPrefix] = []
        package var destinationPorts: [UInt16] = []
        package var notDestinationPorts: [UInt16] = []
        package var serviceAccounts: [ServiceAccountMatch] = []
        package var notServiceAccounts: [ServiceAccountMatch] = []
        package init() {}
    }
}
