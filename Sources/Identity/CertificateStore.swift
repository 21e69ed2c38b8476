package import Mesh
package import Reactor
package import TLS

/// News about one identity.
package enum CertificateUpdate: Sendable {
    /// New credentials, in place of any before.
    case available(Credentials)
    /// Nothing valid is held: refuse, and say why. Repeated when an attempt fails.
    case unavailable(reason: String)
    /// An attempt failed; what was held before stays.
    case failed(CertificateSourceError)
    /// The identity left the node; what was held is dropped.
    case forgotten
}

/// Keeps credentials for the identities of a node, on threads of its own.
///
/// Keys are made here and stay in memory. Any thread may call it. What it holds is told by
/// `onUpdate`, on its threads and under its lock: hand it on and return; do not call back.
package final class CertificateStore: Sendable {
    /// How it works.
    package struct Settings: Sendable {
        /// What to ask the source for.
        package var lifetimeSeconds: Int64 = 24 * 3600
        /// Fetches at once; one more runs on-demand requests only.
        package var fetchersMax = 2
        /// Whether an authority's certificates are refused while its list is out of date.
        package var refusesOutdatedLists = true
        /// Wall-clock nanoseconds, for tests to turn.
        package var now: @Sendable () -> Int64 = { WallClock.nanoseconds() }

        /// The defaults.
        package init() {}
    }

    private struct Held {
        var schedule = CertificateSchedule()
        var random = SystemRandomNumberGenerator()
        var credentials: [SPIFFEID: Credentials] = [:]
        var reasons: [SPIFFEID: String] = [:]
        var trust: TrustBundle?
        var revocation: RevocationState
        var isStopped = false
    }

    private let source: any CertificateSource
    private let settings: Settings
    private let onUpdate: @Sendable (SPIFFEID, CertificateUpdate) -> Void
    private let onRevocation: @Sendable (RevocationUpdate) -> Void
    private let held: Monitor<Held>

    /// Starts the threads; they end with `stop`.
    ///
    /// `onRevocation` is called as `onUpdate` is, and before it: nobody is told of credentials
    /// without what is revoked among the peers they will meet.
    package init(
        source: any CertificateSource,
        settings: Settings = Settings(),
        onRevocation: @escaping @Sendable (RevocationUpdate) -> Void = { _ in },
        onUpdate: @escaping @Sendable (SPIFFEID, CertificateUpdate) -> Void
    ) throws(SystemError) {
        self.source = source
        self.settings = settings
        self.onUpdate = onUpdate
        self.onRevocation = onRevocation
        let revocation = RevocationState(refusesOutdated: settings.refusesOutdatedLists)
        self.held = Monitor(Held(revocation: revocation))
        for index in 0...max(1, settings.fetchersMax) {
            try WorkerThread.start(name: "identity-\(index)") { [self] in
                run(onDemandOnly: index == 0)
            }
        }
    }

    /// Sets the identities to keep certificates for; the others are dropped.
    package func want(_ identities: Set<SPIFFEID>) {
        let now = settings.now()
        held.change { held in
            for identity in held.schedule.want(identities, now: now) {
                held.credentials[identity] = nil
                held.reasons[identity] = nil
                onUpdate(identity, .forgotten)
            }
        }
    }

    /// Asks for an identity that traffic waits for; its fetch goes before all prefetches.
    package func request(_ identity: SPIFFEID) {
        let now = settings.now()
        held.change { held in
            guard !held.schedule.request(identity, now: now) else { return }
            let limit = CertificateSchedule.identitiesMax
            onUpdate(identity, .unavailable(reason: "more than \(limit) identities on this node"))
        }
    }

    /// The source is there again after it was not: fetches that failed are tried again at once.
    package func retryFailed() {
        let now = settings.now()
        held.change { held in held.schedule.retryFailed(now: now, using: &held.random) }
    }

    /// What is held for an identity now.
    package func credentials(_ identity: SPIFFEID) -> Credentials? {
        held.read { $0.credentials[identity] }
    }

    /// Why nothing is held for an identity, or why its renewal failed; nil while all is well.
    package func reason(_ identity: SPIFFEID) -> String? {
        held.read { $0.reasons[identity] }
    }

    /// Ends the threads once their fetches are through; what was handed out stays valid.
    package func stop() {
        held.change { $0.isStopped = true }
    }

    /// The state of every identity, for the admin page, in order.
    package func states() -> [CertificateState] {
        // Only references are taken under the lock, which workers meet too.
        let all = held.read { held in
            held.schedule.identities.map { identity in
                (
                    identity, held.credentials[identity], held.reasons[identity],
                    held.schedule.outlook(identity)
                )
            }
        }
        let states = all.map { identity, credentials, reason, outlook in
            CertificateState(
                identity: identity,
                credentials: credentials,
                reason: reason,
                failures: outlook?.failures ?? 0,
                nextAttemptSeconds: (outlook?.dueAt ?? 0) / CertificateSchedule.second
            )
        }
        return states.sorted { $0.identity.description < $1.identity.description }
    }

    /// The roots trusted now, for the admin page.
    package func trustedRoots() -> [CertificateSummary] {
        let trust = held.read { $0.trust }
        return trust?.roots.map(CertificateSummary.init) ?? []
    }

    // MARK: revocation

    /// Takes the revocation lists there are now as PEM text, nil for none.
    ///
    /// Lists that are not good leave those before in force.
    package func revoke(_ text: String?) {
        let now = settings.now()
        held.change { held in
            held.revocation.take(text)
            revise(&held, now: now)
        }
    }

    /// Looks at the clock, to be called every second or so: lists may be out of date now.
    package func reviewRevocations() {
        let now = settings.now()
        let seconds = now / CertificateSchedule.second
        // The threads wake for a change only.
        guard held.read({ $0.revocation.isDue(nowSeconds: seconds) }) else { return }
        held.change { revise(&$0, now: now) }
    }

    /// What is revoked now; nil while there are no lists.
    package var revocations: Revocations? { held.read { $0.revocation.current } }

    /// Puts lists in force, and renews what of our own is on them.
    private func revise(_ held: inout Held, now: Int64, among more: [Certificate] = []) {
        let updates = held.revocation.revise(
            trust: held.trust,
            authorities: held.credentials.values.flatMap(\.chain.intermediates) + more,
            nowSeconds: now / CertificateSchedule.second
        )
        for update in updates {
            onRevocation(update)
            guard case .inForce(let revocations?) = update else { continue }
            for (identity, credentials) in held.credentials {
                guard let reason = revocations.reason(credentials.revocationKeys) else { continue }
                held.credentials[identity] = nil
                held.reasons[identity] = reason
                held.schedule.revoked(identity, now: now)
                onUpdate(identity, .unavailable(reason: reason))
            }
        }
    }

    // MARK: the threads

    private func run(onDemandOnly: Bool) {
        while let identity = next(onDemandOnly: onDemandOnly) {
            let outcome = fetch(identity)
            held.change { held in
                // Who stopped the store hears nothing of it any more.
                if !held.isStopped { settle(identity, outcome, &held) }
            }
        }
    }

    /// Waits for work; nil when the store stopped.
    private func next(onDemandOnly: Bool) -> SPIFFEID? {
        held.wait { held in
            if held.isStopped { return .done(nil) }
            let now = settings.now()
            for identity in held.schedule.expire(now: now) { expire(identity, &held) }
            if let identity = held.schedule.take(now: now, onDemandOnly: onDemandOnly) {
                return .done(identity)
            }
            // The wall clock may jump: look again within a while in any case.
            let event = held.schedule.nextEvent(now: now, onDemandOnly: onDemandOnly)
            let milliseconds = event.map { ($0 - now) / 1_000_000 + 1 } ?? 30_000
            return .wait(milliseconds: min(max(milliseconds, 1), 30_000))
        }
    }

    /// Makes a key and has it certified, and checks the answer; no lock is held.
    private func fetch(_ identity: SPIFFEID) -> Result<Credentials, CertificateSourceError> {
        do {
            let key = try PrivateKey()
            let name = try PeerIdentity(uri: identity.description)
            let request = try CertificateRequest(key: key, identity: name)
            let issued = try source.certify(
                request: request.pem,
                identity: identity,
                lifetimeSeconds: settings.lifetimeSeconds
            )
            return .success(try Self.credentials(identity, key, issued, now: settings.now()))
        } catch let error as CertificateSourceError {
            return .failure(error)
        } catch {
            return .failure(CertificateSourceError("\(error)"))
        }
    }

    private static func credentials(
        _ identity: SPIFFEID,
        _ key: PrivateKey,
        _ issued: IssuedCertificate,
        now: Int64
    ) throws(CertificateSourceError) -> Credentials {
        do {
            return try Credentials(
                identity: identity,
                key: key,
                chain: try CertificateChain(pem: issued.chain),
                trust: try TrustBundle(pem: issued.roots),
                nowSeconds: now / CertificateSchedule.second
            )
        } catch {
            throw CertificateSourceError(
                "the source's certificate is no good: \(error)",
                .invalid
            )
        }
    }

    // MARK: under the lock

    private func settle(
        _ identity: SPIFFEID,
        _ outcome: Result<Credentials, CertificateSourceError>,
        _ held: inout Held
    ) {
        switch outcome {
        case .success(let credentials):
            let now = settings.now()
            meet(credentials, now: now, &held)
            guard let reason = held.revocation.current?.reason(credentials.revocationKeys) else {
                return accept(credentials, now: now, &held)
            }
            // An authority above it is revoked: no peer would take it.
            let error = CertificateSourceError(
                "what the source gave is no good: \(reason)",
                .revoked
            )
            fail(identity, error, now: now, &held)
        case .failure(let error): fail(identity, error, now: settings.now(), &held)
        }
    }

    private func accept(_ credentials: Credentials, now: Int64, _ held: inout Held) {
        let identity = credentials.identity
        let isKnown = held.schedule.succeeded(
            identity,
            expiresAt: credentials.notAfter * CertificateSchedule.second,
            now: now,
            using: &held.random
        )
        guard isKnown else { return }
        held.credentials[identity] = credentials
        held.reasons[identity] = nil
        onUpdate(identity, .available(credentials))
        shareTrust(now: now, except: identity, &held)
    }

    /// Notes the authorities that new credentials tell of, and what lists of theirs revoke.
    private func meet(_ credentials: Credentials, now: Int64, _ held: inout Held) {
        let isNew = credentials.trust.pem != held.trust?.pem
        if isNew { held.trust = credentials.trust }
        held.revocation.authoritiesChanged(roots: isNew)
        revise(&held, now: now, among: credentials.chain.intermediates)
    }

    /// Gives a changed bundle to all at once: peers may show leaves of its new root any time.
    private func shareTrust(now: Int64, except newest: SPIFFEID, _ held: inout Held) {
        guard let trust = held.trust else { return }
        for (identity, old) in held.credentials
        where identity != newest && old.trust.pem != trust.pem {
            let seconds = now / CertificateSchedule.second
            // One whose own root is gone from the bundle keeps the old one until it is renewed.
            guard let new = try? old.trusting(trust, nowSeconds: seconds) else { continue }
            held.credentials[identity] = new
            onUpdate(identity, .available(new))
        }
    }

    private func fail(
        _ identity: SPIFFEID,
        _ error: CertificateSourceError,
        now: Int64,
        _ held: inout Held
    ) {
        guard held.schedule.outlook(identity) != nil else { return }
        let reason = error.reason
        held.schedule.failed(identity, now: now, using: &held.random)
        held.reasons[identity] = reason
        onUpdate(identity, .failed(error))
        if held.credentials[identity] == nil {
            onUpdate(identity, .unavailable(reason: reason))
        }
    }

    private func expire(_ identity: SPIFFEID, _ held: inout Held) {
        held.credentials[identity] = nil
        let last = held.reasons[identity].map { ": " + $0 } ?? ""
        let reason = "the certificate expired and was not renewed\(last)"
        held.reasons[identity] = reason
        onUpdate(identity, .unavailable(reason: reason))
    }
}
