package import Identity
package import Mesh
internal import Reactor
internal import Synchronization
package import TLS

/// The authority that signs now, and the roots that are trusted; replaced as they rotate.
///
/// Any thread may call it.
package final class MeshAuthority: CertificateSource {
    /// What it works with at one moment.
    package struct Held: Sendable {
        package var material: AuthorityMaterial
        package var authority: Authority
        /// PEM, one text each.
        package var roots: [String]
        /// When it was taken up, Unix seconds.
        package var loadedAt: Int64
    }

    /// How far `notBefore` lies in the past, for clocks that are apart.
    package static let backdateSeconds: Int64 = 60

    private let trustDomain: String
    private let held = Mutex<Held?>(nil)

    /// Makes an authority that signs nothing yet.
    package init(trustDomain: String) {
        self.trustDomain = trustDomain
    }

    /// What it works with now; nil while there is nothing.
    package var current: Held? { held.withLock { $0 } }

    /// Takes up what was read, true when it is something new; on an error what was there stays.
    ///
    /// Revocation lists are none of its business.
    package func replace(_ read: AuthorityMaterial) throws(AuthorityError) -> Bool {
        var material = read
        material.revocations = ""
        guard current?.material != material else { return false }
        let (authority, roots) = try material.authority(
            trustDomain: trustDomain,
            nowSeconds: WallClock.seconds
        )
        let new = Held(
            material: material,
            authority: authority,
            roots: roots,
            loadedAt: WallClock.seconds
        )
        held.withLock { $0 = new }
        return true
    }

    /// Signs a request that names the identity and nothing else.
    package func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate {
        guard let held = current else {
            throw CertificateSourceError("there is no authority yet")
        }
        let now = WallClock.seconds
        do {
            let chain = try held.authority.sign(
                request: request,
                for: try PeerIdentity(uri: identity.description),
                notBefore: now - Self.backdateSeconds,
                notAfter: now + lifetimeSeconds
            )
            return IssuedCertificate(chain: chain.pem, roots: held.roots)
        } catch {
            throw CertificateSourceError("\(error)")
        }
    }
}

extension WallClock {
    static var seconds: Int64 { nanoseconds() / 1_000_000_000 }
}
