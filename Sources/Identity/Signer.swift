package import Mesh
internal import Reactor
internal import Synchronization
package import TLS

/// Certifies workloads with a root of its own; the lab's and the tests' authority.
///
/// The root's key lives in memory only. Any thread may call it.
package final class Signer: CertificateSource {
    /// How it works.
    package struct Settings: Sendable {
        /// The longest life it grants a leaf.
        package var lifetimeMaxSeconds: Int64 = 24 * 3600
        /// How long a root lives.
        package var rootLifetimeSeconds: Int64 = 10 * 365 * 24 * 3600
        /// How far `notBefore` lies in the past, for clocks that are apart.
        package var backdateSeconds: Int64 = 60
        /// Wall-clock nanoseconds, for tests to turn.
        package var now: @Sendable () -> Int64 = { WallClock.nanoseconds() }

        /// The defaults.
        package init() {}
    }

    /// The roots at one moment of a rotation.
    private struct Roots {
        var signing: Authority
        var next: (authority: Authority, from: Int64, overlap: Int64)?
        var previous: [(authority: Authority, until: Int64)] = []

        var authorities: [Authority] {
            [signing] + (next.map { [$0.authority] } ?? []) + previous.map(\.authority)
        }

        var bundle: [String] { authorities.map(\.certificate.pem) }

        /// Moves on to what holds at a time.
        mutating func advance(to seconds: Int64) {
            if let next, next.from <= seconds {
                previous.append((signing, next.from + next.overlap))
                signing = next.authority
                self.next = nil
            }
            previous.removeAll { $0.until <= seconds }
        }
    }

    private let settings: Settings
    private let trustDomain: String
    private let roots: Mutex<Roots>

    /// Makes a signer with a new root.
    package init(trustDomain: String, settings: Settings = Settings()) throws(TLSError) {
        let root = try Self.makeRoot(trustDomain, settings)
        self.settings = settings
        self.trustDomain = trustDomain
        self.roots = Mutex(Roots(signing: root))
    }

    /// Makes a signer with a root from elsewhere.
    package init(authority: Authority, settings: Settings = Settings()) {
        self.settings = settings
        self.trustDomain = authority.trustDomain
        self.roots = Mutex(Roots(signing: authority))
    }

    /// The roots that peers' certificates may lead to now, PEM.
    package var bundle: [String] {
        let now = seconds
        return roots.withLock { roots in
            roots.advance(to: now)
            return roots.bundle
        }
    }

    /// Replaces the root without a moment in which two good peers refuse each other.
    ///
    /// The new root is announced in the bundle at once, signs after `overlapSeconds`, and the old
    /// one leaves the bundle after as many more. The overlap must be a leaf's lifetime at least:
    /// then every node has heard of a root before a peer shows a leaf of it.
    package func rotateRoot(overlapSeconds: Int64) throws(TLSError) {
        let authority = try Self.makeRoot(trustDomain, settings)
        let now = seconds
        roots.withLock { roots in
            roots.advance(to: now)
            roots.next = (authority, now + overlapSeconds, overlapSeconds)
            roots.advance(to: now)
        }
    }

    /// The revocation lists of every root of now, PEM; a serial is on each, as it is not known
    /// whose it is.
    package func revocationLists(
        _ revoked: [Authority.Revoked],
        lifetimeSeconds: Int64
    ) throws(TLSError) -> String {
        let now = seconds
        let authorities = roots.withLock { roots in
            roots.advance(to: now)
            return roots.authorities
        }
        var texts: [String] = []
        for authority in authorities {
            texts.append(
                try authority.revocationList(
                    revoked,
                    number: UInt64(clamping: settings.now()),
                    thisUpdate: now,
                    nextUpdate: now + lifetimeSeconds
                )
            )
        }
        return texts.joined()
    }

    /// Signs a request that names the identity, for the shorter of the wish and its own limit.
    package func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate {
        let now = seconds
        let (authority, bundle) = roots.withLock { roots in
            roots.advance(to: now)
            return (roots.signing, roots.bundle)
        }
        do {
            let chain = try authority.sign(
                request: request,
                for: try PeerIdentity(uri: identity.description),
                notBefore: now - settings.backdateSeconds,
                notAfter: now + max(1, min(lifetimeSeconds, settings.lifetimeMaxSeconds))
            )
            return IssuedCertificate(chain: chain.pem, roots: bundle)
        } catch {
            throw CertificateSourceError("\(error)")
        }
    }

    private var seconds: Int64 { settings.now() / 1_000_000_000 }

    private static func makeRoot(
        _ trustDomain: String,
        _ settings: Settings
    ) throws(TLSError) -> Authority {
        let now = settings.now() / 1_000_000_000
        return try Authority.root(
            trustDomain: trustDomain,
            notBefore: now - settings.backdateSeconds,
            notAfter: now + settings.rootLifetimeSeconds
        )
    }
}
