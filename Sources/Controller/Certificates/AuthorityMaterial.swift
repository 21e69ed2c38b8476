internal import Foundation
package import Kubernetes
internal import Reactor
package import TLS

/// A signing authority as it is kept: PEM texts in a folder or a Secret.
package struct AuthorityMaterial: Sendable, Equatable {
    /// Its own certificate, then those of its issuers.
    package var chain: String
    package var key: String
    /// All roots that are trusted now, the authority's own among them.
    package var roots: String
    /// Revocation lists; empty for none.
    package var revocations = ""

    /// Holds the texts.
    package init(chain: String, key: String, roots: String) {
        self.chain = chain
        self.key = key
        self.roots = roots
    }

    /// Whether a file or a field of a Secret is there, and what it holds.
    private typealias Lookup = (String) throws(AuthorityError) -> String?

    /// Reads a folder in cert-manager's layout (`tls.crt`, `tls.key`, `ca.crt`) or in Istio's
    /// (`ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, and `cert-chain.pem` if there is one); in
    /// either also `ca-crl.pem`, if there are revocation lists.
    package init(folder: String) throws(AuthorityError) {
        try self.init(in: "folder \(folder)") { name throws(AuthorityError) in
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            do throws(SystemError) {
                let bytes = try WatchedFile.contents(path, bytesMax: 1 << 20)
                return String(decoding: bytes, as: UTF8.self)
            } catch {
                throw AuthorityError(
                    error == .fileTooLong
                        ? "\(path) is above 1 MiB" : "\(path) cannot be read: \(error)"
                )
            }
        }
    }

    /// Reads a Secret: our own layout (`ca.crt`, `ca.key`, `root.crt`), or one of the folders'.
    package init(secret: Value) throws(AuthorityError) {
        let name = secret["metadata"]["name"].stringValue ?? ""
        try self.init(in: "Secret \(name)") { name throws(AuthorityError) in
            guard let text = secret["data"][name].stringValue else { return nil }
            guard let data = Data(base64Encoded: text) else {
                throw AuthorityError("data.\(name) is no base64")
            }
            return String(decoding: data, as: UTF8.self)
        }
    }

    private init(in place: String, _ lookup: Lookup) throws(AuthorityError) {
        let layouts = [
            (chain: "ca.crt", key: "ca.key", roots: "root.crt"),
            (chain: "tls.crt", key: "tls.key", roots: "ca.crt"),
            (chain: "ca-cert.pem", key: "ca-key.pem", roots: "root-cert.pem"),
        ]
        for layout in layouts {
            guard let key = try lookup(layout.key) else { continue }
            guard let own = try lookup(layout.chain) else {
                throw AuthorityError("\(place) has \(layout.key) but no \(layout.chain)")
            }
            guard let roots = try lookup(layout.roots) else {
                throw AuthorityError("\(place) has \(layout.key) but no \(layout.roots)")
            }
            let issuers = layout.key == "ca-key.pem" ? try lookup("cert-chain.pem") : nil
            // A chain file begins with the authority's own certificate too.
            let whole = issuers.flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 } ?? own
            self.init(chain: whole, key: key, roots: roots)
            revocations = try lookup(AuthoritySecret.listKey) ?? ""
            if layout.key == "ca.key", let old = try lookup(AuthoritySecret.previousListKey) {
                revocations += old
            }
            return
        }
        let keys = layouts.map(\.key).joined(separator: ", ")
        throw AuthorityError("\(place) has none of \(keys)")
    }

    /// The authority, if the parts belong together, it is valid at a time in Unix seconds, and
    /// peers that trust the roots accept what it signs then.
    package func authority(
        trustDomain: String,
        nowSeconds: Int64
    ) throws(AuthorityError) -> (authority: Authority, roots: [String]) {
        do {
            let bundle = try TrustBundle(pem: [roots])
            let authority = try Authority(
                chain: chain,
                key: key,
                roots: bundle,
                trustDomain: trustDomain
            )
            let own = authority.certificate
            guard own.notAfter > nowSeconds else {
                throw TLSError.unreadable("\(own.subject) has expired")
            }
            guard own.notBefore <= nowSeconds else {
                let wait = own.notBefore - nowSeconds
                throw TLSError.unreadable("\(own.subject) is not valid yet, but in \(wait) seconds")
            }
            try Self.tryOut(authority, bundle, nowSeconds)
            return (authority, bundle.pem)
        } catch {
            throw AuthorityError("\(error)")
        }
    }

    private static let trialSeconds: Int64 = 60

    /// Signs as for a pod, and reads what was signed as a peer does.
    private static func tryOut(
        _ authority: Authority,
        _ bundle: TrustBundle,
        _ nowSeconds: Int64
    ) throws {
        let subject = authority.certificate.subject
        let identity = try PeerIdentity(
            uri: "spiffe://\(authority.trustDomain)/ns/ambit-system/sa/trial"
        )
        let chain: CertificateChain
        do {
            chain = try authority.sign(
                request: try CertificateRequest(key: try PrivateKey(), identity: identity).pem,
                for: identity,
                notBefore: nowSeconds - MeshAuthority.backdateSeconds,
                notAfter: nowSeconds + trialSeconds
            )
        } catch {
            throw AuthorityError("\(subject) cannot sign: \(error)")
        }
        do throws(TLSError) {
            try bundle.verify(chain, atSeconds: nowSeconds)
        } catch {
            throw AuthorityError(
                "no peer that trusts the roots given would accept what \(subject) signs: \(error)"
            )
        }
    }
}

/// Why there is no authority to sign with, in words for the operator.
package struct AuthorityError: Error, Sendable, Hashable, CustomStringConvertible {
    package let reason: String

    /// Holds a reason.
    package init(_ reason: String) { self.reason = reason }

    /// The reason.
    package var description: String { reason }
}
