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

    // The objects of one namespace by what they are for, oldest first.
    fileprivate struct Level: Sendable {
        var objects: [ObjectKey: PeerAuthentication] = [:]
        var wide: PeerAuthentication?
        var selecting: [PeerAuthentication] = []
        var warnings: [Finding] = []
    }

    private let rootNamespace: String
    private var levels: [String: Level] = [:]

    /// Makes a set without objects.
    package init(rootNamespace: String) {
        self.rootNamespace = rootNamespace
    }

    /// Adds or replaces an object; one that cannot be understood changes nothing.
    package mutating func set(_ object: PeerAuthentication) throws(FieldError) {
        try Self.check(object)
        let namespace = object.metadata.namespace
        levels[namespace, default: Level()].objects[object.key] = object
        sort(namespace)
    }

    /// Removes an object; nothing happens when it is not there.
    package mutating func remove(_ key: ObjectKey) {
        levels[key.namespace]?.objects[key] = nil
        if levels[key.namespace]?.objects.isEmpty == true {
            levels[key.namespace] = nil
        } else {
            sort(key.namespace)
        }
    }

    /// The object with this key.
    package func object(_ key: ObjectKey) -> PeerAuthentication? {
        levels[key.namespace]?.objects[key]
    }

    /// The keys of all objects.
    package var keys: [ObjectKey] { levels.values.flatMap { $0.objects.keys } }

    /// The keys of a namespace's objects.
    package func keys(in namespace: String) -> [ObjectKey] {
        levels[namespace].map { Array($0.objects.keys) } ?? []
    }

    /// What the authors of a namespace's objects should know.
    package func warnings(in namespace: String) -> [Finding] {
        levels[namespace]?.warnings ?? []
    }

    private mutating func sort(_ namespace: String) {
        guard let objects = levels[namespace]?.objects else { return }
        var level = Level(objects: objects)
        var bySelector: [[String: String]: String] = [:]
        for object in objects.values.sorted(by: Self.isOlder) {
            if let selector = object.selector, !selector.matchLabels.isEmpty {
                level.selecting.append(object)
                if let older = bySelector[selector.matchLabels] {
                    level.warn(object, "spec.selector", Self.hasNoEffect(beside: older))
                    continue
                }
                bySelector[selector.matchLabels] = object.metadata.name
                if namespace == rootNamespace {
                    level.warn(
                        object,
                        "spec.selector",
                        "selects only pods of the root namespace itself"
                    )
                }
            } else if let older = level.wide {
                level.warn(object, "", Self.hasNoEffect(beside: older.metadata.name))
            } else {
                level.wide = object
            }
        }
        levels[namespace] = level
    }

    private static func hasNoEffect(beside older: String) -> String {
        "has no effect: \(older) is older"
    }

    // An object that was never at an API server is taken for the newest.
    private static func isOlder(_ first: PeerAuthentication, _ second: PeerAuthentication) -> Bool {
        let ages = (
            first.metadata.creationTimestamp ?? .max, second.metadata.creationTimestamp ?? .max
        )
        guard ages.0 == ages.1 else { return ages.0 < ages.1 }
        return (first.metadata.name, first.group) < (second.metadata.name, second.group)
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

    /// The keys of the policies that depend on the objects of a namespace.
    package func policyKeys(affectedBy namespace: String) -> Set<String> {
        var keys: Set<String> = [strictKey]
        // The mesh's mode is inherited everywhere.
        let namespaces = namespace == rootNamespace ? Array(levels.keys) : [namespace]
        for namespace in namespaces {
            for object in levels[namespace]?.selecting ?? [] where !object.portModes.isEmpty {
                keys.insert(portLevelKey(object))
            }
        }
        return keys
    }

    /// The policy with this key: the strict one while there is any object, and one for each object
    /// whose ports differ from its own mode.
    package func policy(_ key: String) -> Policy? {
        if key == strictKey {
            guard !levels.isEmpty else { return nil }
            var strict = policy(named: Self.strictName, namespace: rootNamespace)
            strict.rules = [Policy.Rule(clauses: [Self.plaintext])]
            return strict
        }
        let namespace = String(key.prefix { $0 != "/" })
        let object = levels[namespace]?.selecting.first { portLevelKey($0) == key }
        return object.flatMap(portLevelPolicy)
    }

    /// The key of the policy that enforces the mode of a workload; nil when plaintext is taken.
    package func policyKey(labels: [String: String], namespace: String) -> String? {
        let own = levels[namespace]?.selecting.first { $0.selector?.selects(labels) == true }
        if let own, let policy = portLevelPolicy(own) { return policy.key }
        return isStrict(own, namespace: namespace) ? strictKey : nil
    }

    // Whether plaintext is refused on ports without a mode of their own.
    private func isStrict(_ own: PeerAuthentication?, namespace: String) -> Bool {
        let modes = [own, levels[namespace]?.wide, levels[rootNamespace]?.wide]
        let mode = modes.lazy.compactMap { $0?.mode }.first { $0 != .unset }
        return mode == .strict
    }

    // Nil when all ports are alike.
    private func portLevelPolicy(_ object: PeerAuthentication) -> Policy? {
        let namespace = object.metadata.namespace
        let isStrict = isStrict(object, namespace: namespace)
        let exceptions = object.portModes
            .filter { $0.value != .unset && ($0.value == .strict) != isStrict }
            .keys.sorted()
        guard !exceptions.isEmpty else { return nil }
        var policy = policy(named: portLevelName(object), namespace: namespace)
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

    private var strictKey: String { rootNamespace + "/" + Self.strictName }

    private func portLevelName(_ object: PeerAuthentication) -> String {
        Self.portLevelPrefix + object.key.policyName
    }

    private func portLevelKey(_ object: PeerAuthentication) -> String {
        object.metadata.namespace + "/" + portLevelName(object)
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

extension PeerAuthenticationSet.Level {
    fileprivate mutating func warn(
        _ object: PeerAuthentication,
        _ field: String,
        _ reason: String
    ) {
        warnings.append(Finding(object: object.key, field: field, reason: reason))
    }
}
