import Glibc
import Identity
import Mesh
import Reactor
import Synchronization
import TLS
import Testing

/// A clock that tests turn, in nanoseconds since 1970.
final class TurnedClock: Sendable {
    private let offset = Mutex<Int64>(0)

    var now: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let real = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        return offset.withLock { real + $0 }
    }

    func advance(seconds: Int64) {
        offset.withLock { $0 += seconds * 1_000_000_000 }
    }
}

/// Remembers what a store told.
final class UpdateLog: Sendable {
    private let updates = Mutex<[(SPIFFEID, CertificateUpdate)]>([])

    func add(_ identity: SPIFFEID, _ update: CertificateUpdate) {
        updates.withLock { $0.append((identity, update)) }
    }

    func credentials(_ identity: SPIFFEID) -> [Credentials] {
        updates.withLock { all in
            all.compactMap { update in
                guard update.0 == identity, case .available(let held) = update.1 else {
                    return nil
                }
                return held
            }
        }
    }

    func reasons(_ identity: SPIFFEID) -> [String] {
        updates.withLock { all in
            all.compactMap { update in
                guard update.0 == identity, case .unavailable(let reason) = update.1 else {
                    return nil
                }
                return reason
            }
        }
    }

    func wasForgotten(_ identity: SPIFFEID) -> Bool {
        updates.withLock { all in
            all.contains { update in
                guard update.0 == identity, case .forgotten = update.1 else { return false }
                return true
            }
        }
    }
}

/// A source whose answers tests choose.
struct ScriptedSource: CertificateSource {
    let answer:
        @Sendable (String, SPIFFEID, Int64) -> Result<IssuedCertificate, CertificateSourceError>

    func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate {
        try answer(request, identity, lifetimeSeconds).get()
    }
}

/// Waits until a condition holds, ten seconds at most.
func eventually(_ condition: () -> Bool) -> Bool {
    let looks = Monitor(0)
    return looks.wait { count in
        if condition() { return .done(true) }
        count += 1
        return count > 5000 ? .done(false) : .wait(milliseconds: 2)
    }
}

