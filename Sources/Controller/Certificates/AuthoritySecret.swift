internal import Foundation
package import Kubernetes
internal import Reactor
internal import TLS

/// The mesh's own authority in a Secret, made once and replaced in steps.
///
/// A rotation is asked for by the annotation `ambit.dev/rotate-root`, whose value may be the
/// length of a step in seconds. Step by step, each held for that long: the new root is trusted
/// beside the old one (`announced`); it signs, the old one is still trusted (`signing`); the old
/// one is dropped. A step must be a certificate's lifetime at least: then every node has heard of
/// a root before a peer shows a certificate of it.
package struct AuthoritySecret: Sendable {
    /// How the Secret is named and what it may hold.
    package struct Settings: Sendable {
        package var namespace = "ambit-system"
        package var name = "ambit-ca"
        package var trustDomain = "cluster.local"
        /// Whether a missing Secret is made; one that others keep is not.
        package var isOwn = true
        package var rootLifetimeSeconds: Int64 = 10 * 365 * 24 * 3600
        /// How long a step of a rotation is unless the annotation says so.
        package var stepSeconds: Int64 = 24 * 3600

        /// The defaults.
        package init() {}
    }

    private enum Annotation {
        static let request = "ambit.dev/rotate-root"
        static let stage = "ambit.dev/rotation-stage"
        /// Unix seconds at which the next step is due.
        static let due = "ambit.dev/rotation-due"
        static let step = "ambit.dev/rotation-step"
    }

    private let cluster: any Cluster
    private let settings: Settings

    var trustDomain: String { settings.trustDomain }

    /// Keeps the authority in a cluster.
    package init(cluster: any Cluster, settings: Settings) {
        self.cluster = cluster
        self.settings = settings
    }

    private var reference: ObjectReference {
        ObjectReference(.secrets, namespace: settings.namespace, name: settings.name)
    }

    /// Reads the Secret, and makes it if it is ours and not there; of several replicas that make
    /// it at once one succeeds, and all take its.
    package func load() async throws -> AuthorityMaterial {
        if let secret = try await cluster.get(reference) {
            return try AuthorityMaterial(secret: secret)
        }
        guard settings.isOwn else {
            throw AuthorityError("there is no Secret \(settings.namespace)/\(settings.name)")
        }
        let root = try makeRoot()
        let secret: Value = [
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": [
                "name": .string(settings.name), "namespace": .string(settings.namespace),
            ],
            "data": [
                "ca.crt": Self.data(root.chain), "ca.key": Self.data(root.key),
                "root.crt": Self.data(root.roots),
            ],
        ]
        do {
            return try AuthorityMaterial(secret: try await cluster.create(secret))
        } catch let error as ClusterError where error.code == .alreadyExists {
            guard let secret = try await cluster.get(reference) else { throw error }
            return try AuthorityMaterial(secret: secret)
        }
    }

    /// Takes the step of a rotation that is due, if any, and makes the revocation lists that are:
    /// only the leader does.
    ///
    /// Another writer in between makes it fail, and be tried again later. True when it did
    /// anything.
    package func advance(nowSeconds: Int64) async throws -> Bool {
        guard settings.isOwn, let secret = try await cluster.get(reference) else { return false }
        let stepped = try stepped(secret, nowSeconds: nowSeconds)
        guard var next = try relisted(stepped ?? secret, nowSeconds: nowSeconds) ?? stepped else {
            return false
        }
        next["metadata"]["managedFields"] = .null
        _ = try await cluster.update(next)
        return true
    }

    /// The Secret after the step of a rotation that is due; nil when none is.
    private func stepped(_ found: Value, nowSeconds: Int64) throws -> Value? {
        var secret = found
        let annotations = secret["metadata"]["annotations"]
        let stage = annotations[Annotation.stage].stringValue ?? ""
        let due = annotations[Annotation.due].stringValue.flatMap { Int64($0) } ?? 0
        let step =
            (annotations[Annotation.step].stringValue
            ?? annotations[Annotation.request].stringValue)
            .flatMap { Int64($0) }.map { min(max($0, 0), 365 * 24 * 3600) } ?? settings.stepSeconds
        let material = try AuthorityMaterial(secret: secret)
        var notes = annotations
        switch stage {
        case "announced":
            guard due <= nowSeconds else { return nil }
            // Until its root is dropped, the old key may still have certificates to revoke.
            secret["data"]["previous.crt"] = secret["data"]["ca.crt"]
            secret["data"]["previous.key"] = secret["data"]["ca.key"]
            secret["data"]["ca.crt"] = secret["data"]["next.crt"]
            secret["data"]["ca.key"] = secret["data"]["next.key"]
            secret["data"]["next.crt"] = .null
            secret["data"]["next.key"] = .null
            notes[Annotation.stage] = "signing"
            notes[Annotation.due] = .string("\(nowSeconds + step)")
        case "signing":
            guard due <= nowSeconds else { return nil }
            secret["data"]["root.crt"] = secret["data"]["ca.crt"]
            secret["data"]["previous.crt"] = .null
            secret["data"]["previous.key"] = .null
            for name in [Annotation.stage, Annotation.due, Annotation.step] { notes[name] = .null }
        default:
            guard annotations[Annotation.request] != .null else { return nil }
            let next = try makeRoot()
            secret["data"]["next.crt"] = Self.data(next.chain)
            secret["data"]["next.key"] = Self.data(next.key)
            secret["data"]["root.crt"] = Self.data(material.roots + next.roots)
            notes[Annotation.request] = .null
            notes[Annotation.stage] = "announced"
            notes[Annotation.step] = .string("\(step)")
            notes[Annotation.due] = .string("\(nowSeconds + step)")
        }
        secret["metadata"]["annotations"] = notes
        return secret
    }

    private func makeRoot() throws -> AuthorityMaterial {
        let now = WallClock.seconds
        let root = try Authority.root(
            trustDomain: settings.trustDomain,
            notBefore: now - MeshAuthority.backdateSeconds,
            notAfter: now + settings.rootLifetimeSeconds
        )
        let certificate = root.certificate.pem
        let key = String(root.secretPEM.dropFirst(certificate.count))
        return AuthorityMaterial(chain: certificate, key: key, roots: certificate)
    }

    static func data(_ text: String) -> Value {
        .string(Data(text.utf8).base64EncodedString())
    }
}
