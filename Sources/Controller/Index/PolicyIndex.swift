internal import Kubernetes
internal import Mesh

/// All policy objects as L4 policies, one object at a time, and which of them name which workload.
struct PolicyIndex: Sendable {
    /// What has to be looked at again after a change.
    struct Effect {
        /// Keys of policies that may have changed, come or gone.
        var policyKeys: Set<String> = []
        /// Pods whose list of policies may have changed.
        var pods: [PodSelection] = []
    }

    private struct Entry: Sendable {
        var policy: Policy
        var selector: LabelSelector?

        init(_ policy: Policy, of object: AuthorizationPolicy) {
            self.policy = policy
            selector = policy.scope == .workloadSelector ? object.selector : nil
        }
    }

    private let settings: MeshSettings
    private var peers: PeerAuthenticationSet
    private var entries: [ObjectKey: Entry] = [:]
    private var objectsByPolicy: [String: ObjectKey] = [:]
    // Those that stand in for a version that is lost.
    private var closed: Set<ObjectKey> = []
    // Policies with a selector, each under one of the labels it asks for.
    private var bySelector = Postings<LabelPair, ObjectKey>()

    init(settings: MeshSettings) {
        self.settings = settings
        peers = PeerAuthenticationSet(rootNamespace: settings.rootNamespace)
    }

    /// Adds or replaces a policy and returns its warnings; one that is refused changes nothing.
    mutating func set(
        _ object: AuthorizationPolicy
    ) throws(FieldError) -> (effect: Effect, warnings: [Finding]) {
        let conversion = try AuthorizationPolicyConversion(object, settings: settings)
        let entry = conversion.policy.map { Entry($0, of: object) }
        closed.remove(object.key)
        return (replace(object.key, with: entry), conversion.warnings)
    }

    /// Lets a refused policy of which no version is known, but was in force, refuse everything.
    mutating func close(_ object: AuthorizationPolicy) -> Effect {
        guard entries[object.key] == nil, object.wasEnforced,
            let policy = AuthorizationPolicyConversion.closed(object, settings: settings)
        else { return Effect() }
        closed.insert(object.key)
        return replace(object.key, with: Entry(policy, of: object))
    }

    /// Lets a refused policy of which no version is known, but was in force, refuse plaintext.
    mutating func close(_ object: PeerAuthentication) -> Effect {
        guard peers.object(object.key) == nil, object.wasEnforced else { return Effect() }
        var strict = object
        (strict.mode, strict.portModes, strict.unknownFields) = (.strict, [:], [])
        guard let effect = try? set(strict) else { return Effect() }
        closed.insert(object.key)
        return effect
    }

    /// Whether an object is in force, if not with its last version.
    func isInForce(_ key: ObjectKey) -> Bool { entries[key] != nil || peers.object(key) != nil }

    /// Whether what is in force stands in for a version that is lost.
    func isClosed(_ key: ObjectKey) -> Bool { closed.contains(key) }

    /// Removes a policy.
    mutating func removeAuthorization(_ key: ObjectKey) -> Effect {
        closed.remove(key)
        return replace(key, with: nil)
    }

    private mutating func replace(_ key: ObjectKey, with entry: Entry?) -> Effect {
        var effect = Effect()
        let old = entries[key]
        entries[key] = entry
        for entry in [old, entry].compactMap(\.self) { effect.policyKeys.insert(entry.policy.key) }
        if let old { objectsByPolicy[old.policy.key] = nil }
        if let entry { objectsByPolicy[entry.policy.key] = key }
        guard old?.selector != entry?.selector else { return effect }
        for (selector, isNew) in [(old?.selector, false), (entry?.selector, true)] {
            guard let selector, let pair = selector.pair(in: key.namespace) else { continue }
            if isNew {
                bySelector.insert(key, for: pair)
            } else {
                bySelector.remove(key, for: pair)
            }
            // Those of the root namespace select pods everywhere.
            let namespace = key.namespace == settings.rootNamespace ? nil : key.namespace
            effect.pods.append(PodSelection(namespace: namespace, labels: selector.matchLabels))
        }
        return effect
    }

