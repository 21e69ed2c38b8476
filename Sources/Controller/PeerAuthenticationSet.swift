package import Kubernetes
package import Mesh

/// All PeerAuthentications of a mesh, and the L4 policies that stand for them (PROTOCOL.md §3).
///
/// The mode of a workload comes from the mesh's, then the namespace's, then the workload's own
/// policy, each overruling the one before unless it is unset. Of several policies at one level the
/// oldest holds.
package struct PeerAuthenticationSet: Sendable {
    /// The name of the policy, in the root namespace, that refuses plaintext.
    package static let strictName = "istio_converted_static_strict"
    /// What the name of a policy with modes for single ports starts with.
    package static let portLevelPrefix = "converted_peer_authentication_"

    /// Why objects were left out.
    package private(set) var refusals: [Finding] = []
    package private(set) var warnings: [Finding] = []

    private let rootNamespace: String
    private var isEmpty = true
    // Oldest first, by namespace.
    private var namespaceWide: [String: PeerAuthentication] = [:]
    private var workloadWide: [String: [PeerAuthentication]] = [:]

    /// Sorts the objects by age and leaves out those that cannot be understood.
    package init(_ objects: [PeerAuthentication], settings: MeshSettings) {
        rootNamespace = settings.rootNamespace
        for object in objects.sorted(by: Self.isOlder) {
            do {
                try Self.check(object)
            } catch {
                refusals.append(
                    Finding(object: object.key, field: error.path, reason: error.reason)
                )
                continue
            }
            add(object)
        }
    }

    private mutating func add(_ object: PeerAuthentication) {
        isEmpty = false
        let namespace = object.metadata.namespace
        if let selector = object.selector, !selector.matchLabels.isEmpty {
            workloadWide[namespace, default: []].append(object)
            if namespace == rootNamespace {
                warn(object, "spec.selector", "selects only pods of the root namespace itself")
            }
        } else if let older = namespaceWide[namespace] {
            warn(object, "", "has no effect: \(older.metadata.name) is older")
        } else {
            namespaceWide[namespace] = object
        }
    }

    private mutating func warn(_ object: PeerAuthentication, _ field: String, _ reason: String) {
        warnings.append(Finding(object: object.key, field: field, reason: reason))
    }

    // An object that was never at an API server is taken for the newest.
    private static func isOlder(_ first: PeerAuthentication, _ second: PeerAuthentication) -> Bool {
        let ages = (
            first.metadata.creationTimestamp ?? .max, second.metadata.creationTimestamp ?? .max
        )
        guard ages.0 == ages.1 else { return ages.0 < ages.1 }
        guard first.metadata.name == second.metadata.name else {
            return first.metadata.name < second.metadata.name
        }
        return first.metadata.namespace < second.metadata.namespace
    }

    private static func check(_ object: PeerAuthentication) throws(FieldError) {
        if let field = object.unknownFields.first {
            throw FieldError(path: field, reason: "is not a known field")
        }
        let expected = "must be UNSET, DISABLE, PERMISSIVE or STRICT"
        guard object.mode != .unknown else {
            throw FieldError(path: "spec.mtls.mode", reason: expected)
        }
        for (port, mode) in object.portModes.sorted(by: { $0.key < $1.key })
        where mode == .unknown {
            throw FieldError(path: "spec.portLevelMtls.\(port).mode", reason: expected)
        }
        guard object.portModes.isEmpty || object.selector?.matchLabels.isEmpty == false else {
            throw FieldError(path: "spec.portLevelMtls", reason: "needs a selector with labels")
        }
    }

    // MARK: Policies

    /// The policies for all objects: the strict one if there is any object, and one for each object
    /// whose ports differ from its own mode.
    package var policies: [Policy] {
        guard !isEmpty else { return [] }
        var strict = policy(named: Self.strictName, namespace: rootNamespace)
        strict.rules = [Policy.Rule(clauses: [Self.plaintext])]
        let portLevel = workloadWide.sorted { $0.key < $1.key }.flatMap { _, objects in
            objects.compactMap(portLevelPolicy)
        }
        return [strict] + portLevel
    }

    /// The key of the policy that enforces the mode of a workload; nil when plaintext is taken.
    package func policyKey(labels: [String: String], namespace: String) -> String? {
        let own = workloadWide[namespace]?.first { $0.selector?.selects(labels) == true }
        if let own, let policy = portLevelPolicy(own) { return policy.key }
        let isStrict = isStrict(own, namespace: namespace)
        return isStrict ? rootNamespace + "/" + Self.strictName : nil
    }

    // Whether plaintext is refused on ports without a mode of their own.
    private func isStrict(_ own: PeerAuthentication?, namespace: String) -> Bool {
        let levels = [own, namespaceWide[namespace], namespaceWide[rootNamespace]]
        let mode = levels.lazy.compactMap { $0?.mode }.first { $0 != .unset }
        return mode == .strict
    }

    // Nil when all ports are alike.
    private func portLevelPolicy(_ object: PeerAuthentication) -> Policy? {
        let (name, namespace) = (object.metadata.name, object.metadata.namespace)
        let isStrict = isStrict(object, namespace: namespace)
        let exceptions = object.portModes
            .filter { $0.value != .unset && ($0.value == .strict) != isStrict }
            .keys.sorted()
        guard !exceptions.isEmpty else { return nil }
        var policy = policy(named: Self.portLevelPrefix + name, namespace: namespace)
        if isStrict {
            let otherPorts = exceptions.map { port in
                var match = Policy.Match()
                match.notDestinationPorts = [port]
                return Policy.Clause(matches: [match])
            }
            policy.rules = [Policy.Rule(clauses: [Self.plaintext] + otherPorts)]
        } else {
            policy.rules = exceptions.map { port in
                var match = Policy.Match()
                match.destinationPorts = [port]
                return Policy.Rule(clauses: [Self.plaintext, Policy.Clause(matches: [match])])
            }
        }
        return policy
    }

    private func policy(named name: String, namespace: String) -> Policy {
        Policy(name: name, namespace: namespace, scope: .workloadSelector, action: .deny)
    }

    // Holds for a connection without an identity.
    private static var plaintext: Policy.Clause {
        var match = Policy.Match()
        match.notPrincipals = [.presence]
        return Policy.Clause(matches: [match])
    }
}
