package import Mesh
package import TLS

/// What proves one identity on both sides of TLS; immutable, replaced whole at every rotation.
///
/// Sessions keep the credentials they began with, so a rotation breaks none of them.
package final class Credentials: Sendable {
    /// Whom they prove.
    package let identity: SPIFFEID
    /// For tunnels we open.
    package let client: TLSContext
    /// For tunnels we accept.
    package let server: TLSContext
    /// The certificates shown to peers.
    package let chain: CertificateChain
    /// The roots peers must lead to.
    package let trust: TrustBundle
    /// When the whole chain is valid, Unix seconds.
    package let notBefore: Int64
    package let notAfter: Int64
    /// When the certificate was obtained, Unix seconds.
    package let obtainedAt: Int64
    /// What names the certificates of the chain to revocation, the leaf's first.
    package let revocationKeys: [RevocationKey]
    private let key: PrivateKey

    /// The leaf's serial number in hexadecimal.
    package var serial: String { chain.leaf.serial }

    /// Binds a chain to its key, after checks that a peer would make too.
    ///
    /// The leaf must be the identity's and nobody else's, and lead to the bundle now.
    package init(
        identity: SPIFFEID,
        key: PrivateKey,
        chain: CertificateChain,
        trust: TrustBundle,
        nowSeconds: Int64,
        obtainedAt: Int64? = nil
    ) throws(TLSError) {
        let named: PeerIdentity
        do {
            named = try chain.leaf.workloadIdentity()
        } catch {
            throw .identity(error)
        }
        guard named.uri == identity.description else {
            throw .unexpectedIdentity(
                found: named.uri,
                expected: .identities([identity.description])
            )
        }
        let names = try trust.verify(chain, atSeconds: nowSeconds)
        self.revocationKeys = names
        self.obtainedAt = obtainedAt ?? nowSeconds
        self.identity = identity
        self.key = key
        self.chain = chain
        self.trust = trust
        func context(_ role: TLSContext.Role) throws(TLSError) -> TLSContext {
            try TLSContext(
                role: role,
                chain: chain,
                key: key,
                trust: trust,
                revocationKeys: names
            )
        }
        self.client = try context(.client)
        self.server = try context(.server)
        let all = [chain.leaf] + chain.intermediates
        self.notBefore = all.reduce(chain.leaf.notBefore) { max($0, $1.notBefore) }
        self.notAfter = all.reduce(chain.leaf.notAfter) { min($0, $1.notAfter) }
    }

    /// The same certificate and key under another bundle.
    func trusting(_ trust: TrustBundle, nowSeconds: Int64) throws(TLSError) -> Credentials {
        try Credentials(
            identity: identity,
            key: key,
            chain: chain,
            trust: trust,
            nowSeconds: nowSeconds,
            obtainedAt: obtainedAt
        )
    }
}