    /// Adds or replaces a policy; one that is refused changes nothing.
    mutating func set(_ object: PeerAuthentication) throws(FieldError) -> Effect {
        let before = peers.policyKeys(affectedBy: object.metadata.namespace)
        let old = peers.object(object.key)
        try peers.set(object)
        closed.remove(object.key)
        return peerEffect(before, old, object)
    }

    /// Removes a policy.
    mutating func removePeerAuthentication(_ key: ObjectKey) -> Effect {
        let before = peers.policyKeys(affectedBy: key.namespace)
        let old = peers.object(key)
        peers.remove(key)
        closed.remove(key)
        return peerEffect(before, old, nil)
    }

    private func peerEffect(
        _ keysBefore: Set<String>,
        _ old: PeerAuthentication?,
        _ new: PeerAuthentication?
    ) -> Effect {
        guard let namespace = (new ?? old)?.metadata.namespace, old != new else { return Effect() }
        var effect = Effect()
        effect.policyKeys = keysBefore.union(peers.policyKeys(affectedBy: namespace))
        for object in [old, new].compactMap(\.self) {
            let labels = object.selector?.matchLabels ?? [:]
            let isMeshWide = labels.isEmpty && namespace == settings.rootNamespace
            effect.pods.append(
                PodSelection(namespace: isMeshWide ? nil : namespace, labels: labels)
            )
        }
        return effect
    }

    /// What the author of a PeerAuthentication in this namespace should know.
    func peerWarnings(in namespace: String) -> [Finding] { peers.warnings(in: namespace) }

    /// The keys of the PeerAuthentications in a namespace.
    func peerKeys(in namespace: String) -> [ObjectKey] { peers.keys(in: namespace) }

    /// The policy made from an AuthorizationPolicy; nil when none is.
    func policy(of key: ObjectKey) -> Policy? { entries[key]?.policy }

    /// The keys of all objects that are in force.
    var objectKeys: Set<ObjectKey> { Set(entries.keys).union(peers.keys) }

    /// The policy with this key; nil when there is none now.
    func policy(_ key: String) -> Policy? {
        objectsByPolicy[key].flatMap { entries[$0]?.policy } ?? peers.policy(key)
    }

    /// The keys of the selector policies for a workload with these labels: those of its namespace,
    /// those of the root namespace, and the one for its PeerAuthentication.
    func policyKeys(labels: [String: String], namespace: String) -> [String] {
        var keys: [String] = []
        let root = settings.rootNamespace
        for origin in namespace == root ? [root] : [namespace, root] {
            var found: [String] = []
            for (key, value) in labels {
                let pair = LabelPair(namespace: origin, key: key, value: value)
                for object in bySelector[pair] {
                    guard let entry = entries[object], entry.selector?.selects(labels) == true
                    else { continue }
                    found.append(entry.policy.key)
                }
            }
            keys += found.sorted()
        }
        if let key = peers.policyKey(labels: labels, namespace: namespace) { keys.append(key) }
        return keys
    }
}

/// Pods by namespace and labels.
struct PodSelection {
    /// Nil for all namespaces.
    var namespace: String?
    /// All of them must be there; none means all pods.
    var labels: [String: String]
}

extension LabelSelector {
    /// The first of its labels, under which it is looked up; nil when it selects everything.
    func pair(in namespace: String) -> LabelPair? {
        matchLabels.min { $0.key < $1.key }.map {
            LabelPair(namespace: namespace, key: $0.key, value: $0.value)
        }
    }
}

extension ObjectKey {
    /// What the policies made from the object are named for: its name, and its group if that is
    /// not ours, so that objects of the two groups never make the same policy.
    var policyName: String { group.isEmpty ? name : name + "@" + group }
}
