internal import Identity
internal import Mesh

/// What workers need of the certificate store; any thread may call it.
final class IdentityRequests: Sendable {
    private let store: CertificateStore

    init(store: CertificateStore) {
        self.store = store
    }

    /// Asks for an identity that traffic waits for.
    func request(_ identity: SPIFFEID) {
        store.request(identity)
    }

    /// Why there is no certificate.
    func reason(for identity: SPIFFEID) -> String {
        store.reason(identity) ?? "not issued yet"
    }
}
