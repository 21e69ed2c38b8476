internal import Discovery
internal import Kubernetes
internal import Logging
internal import Reactor
internal import Synchronization
internal import TLS

// The authority and what it has revoked, as they change.
extension ControllerProgram {
    private static let shortPause = Duration.milliseconds(200)

    /// How often the Secret is looked for before it is taken for lost with its key: as often as
    /// another replica that holds it needs to lead and to write it again.
    private static let looksBeforeLoss = 6

    /// What one look at the authority leaves to the next.
    private struct Looks {
        let begun = ContinuousClock.now
        var publication: AuthorityPublication
        /// The Secret that the authority in force was read from.
        var secret: Value?
        /// What was told last of its being gone.
        var loss: AuthoritySecret.Loss?
    }

    /// Keeps both up to date until the task is cancelled.
    func keepAuthority() async {
        let secret = authoritySecret
        var looks = Looks(
            publication: AuthorityPublication(
                cluster: cluster,
                namespace: settings.mesh.rootNamespace
            )
        )
        let longPause = Duration.seconds(settings.authorityPollSeconds)
        var pause = Self.shortPause
        while !Task.isCancelled {
            do {
                try await readAuthority(secret, &looks)
                pause = longPause
            } catch {
                // With one loaded before, it goes on with that.
                log.error("authority not loaded", metadata: ["error": "\(error)"])
                pause = authority.current == nil ? min(pause * 2, longPause) : longPause
            }
            try? await Pause.wait(for: pause)
        }
    }

    private func readAuthority(_ secret: AuthoritySecret?, _ looks: inout Looks) async throws {
        let isLeading = isLeader.withLock { $0 }
        if isLeading, let secret, try await secret.advance(nowSeconds: WallClock.seconds) {
            log.notice("the authority's Secret was taken a step further")
        }
        let material: AuthorityMaterial
        if let secret {
            material = try await read(secret, &looks)
        } else {
            material = try AuthorityMaterial(folder: settings.authorityFolder)
            try take(material)
        }
        await readRevocations(material.revocations, looks.publication)
        guard isLeading, let held = authority.current else { return }
        try await looks.publication.publish(roots: held.roots)
        if let revocations = revocations.current {
            try await looks.publication.publish(revocations: revocations.text)
        }
    }

    /// Reads the Secret and takes what is in it; where it was gone, says what that means.
    private func read(
        _ secret: AuthoritySecret,
        _ looks: inout Looks
    ) async throws -> AuthorityMaterial {
        let patience = Duration.seconds(settings.authorityPollSeconds) * Self.looksBeforeLoss
        // Without an election there is nobody else.
        let leads = isLeader.withLock { $0 } || election == nil
        let reading = try await secret.load(
            after: looks.secret,
            leads: leads,
            mayReplace: ContinuousClock.now - looks.begun >= patience
        )
        if looks.loss != reading.loss {
            looks.loss = reading.loss
            if let loss = reading.loss { await tell(loss) }
        }
        try take(reading.material)
        looks.secret = reading.secret
        return reading.material
    }

    private func take(_ material: AuthorityMaterial) throws(AuthorityError) {
        do throws(AuthorityError) {
            guard try authority.replace(material) else { return }
        } catch {
            throw AuthorityError("\(authorityPlace) is refused: \(error)")
        }
        let roots = authority.current?.roots ?? []
        log.notice("authority loaded", metadata: ["roots": "\(roots.count)"])
    }

    private var authorityPlace: String {
        settings.authorityFolder.isEmpty
            ? "Secret \(settings.mesh.rootNamespace)/\(secretName)"
            : "folder \(settings.authorityFolder)"
    }

    private var secretName: String {
        settings.authoritySecret.isEmpty ? "ambit-ca" : settings.authoritySecret
    }

    private func tell(_ loss: AuthoritySecret.Loss) async {
        let reason: String
        let note: String
        switch loss {
        case .missing:
            log.error("\(authorityPlace) is gone: the leader has to write it again")
            return
        case .restored:
            reason = "AuthorityRestored"
            note = "\(authorityPlace) was gone; written again as it was, with the same root"
        case .replaced(let kept):
            reason = "AuthorityReplaced"
            note =
                "\(authorityPlace) was gone, and no controller had its key: a new root signs; "
                + "\(kept) published before stay trusted until their certificates have run out. "
                + "A node takes the new root with its next certificate, at half of a "
                + "certificate's life, and until then refuses peers that have one already: "
                + "restart ambit-node on all nodes to have that over"
        }
        log.error("the authority's Secret was gone", metadata: ["error": "\(note)"])
        await warn(secretReference, reason, "Create", note)
    }

    private var secretReference: ObjectReference {
        ObjectReference(.secrets, namespace: settings.mesh.rootNamespace, name: secretName)
    }

    private func warn(
        _ object: ObjectReference,
        _ reason: String,
        _ action: String,
        _ note: String
    ) async {
        let event = ClusterEvent(
            regarding: object,
            isWarning: true,
            reason: reason,
            action: action,
            note: note,
            controller: "ambit.dev/controller",
            instance: settings.instance
        )
        do {
            try await cluster.record(event)
        } catch {
            log.warning("event not written", metadata: ["error": "\(error)"])
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
        let isSecret = settings.authorityFolder.isEmpty && settings.revocationsPath.isEmpty
        await warn(
            isSecret
                ? secretReference
                : ObjectReference(.namespaces, name: settings.mesh.rootNamespace),
            "RevocationListRefused",
            "Revoke",
            "\(error); \(stays)"
        )
    }
}
