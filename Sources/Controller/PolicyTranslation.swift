package import Kubernetes
package import Mesh

/// All policy objects as L4 policies, and which of them name which workload.
package struct PolicyTranslation: Sendable {
    package private(set) var policies: [Policy] = []
    /// Why objects were left out.
    package private(set) var refusals: [Finding] = []
    package private(set) var warnings: [Finding] = []

    private let rootNamespace: String
    private let peerAuthentications: PeerAuthenticationSet
    // Selector policies by namespace, sorted by name.
    private var selectors: [String: [(selector: LabelSelector, key: String)]] = [:]

    /// Converts the policy objects of a mesh.
    package init(
        authorization: [AuthorizationPolicy],
        peerAuthentication: [PeerAuthentication],
        settings: MeshSettings
    ) {
        rootNamespace = settings.rootNamespace
        peerAuthentications = PeerAuthenticationSet(peerAuthentication, settings: settings)
        for object in authorization.sorted(by: { $0.metadata.name < $1.metadata.name }) {
            do {
                let conversion = try AuthorizationPolicyConversion(object, settings: settings)
                warnings += conversion.warnings
                if let policy = conversion.policy { add(policy, selector: object.selector) }
            } catch {
                refusals.append(
                    Finding(object: object.key, field: error.path, reason: error.reason)
                )
            }
        }
        policies += peerAuthentications.policies
        refusals += peerAuthentications.refusals
        warnings += peerAuthentications.warnings
    }

    private mutating func add(_ policy: Policy, selector: LabelSelector?) {
        policies.append(policy)
        if policy.scope == .workloadSelector, let selector {
            selectors[policy.namespace, default: []].append((selector, policy.key))
        }
    }

    /// The keys of the selector policies for a workload with these labels: those of its namespace,
    /// those of the root namespace, and the one for its PeerAuthentication.
    package func policyKeys(labels: [String: String], namespace: String) -> [String] {
        var candidates = selectors[namespace] ?? []
        if namespace != rootNamespace { candidates += selectors[rootNamespace] ?? [] }
        var keys = candidates.filter { $0.selector.selects(labels) }.map(\.key)
        if let key = peerAuthentications.policyKey(labels: labels, namespace: namespace) {
            keys.append(key)
        }
        return keys
    }
}
