package import Kubernetes

/// Where people, nodes and other programs find what is public of the authority: ConfigMaps.
///
/// The revocation lists stand there for the controller, too: one that starts anew knows by them
/// what was in force before it.
package struct AuthorityPublication: Sendable {
    /// The ConfigMap with the roots, and its key.
    static let roots = (name: "ambit-ca-root", key: "root-cert.pem")
    /// The ConfigMap with the revocation lists, and its key, which is Istio's.
    static let revocations = (name: "ambit-ca-crl", key: AuthoritySecret.listKey)

    /// How long what others delete or change stays so.
    private static let repair = Duration.seconds(60)

    private let cluster: any Cluster
    private let namespace: String
    // What was written last, and when, by ConfigMap.
    private var written: [String: (data: Value, at: ContinuousClock.Instant)] = [:]

    /// Publishes in a namespace of a cluster.
    package init(cluster: any Cluster, namespace: String) {
        self.cluster = cluster
        self.namespace = namespace
    }

    /// Writes the trusted roots, unless they were a short while ago.
    package mutating func publish(roots: [String]) async throws {
        try await write(Self.roots.name, [Self.roots.key: .string(roots.joined())])
    }

    /// Writes the revocation lists in force, unless they were a short while ago; nil for none.
    package mutating func publish(revocations: String?) async throws {
        try await write(
            Self.revocations.name,
            [Self.revocations.key: .string(revocations ?? "")]
        )
    }

    /// The revocation lists that were in force when they were last written; nil for none.
    package func publishedRevocations() async throws -> String? {
        try await read(Self.revocations.name, Self.revocations.key)
    }

    /// The roots that were trusted when they were last written, PEM; nil for none.
    package func publishedRoots() async throws -> String? {
        try await read(Self.roots.name, Self.roots.key)
    }

    private func read(_ name: String, _ key: String) async throws -> String? {
        let place = ObjectReference(.configMaps, namespace: namespace, name: name)
        let text = try await cluster.get(place)?["data"][key].stringValue
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    private mutating func write(_ name: String, _ data: Value) async throws {
        let now = ContinuousClock.now
        if let last = written[name], last.data == data, now - last.at < Self.repair { return }
        let map: Value = [
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "data": data,
        ]
        _ = try await cluster.apply(map, subresource: "", fieldManager: "ambit-controller")
        written[name] = (data, now)
    }
}
