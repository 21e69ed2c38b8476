internal import Discovery
internal import Kubernetes
internal import Logging
internal import Reactor
internal import Synchronization
internal import TLS

// The authority and what it has revoked, as they change.
extension ControllerProgram {
    private static let shortPause = Duration.milliseconds(200)

    /// Keeps both up to date until the task is cancelled.
    func keepAuthority() async {
        let secret = authoritySecret
        var publication = AuthorityPublication(
            cluster: cluster,
            namespace: settings.mesh.rootNamespace
        )
        var pause = Self.shortPause
        while !Task.isCancelled {
            do {
                try await readAuthority(secret, &publication)
                pause = .seconds(settings.authorityPollSeconds)
            } catch {
                // With one loaded before, it goes on with that.
                log.error("authority not loaded", metadata: ["error": "\(error)"])
                if authority.current != nil { pause = .seconds(settings.authorityPollSeconds) }
            }
            try? await Pause.wait(for: pause)
        }
    }

    private func readAuthority(
        _ secret: AuthoritySecret?,
        _ publication: inout AuthorityPublication
    ) async throws {
        let isLeading = isLeader.withLock { $0 }
        if isLeading, let secret, try await secret.advance(nowSeconds: WallClock.seconds) {
            log.notice("the authority's Secret was taken a step further")
        }
        let material =
            if let secret { try await secret.load() } else {
                try AuthorityMaterial(folder: settings.authorityFolder)
            }
        if try authority.replace(material) {
            let roots = authority.current?.roots ?? []
            log.notice("authority loaded", metadata: ["roots": "\(roots.count)"])
        }
        await readRevocations(material.revocations, publication)
        guard isLeading, let held = authority.current else { return }
        try await publication.publish(roots: held.roots)
        if let revocations = revocations.current {
            try await publication.publish(revocations: revocations.text)
        }
    }

    private var authoritySecret: AuthoritySecret? {
        guard settings.authorityFolder.isEmpty else { return nil }
        var kept = AuthoritySecret.Settings()
        kept.namespace = settings.mesh.rootNamespace
        kept.trustDomain = settings.mesh.trustDomain
        kept.stepSeconds = settings.certificateSeconds
        if !settings.authoritySecret.isEmpty {
            kept.name = settings.authoritySecret
            kept.isOwn = false
        }
        return AuthoritySecret(cluster: cluster, settings: kept)
    }

    // MARK: Revocation

    private func readRevocations(
        _ beside: String,
        _ publication: AuthorityPublication
    ) async {
        guard let held = authority.current else { return }
        let before = revocations.problem
        if revocations.current == nil { await restore(publication, held) }
        do throws(RevocationError) {
            guard try revocations.take(try revocationText(beside), signedFor: held) else { return }
            serveRevocations("revocation lists in force")
        } catch {
            // A file that cannot be read is found so every few seconds.
            if revocations.problem != before { await tell(error) }
        }
    }

    /// Takes up what was in force before this replica began, so that no older list can follow it,
    /// and a bad one does not set anybody free.
    private func restore(
        _ publication: AuthorityPublication,
        _ held: MeshAuthority.Held
    ) async {
        do {
            guard let text = try await publication.publishedRevocations() else { return }
            _ = try revocations.take(text, signedFor: held)
            serveRevocations("revocation lists of before in force")
        } catch let error as RevocationError {
            log.warning(
                "revocation lists of before are of no use",
                metadata: ["error": "\(error)"]
            )
        } catch {
            log.warning("revocation lists of before not read", metadata: ["error": "\(error)"])
        }
    }

    private func serveRevocations(_ what: String) {
        let held = revocations.current
        store.setRevocations(held?.text)
        guard let lists = held?.lists, !lists.isEmpty else { return }
        for list in lists {
            log.notice(
                "\(what)",
                metadata: [
                    "issuer": "\(list.issuer)", "number": "\(list.number)",
                    "revoked": "\(list.entries.count)", "next_update": "\(list.nextUpdate)",
                ]
            )
        }
    }

    private func revocationText(_ beside: String) throws(RevocationError) -> String {
        let path = settings.revocationsPath
        guard !path.isEmpty else { return beside }
        let limit = RevocationList.textBytesMax
        do throws(SystemError) {
            let bytes = try WatchedFile.contents(path, bytesMax: limit)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            let refusal =
                error == .fileTooLong
                ? RevocationError(.tooLarge, "\(path) is longer than \(limit) bytes")
                : RevocationError(.malformed, "\(path) cannot be read: \(error)")
            revocations.missed(refusal)
            throw refusal
        }
    }

    private func tell(_ error: RevocationError) async {
        let stays = revocations.current == nil ? "none is in force" : "those before stay in force"
        log.error(
            "revocation lists refused",
            metadata: ["reason": "\(error.kind.rawValue)", "error": "\(error)", "now": "\(stays)"]
        )
        guard isLeader.withLock({ $0 }) else { return }
        let namespace = settings.mesh.rootNamespace
        let name = settings.authoritySecret.isEmpty ? "ambit-ca" : settings.authoritySecret
        let isSecret = settings.authorityFolder.isEmpty && settings.revocationsPath.isEmpty
        let event = ClusterEvent(
            regarding: isSecret
                ? ObjectReference(.secrets, namespace: namespace, name: name)
                : ObjectReference(.namespaces, namespace: "", name: namespace),
            isWarning: true,
            reason: "RevocationListRefused",
            action: "Revoke",
            note: "\(error); \(stays)",
            controller: "ambit.dev/controller",
            instance: settings.instance
        )
        do {
            try await cluster.record(event)
        } catch {
            log.warning("event not written", metadata: ["error": "\(error)"])
        }
    }
}