@Suite struct `A certificate store` {
    private let clock = TurnedClock()
    private let log = UpdateLog()
    private let web = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "shop",
        serviceAccount: "web"
    )
    private let client = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "shop",
        serviceAccount: "client"
    )

    private func signer(lifetimeSeconds: Int64 = 3600) throws -> Signer {
        var settings = Signer.Settings()
        settings.lifetimeMaxSeconds = lifetimeSeconds
        // Sessions look at the real clock, which the turned one runs ahead of.
        settings.backdateSeconds = 100_000
        settings.now = { [clock] in clock.now }
        return try Signer(trustDomain: "cluster.local", settings: settings)
    }

    private func store(_ source: any CertificateSource) throws -> CertificateStore {
        var settings = CertificateStore.Settings()
        settings.now = { [clock] in clock.now }
        return try CertificateStore(source: source, settings: settings) { [log] in log.add($0, $1) }
    }

    private func connects(_ client: Credentials, to server: Credentials) throws -> Bool {
        let pair = try SessionPair(
            client: client.client,
            server: server.server,
            clientExpects: .identities([server.identity.description])
        )
        pair.run()
        return pair.isEstablished
    }

    @Test func `gives credentials that connect`() throws {
        let store = try store(signer())
        defer { store.stop() }
        store.want([web, client])
        #expect(eventually { store.credentials(web) != nil && store.credentials(client) != nil })
        let server = try #require(store.credentials(web))
        let mine = try #require(store.credentials(client))
        #expect(server.identity == web)
        #expect(try connects(mine, to: server))
        let states = store.states()
        #expect(states.map(\.identity) == [client, web])
        #expect(states.allSatisfy { $0.phase == .available && $0.chain.count == 1 })
        #expect(store.trustedRoots().count == 1)
    }

    @Test func `rotates with a new key while old sessions go on`() throws {
        let store = try store(signer(lifetimeSeconds: 1000))
        defer { store.stop() }
        store.want([web, client])
        #expect(eventually { store.credentials(web) != nil && store.credentials(client) != nil })
        let before = try #require(store.credentials(web))
        let mine = try #require(store.credentials(client))
        let pair = try SessionPair(
            client: mine.client,
            server: before.server,
            clientExpects: .identities([web.description])
        )
        pair.run()
        #expect(pair.isEstablished)
        clock.advance(seconds: 600)
        store.request(web)  // wakes the threads, which look at the clock
        #expect(eventually { store.credentials(web).map { $0.serial != before.serial } ?? false })
        let after = try #require(store.credentials(web))
        #expect(after.notAfter > before.notAfter)
        #expect(pair.send([1, 2, 3], fromServer: false) == nil)
        pair.run()
        #expect(pair.serverReceived == [1, 2, 3])
        #expect(try connects(mine, to: after))
    }

    @Test func `survives the rotation of the root without a refused peer`() throws {
        let lifetime: Int64 = 1000
        let signer = try signer(lifetimeSeconds: lifetime)
        let nodes = [try store(signer), try store(signer)]
        defer { nodes.forEach { $0.stop() } }
        func wake() {
            for node in nodes { node.want([web, client]) }
        }
        wake()
        #expect(
            eventually { nodes.allSatisfy { $0.credentials(web) != nil } }
                && eventually { nodes.allSatisfy { $0.credentials(client) != nil } }
        )
        let firstRoot = signer.bundle
        try signer.rotateRoot(overlapSeconds: lifetime)
        #expect(signer.bundle.count == 2)
        for _ in 0..<9 {
            clock.advance(seconds: 333)
            wake()
            let deadline = clock.now / 1_000_000_000
            #expect(
                eventually {
                    nodes.allSatisfy { node in
                        [web, client].allSatisfy {
                            (node.credentials($0)?.notAfter ?? 0) > deadline + lifetime / 3
                        }
                    }
                }
            )
            for (one, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
                let mine = try #require(one.credentials(client))
                let theirs = try #require(other.credentials(web))
                #expect(try connects(mine, to: theirs))
            }
        }
        let lastRoot = signer.bundle
        #expect(lastRoot.count == 1)
        #expect(lastRoot != firstRoot)
        #expect(nodes.allSatisfy { $0.trustedRoots().map(\.pem) == lastRoot })
    }

    @Test func `gives a new bundle to all at once`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        try signer.rotateRoot(overlapSeconds: 3600)
        store.request(client)
        #expect(eventually { store.credentials(web)?.trust.roots.count == 2 })
        let all = log.credentials(web)
        #expect(all.count == 2)
        #expect(all.first?.serial == all.last?.serial)
    }

    @Test func `fetches on demand before a long queue of prefetches`() throws {
        let signer = try signer()
        let order = Mutex<[SPIFFEID]>([])
        let gate = Monitor(false)
        let source = ScriptedSource { request, identity, lifetime in
            gate.wait { $0 ? .done(()) : .wait(milliseconds: 10_000) }
            order.withLock { $0.append(identity) }
            return Result { () throws(CertificateSourceError) in
                try signer.certify(
                    request: request,
                    identity: identity,
                    lifetimeSeconds: lifetime
                )
            }
        }
        let store = try store(source)
        defer { store.stop() }
        let many = (0..<50).map {
            SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "s\($0)")
        }
        store.want(Set(many))
        store.request(web)
        gate.change { $0 = true }
        #expect(eventually { order.withLock { $0.count == 51 } })
        let place = order.withLock { $0.firstIndex(of: web) ?? 51 }
        // Two prefetches may have begun before the request, and two more beside it.
        #expect(place <= 5)
    }

    @Test func `says why there is nothing, and recovers`() throws {
        let signer = try signer()
        let isUp = Atomic<Bool>(false)
        let source = ScriptedSource { request, identity, lifetime in
            guard isUp.load(ordering: .acquiring) else {
                return .failure(CertificateSourceError("the signer is away"))
            }
            return Result { () throws(CertificateSourceError) in
                try signer.certify(
                    request: request,
                    identity: identity,
                    lifetimeSeconds: lifetime
                )
            }
        }
        let store = try store(source)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { log.reasons(web) == ["the signer is away"] })
        #expect(store.states().first?.phase == .unavailable)
        isUp.store(true, ordering: .releasing)
        clock.advance(seconds: 2)
        store.request(web)
        #expect(eventually { store.credentials(web) != nil })
        #expect(store.states().first?.phase == .available)
    }

    @Test func `drops what expired, and keeps what is good while renewals fail`() throws {
        let signer = try signer(lifetimeSeconds: 100)
        let fails = Atomic<Bool>(false)
        let source = ScriptedSource { request, identity, lifetime in
            if fails.load(ordering: .acquiring) {
                return .failure(CertificateSourceError("no more"))
            }
            return Result { () throws(CertificateSourceError) in
                try signer.certify(
                    request: request,
                    identity: identity,
                    lifetimeSeconds: lifetime
                )
            }
        }
        let store = try store(source)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        fails.store(true, ordering: .releasing)
        clock.advance(seconds: 60)
        store.want([web])
        #expect(eventually { store.states().first?.failures ?? 0 > 0 })
        #expect(store.credentials(web) != nil)
        clock.advance(seconds: 41)
        store.want([web])
        #expect(eventually { store.credentials(web) == nil })
        #expect(eventually { log.reasons(web).contains { $0.contains("expired") } })
    }

    @Test func `forgets the departed`() throws {
        let store = try store(signer())
        defer { store.stop() }
        store.want([web, client])
        #expect(eventually { store.credentials(web) != nil })
        store.want([client])
        #expect(store.credentials(web) == nil)
        #expect(log.wasForgotten(web))
        #expect(store.states().map(\.identity) == [client])
    }

    @Test func `refuses what a bad source issues`() throws {
        let signer = try signer()
        let other = try Signer(trustDomain: "cluster.local")
        let key = try PrivateKey()
        let named = Fixture.identity(client.description)
        let foreign = try CertificateRequest(key: key, identity: named).pem
        let lies: [@Sendable (String, SPIFFEID) throws -> IssuedCertificate] = [
            // Another identity's certificate.
            { [client] _, _ in
                try signer.certify(request: foreign, identity: client, lifetimeSeconds: 60)
            },
            // Roots that the chain does not lead to.
            { request, identity in
                let issued = try signer.certify(
                    request: request,
                    identity: identity,
                    lifetimeSeconds: 60
                )
                return IssuedCertificate(chain: issued.chain, roots: other.bundle)
            },
            { _, _ in IssuedCertificate(chain: [], roots: []) },
            { _, _ in IssuedCertificate(chain: ["x"], roots: signer.bundle) },
            // No root at all.
            { request, identity in
                let issued = try signer.certify(
                    request: request,
                    identity: identity,
                    lifetimeSeconds: 60
                )
                return IssuedCertificate(chain: issued.chain, roots: [])
            },
        ]
        for lie in lies {
            let log = UpdateLog()
            let source = ScriptedSource { request, identity, _ in
                do {
                    return .success(try lie(request, identity))
                } catch {
                    return .failure(CertificateSourceError("\(error)"))
                }
            }
            let store = try CertificateStore(source: source) { log.add($0, $1) }
            defer { store.stop() }
            store.want([web])
            #expect(eventually { !log.reasons(web).isEmpty })
            #expect(store.credentials(web) == nil)
        }
    }
}
