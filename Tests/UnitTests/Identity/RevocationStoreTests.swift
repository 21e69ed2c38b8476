import Identity
import Mesh
import Reactor
import Synchronization
import TLS
import Testing

@Suite struct `A certificate store told of revocation` {
    private let clock = TurnedClock()
    private let log = UpdateLog()
    private let web = SPIFFEID(
        trustDomain: "cluster.local",
        namespace: "shop",
        serviceAccount: "web"
    )

    private final class Heard: Sendable {
        private let all = Mutex<[RevocationUpdate]>([])
        func add(_ update: RevocationUpdate) { all.withLock { $0.append(update) } }

        var refused: [RevocationError.Kind] {
            all.withLock { all in
                all.compactMap { update in
                    guard case .refused(let error) = update else { return nil }
                    return error.kind
                }
            }
        }

        var foreign: Int {
            all.withLock { all in
                all.count { if case .foreign = $0 { true } else { false } }
            }
        }
    }

    private let heard = Heard()

    private func signer() throws -> Signer {
        var settings = Signer.Settings()
        settings.now = { [clock] in clock.now }
        return try Signer(trustDomain: "cluster.local", settings: settings)
    }

    private func store(_ source: any CertificateSource) throws -> CertificateStore {
        var settings = CertificateStore.Settings()
        settings.now = { [clock] in clock.now }
        return try CertificateStore(
            source: source,
            settings: settings,
            onRevocation: { [heard] in heard.add($0) },
            onUpdate: { [log] in log.add($0, $1) }
        )
    }

    private func lists(_ signer: Signer, _ serials: [String]) throws -> String {
        let now = clock.now / 1_000_000_000
        return try signer.revocationLists(
            serials.map { Authority.Revoked(serial: $0, revokedAt: now) },
            lifetimeSeconds: 600
        )
    }

    @Test func `renews its own at once, with a new key`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        let before = try #require(store.credentials(web)?.serial)
        store.revoke(try lists(signer, [before]))
        #expect(store.revocations?.count == 1)
        #expect(eventually { store.credentials(web).map { $0.serial != before } ?? false })
        #expect(log.reasons(web).first?.contains("certificate \(before) was revoked") == true)
    }

    @Test func `reads lists that came before its roots`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.revoke(try lists(signer, ["01"]))
        #expect(store.revocations == nil)
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        #expect(store.revocations?.count == 1)
    }

    @Test func `keeps the last good lists when others are garbage, foreign or older`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        let old = try lists(signer, ["01", "02", "03"])
        clock.advance(seconds: 5)
        store.revoke(try lists(signer, ["01"]))
        #expect(store.revocations?.count == 1)
        store.revoke("garbage")
        store.revoke(old)
        #expect(heard.refused == [.malformed, .older])
        #expect(store.revocations?.count == 1)
        // Nobody's list is about nobody; ours are gone with it, as its text says.
        store.revoke(try lists(try self.signer(), ["01"]) + lists(signer, ["04", "05"]))
        #expect(heard.foreign == 1 && store.revocations?.count == 2)
        store.revoke(nil)
        #expect(store.revocations == nil)
    }

    @Test func `lets nobody in while the first lists cannot be read`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.revoke("garbage")
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        #expect(store.revocations?.fault != nil && heard.refused == [.malformed])
        store.revoke(try lists(signer, ["01"]))
        #expect(store.revocations?.fault == nil && store.revocations?.count == 1)
    }

    @Test func `notices when a list is out of date`() throws {
        let signer = try signer()
        let store = try store(signer)
        defer { store.stop() }
        store.want([web])
        #expect(eventually { store.credentials(web) != nil })
        store.revoke(try lists(signer, ["01"]))
        store.reviewRevocations()
        #expect(store.revocations?.hasOutdated == false)
        clock.advance(seconds: 601)
        store.reviewRevocations()
        #expect(store.revocations?.hasOutdated == true)
        store.revoke(try lists(signer, ["01"]))
        #expect(store.revocations?.hasOutdated == false)
    }
}
