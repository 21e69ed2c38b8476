internal import COpenSSL

/// Why an authority does not sign a request.
package enum SigningError: Error, Hashable, Sendable, CustomStringConvertible {
    case requestUnreadable(String)
    case keyRefused
    case namesRefused(String)
    case foreignTrustDomain(String)
    case failed(TLSError)

    /// One line for the requester and the log.
    package var description: String {
        switch self {
        case .requestUnreadable(let text): "the request cannot be read: \(text)"
        case .keyRefused:
            "the request's key is not P-256, P-384 or RSA from 2048 bits, or its signature is bad"
        case .namesRefused(let text): "the request's names are refused: \(text)"
        case .foreignTrustDomain(let name): "trust domain \(name) is not this authority's"
        case .failed(let error): "\(error)"
        }
    }
}

/// A key that certifies workloads of one trust domain; lives in memory.
package final class Authority: Sendable {
    /// Its own certificate.
    package let certificate: Certificate
    /// The trust domain it certifies for.
    package let trustDomain: String
    /// Its issuers up to but without the root; empty for a root.
    private let path: [Certificate]
    private let key: PrivateKey

    private init(
        certificate: Certificate,
        key: PrivateKey,
        trustDomain: String,
        path: [Certificate]
    ) {
        self.certificate = certificate
        self.key = key
        self.trustDomain = trustDomain
        self.path = path
    }

    /// Makes a new root; times are Unix seconds.
    package static func root(
        trustDomain: String,
        notBefore: Int64,
        notAfter: Int64
    ) throws(TLSError) -> Authority {
        guard PeerIdentity.isTrustDomain(Array(trustDomain.utf8)) else {
            throw .unreadable("\(trustDomain.debugDescription) is no trust domain")
        }
        let template = CertificateTemplate.authority(
            commonName: "Ambit root of \(trustDomain.prefix(40))",
            notBefore: notBefore,
            notAfter: notAfter,
            pathLength: 2
        )
        return try root(template, trustDomain: trustDomain)
    }

    /// Makes a root as a template says.
    package static func root(
        _ template: CertificateTemplate,
        trustDomain: String
    ) throws(TLSError) -> Authority {
        let key = try PrivateKey()
        let certificate = try template.sign(subjectKey: key, issuer: nil, issuerKey: key)
        return Authority(certificate: certificate, key: key, trustDomain: trustDomain, path: [])
    }

    /// Makes an authority below this one, as a template says.
    package func intermediate(_ template: CertificateTemplate) throws(TLSError) -> Authority {
        let key = try PrivateKey()
        let certificate = try template.sign(
            subjectKey: key,
            issuer: self.certificate,
            issuerKey: self.key
        )
        return Authority(
            certificate: certificate,
            key: key,
            trustDomain: trustDomain,
            path: [certificate] + path
        )
    }

    /// Takes up a root whose key and certificate were written before.
    package init(pem: String, trustDomain: String) throws(TLSError) {
        let bytes = Array(pem.utf8)
        let key = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_key_read_pem(bytes.baseAddress, bytes.count)
        }
        guard let key = unsafe key else {
            throw .unreadable(libraryError("no private key in the authority's file"))
        }
        self.key = unsafe PrivateKey(owning: key)
        self.certificate = try CertificateChain(pem: [pem]).leaf
        guard certificate.isAuthority,
            unsafe ambit_certificate_matches_key(certificate.handle, self.key.handle) == 1
        else { throw .unreadable("the authority's certificate and key do not belong together") }
        self.trustDomain = trustDomain
        self.path = []
    }

    /// Takes up an authority, a root or one below it, whose certificates and key others keep.
    ///
    /// All are PEM; `chain` begins with its own certificate and goes on with its issuers, and what
    /// of it is a root already is not sent to peers.
    package init(
        chain: String,
        key: String,
        roots: TrustBundle,
        trustDomain: String
    ) throws(TLSError) {
        guard PeerIdentity.isTrustDomain(Array(trustDomain.utf8)) else {
            throw .unreadable("\(trustDomain.debugDescription) is no trust domain")
        }
        let bytes = Array(key.utf8)
        let handle = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_key_read_pem(bytes.baseAddress, bytes.count)
        }
        guard let handle = unsafe handle else {
            throw .unreadable(libraryError("the authority's private key cannot be read"))
        }
        self.key = unsafe PrivateKey(owning: handle)
        let certificates = try CertificateChain(pem: [chain])
        self.certificate = certificates.leaf
        guard certificate.isAuthority else {
            throw .unreadable("\(certificate.subject) may not sign certificates")
        }
        guard unsafe ambit_certificate_matches_key(certificate.handle, self.key.handle) == 1 else {
            throw .unreadable("the authority's certificate and key do not belong together")
        }
        self.trustDomain = trustDomain
        let trusted = Set(roots.roots.map(\.der))
        self.path = ([certificates.leaf] + certificates.intermediates).filter {
            !trusted.contains($0.der)
        }
    }

    /// Its own certificate and those of its issuers, as far as peers are shown them.
    package var certificates: [Certificate] {
        path.contains { $0.der == certificate.der } ? path : [certificate] + path
    }

    /// Certificate and private key in PEM: only for an operator who keeps a root in a file.
    package var secretPEM: String {
        let secret = unsafe Certificate.bytes { unsafe ambit_key_write_pem(key.handle, $0, $1) }
        return certificate.pem + String(decoding: secret, as: UTF8.self)
    }

    /// Certifies the key of a request for the identity, which the request must name and no other.
    package func sign(
        request pem: String,
        for identity: PeerIdentity,
        notBefore: Int64,
        notAfter: Int64
    ) throws(SigningError) -> CertificateChain {
        guard identity.trustDomain == trustDomain else {
            throw .foreignTrustDomain(identity.trustDomain)
        }
        let key = try Self.provenKey(request: pem, naming: identity)
        let template = CertificateTemplate.workload(
            identity,
            notBefore: notBefore,
            notAfter: min(notAfter, certificate.notAfter)
        )
        return try issue(template, for: key)
    }

    /// Signs whatever the template says, for tests of what a peer refuses.
    package func issue(
        _ template: CertificateTemplate,
        for key: PrivateKey
    ) throws(SigningError) -> CertificateChain {
        do {
            let leaf = try template.sign(
                subjectKey: key,
                issuer: certificate,
                issuerKey: self.key
            )
            return CertificateChain(leaf: leaf, intermediates: path)
        } catch {
            throw .failed(error)
        }
    }

    /// Signs a list that was put together.
    func sign(revocationList list: OpaquePointer) -> Bool {
        unsafe ambit_crl_sign(list, key.handle) == 1
    }

    private static func provenKey(
        request pem: String,
        naming identity: PeerIdentity
    ) throws(SigningError) -> PrivateKey {
        let bytes = Array(pem.utf8)
        guard bytes.count <= requestBytesMax else {
            throw .requestUnreadable("longer than \(requestBytesMax) bytes")
        }
        let request = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_request_read_pem(bytes.baseAddress, bytes.count)
        }
        guard let request = unsafe request else {
            throw .requestUnreadable(libraryError("not a PEM request"))
        }
        defer { unsafe ambit_request_free(request) }
        guard let key = unsafe ambit_request_proven_key(request) else { throw .keyRefused }
        let proven = unsafe PrivateKey(owning: key)
        guard unsafe ambit_request_uri_count(request) == 1 else {
            throw .namesRefused("exactly one URI and nothing else is allowed")
        }
        let uri = unsafe Certificate.bytes { unsafe ambit_request_uri(request, 0, $0, $1) }
        guard uri == Array(identity.uri.utf8) else {
            throw .namesRefused("the request does not name \(identity)")
        }
        return proven
    }

    /// The longest request read, in bytes of PEM.
    private static let requestBytesMax = 16 * 1024
}

extension PrivateKey {
    /// Makes a key of another kind, for tests of what a peer refuses: an OpenSSL curve name, or
    /// RSA of so many bits.
    package convenience init(curve: String?, rsaBits: UInt32) throws(TLSError) {
        let handle =
            if let curve {
                unsafe ambit_key_make_kind(curve, 0)
            } else {
                unsafe ambit_key_make_kind(nil, rsaBits)
            }
        guard let handle = unsafe handle else {
            throw .library(libraryError("cannot make a key"))
        }
        unsafe self.init(owning: handle)
    }
}
