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
    package let reason: String

    /// Holds a reason.
    package init(_ reason: String) {
        self.reason = reason
    }

    /// The reason.
    package var description: String { reason }
}
