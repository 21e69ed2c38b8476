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

    /// The Secret as it was read.
    package struct Reading: Sendable {
        package let material: AuthorityMaterial
        /// All of it, so that it can be written again.
        package let secret: Value
        /// What was done because it was not there, though it had been; nil when nothing was.
        package let loss: Loss?

        init(_ secret: Value, _ loss: Loss? = nil) throws(AuthorityError) {
            material = try AuthorityMaterial(secret: secret)
            self.secret = secret
            self.loss = loss
        }
    }

    /// What became of a Secret that somebody took away.
    package enum Loss: Sendable, Hashable {
        /// It is gone, and for the leader to write again.
        case missing
        /// It was written again, as it was read last.
        case restored
        /// Nobody had it any more: a new root was made, and so many old ones are still trusted.
        case replaced(rootsKept: Int)
    }

    /// Reads the Secret; one of ours that is not there is made, by one replica if several try.
    ///
    /// Who read it before, `last`, does not let the mesh lose its root: the leader writes it again
    /// as it was, others go on with it. Without that, and with roots published, the key is lost:
    /// those roots stay trusted beside a new one for a step, as at the end of a rotation.
    /// `mayReplace` says whether to take it for lost already.
    package func load(
        after last: Value? = nil,
        leads: Bool = true,
        mayReplace: Bool = true
    ) async throws -> Reading {
        if let secret = try await cluster.get(reference) { return try Reading(secret) }
        let name = "\(settings.namespace)/\(settings.name)"
        guard settings.isOwn else { throw AuthorityError("there is no Secret \(name)") }
        if let last {
            guard leads else { return try Reading(last, .missing) }
            return try await create(copy(of: last), .restored)
        }
        let old = try await publishedRoots()
        guard !old.isEmpty else { return try await create(try fresh(), nil) }
        guard mayReplace else {
            throw AuthorityError(
                "there is no Secret \(name), though the mesh has a root, in the ConfigMap "
                    + "\(AuthorityPublication.roots.name): waiting for a controller that holds it"
            )
        }
        let lists = try await publishedLists(of: old)
        let secret = try following(old, lists, try fresh())
        return try await create(secret, .replaced(rootsKept: old.count))
    }

    private func create(_ secret: Value, _ loss: Loss?) async throws -> Reading {
        do {
            return try Reading(try await cluster.create(secret), loss)
        } catch let error as ClusterError where error.code == .alreadyExists {
            guard let secret = try await cluster.get(reference) else { throw error }
            return try Reading(secret)
        }
    }

    /// What of a Secret is not the API server's.
    private func copy(of secret: Value) -> Value {
        var copy = secret
        copy["metadata"] = [
            "name": .string(settings.name), "namespace": .string(settings.namespace),
        ]
        for name in ["annotations", "labels"] {
            copy["metadata"][name] = secret["metadata"][name]
        }
        return copy
    }

    private func fresh() throws -> Value {
        let root = try makeRoot()
        return [
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
    }

    /// A new Secret as after a rotation from roots whose keys are gone, with their last lists.
    private func following(_ old: [Certificate], _ lists: String, _ new: Value) throws -> Value {
        var secret = new
        let roots = try AuthorityMaterial(secret: new).roots + old.map(\.pem).joined()
        secret["data"]["root.crt"] = Self.data(roots)
        if !lists.isEmpty { secret["data"][Self.previousListKey] = Self.data(lists) }
        secret["metadata"]["annotations"] = [
            Annotation.stage: "signing",
            Annotation.due: .string("\(WallClock.seconds + settings.stepSeconds)"),
        ]
        return secret
    }

    /// The newest roots that were published and are still valid; none where they cannot be read.
    private func publishedRoots() async throws -> [Certificate] {
        let place = AuthorityPublication(cluster: cluster, namespace: settings.namespace)
        guard let text = try await place.publishedRoots() else { return [] }
        let now = WallClock.seconds
        let roots = (try? TrustBundle(pem: [text]).roots) ?? []
        let valid = roots.filter { $0.notAfter > now }.sorted { $0.notBefore > $1.notBefore }
        return Array(valid.prefix(Self.oldRootsMax))
    }

    /// Roots that are kept of those before.
    private static let oldRootsMax = 8

    /// The lists that were published, if all of them are those roots'; else none.
    private func publishedLists(of roots: [Certificate]) async throws -> String {
        let place = AuthorityPublication(cluster: cluster, namespace: settings.namespace)
        guard let text = try await place.publishedRevocations() else { return "" }
        let reading = try? RevocationList.read(
            text,
            roots: roots,
            authorities: [],
            nowSeconds: WallClock.seconds
        )
        return reading?.foreign.isEmpty == true ? text : ""
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
            secret["data"][Self.previousListKey] = .null
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
