package import Mesh

/// Where certificates come from: the lab's signer, or the controller.
package protocol CertificateSource: Sendable {
    /// Has a request certified; blocks its thread, and gives up by itself in bounded time.
    ///
    /// The request is PEM and names the identity; the lifetime in seconds is a wish.
    func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate
}

/// A source's answer; nothing in it is checked yet.
package struct IssuedCertificate: Hashable, Sendable {
    /// PEM, the leaf first.
    package let chain: [String]
    /// PEM, every root that peers' certificates may lead to now.
    package let roots: [String]

    /// Holds an answer.
    package init(chain: [String], roots: [String]) {
        self.chain = chain
        self.roots = roots
    }
}

/// Why there is no certificate, in words for the operator.
package struct CertificateSourceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as the label of a metric.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The source did not answer.
        case unreachable
        /// The source said no.
        case refused
        /// The source gave what is of no use.
        case invalid
        /// The source gave what is revoked.
        case revoked
        /// Anything else.
        case other
    }

    package let reason: String
    package let kind: Kind

    /// Holds a reason.
    package init(_ reason: String, _ kind: Kind = .other) {
        self.reason = reason
        self.kind = kind
    }

    /// The reason.
    package var description: String { reason }
}
