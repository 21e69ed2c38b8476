package import Mesh
package import TLS

/// One certificate as the admin page shows it.
package struct CertificateSummary: Sendable {
    package let serial: String
    package let subject: String
    package let issuer: String
    /// Unix seconds.
    package let notBefore: Int64
    package let notAfter: Int64
    package let pem: String

    /// Reads it off a certificate.
    package init(_ certificate: Certificate) {
        self.serial = certificate.serial
        self.subject = certificate.subject
        self.issuer = certificate.issuer
        self.notBefore = certificate.notBefore
        self.notAfter = certificate.notAfter
        self.pem = certificate.pem
    }
}

/// What the store has and hopes for one identity.
package struct CertificateState: Sendable {
    /// How an identity stands.
    package enum Phase: String, Sendable {
        /// No attempt has ended yet.
        case initializing
        case available
        case unavailable
    }

    package let identity: SPIFFEID
    package let phase: Phase
    /// Why the last attempt failed; also set while an older certificate is still good.
    package let reason: String?
    /// Attempts that failed in a row.
    package let failures: Int
    /// When the next attempt is due, Unix seconds.
    package let nextAttemptSeconds: Int64
    /// The leaf first; empty when nothing is held.
    package let chain: [CertificateSummary]
    /// When what is held ends, Unix seconds.
    package let notAfter: Int64?
    /// When what is held was obtained, Unix seconds.
    package let obtainedAt: Int64?

    init(
        identity: SPIFFEID,
        credentials: Credentials?,
        reason: String?,
        failures: Int,
        nextAttemptSeconds: Int64
    ) {
        self.identity = identity
        self.phase = credentials != nil ? .available : reason == nil ? .initializing : .unavailable
        self.reason = reason
        self.failures = failures
        self.nextAttemptSeconds = nextAttemptSeconds
        let chain = credentials.map { [$0.chain.leaf] + $0.chain.intermediates } ?? []
        self.chain = chain.map(CertificateSummary.init)
        self.notAfter = credentials?.notAfter
        self.obtainedAt = credentials?.obtainedAt
    }
}
