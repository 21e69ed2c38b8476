internal import COpenSSL

/// What a certificate is to say; nothing in it is checked, so that tests can make odd ones.
package struct CertificateTemplate: Sendable {
    /// The common name, for people only; nil leaves the subject empty.
    package var commonName: String?
    /// The first and last second of validity, Unix time.
    package var notBefore: Int64
    package var notAfter: Int64
    /// In the order they are to stand.
    package var extensions: [CertificateExtension]
    /// 3, or 1 for a certificate that can have no extensions.
    package var version: Int32 = 3

    /// Describes a certificate of version 3.
    package init(
        commonName: String? = nil,
        notBefore: Int64,
        notAfter: Int64,
        extensions: [CertificateExtension]
    ) {
        self.commonName = commonName
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.extensions = extensions
    }

    /// A workload's leaf, as the authority issues it: both sides of TLS, one URI name.
    package static func workload(
        _ identity: PeerIdentity,
        notBefore: Int64,
        notAfter: Int64
    ) -> Self {
        Self(
            notBefore: notBefore,
            notAfter: notAfter,
            extensions: [
                .notAuthority, .leafUsage, .bothSides, .subjectKey, .authorityKey,
                .names(uris: [Array(identity.uri.utf8)], critical: true),
            ]
        )
    }

    /// A root or intermediate; `pathLength` is how many authorities may follow it.
    package static func authority(
        commonName: String,
        notBefore: Int64,
        notAfter: Int64,
        pathLength: Int
    ) -> Self {
        Self(
            commonName: commonName,
            notBefore: notBefore,
            notAfter: notAfter,
            extensions: [
                CertificateExtension(
                    name: "basicConstraints",
                    value: .text("CA:TRUE,pathlen:\(pathLength)"),
                    isCritical: true
                ),
                CertificateExtension(
                    name: "keyUsage",
                    value: .text("keyCertSign,cRLSign"),
                    isCritical: true
                ),
                .subjectKey,
            ]
        )
    }

    /// Makes and signs the certificate for a key; without an issuer it signs itself.
    func sign(
        subjectKey: PrivateKey,
        issuer: Certificate?,
        issuerKey: PrivateKey
    ) throws(TLSError) -> Certificate {
        let handle = unsafe CertificateExtension.withC(extensions) { extensions, count in
            let serial = Self.serial()
            return unsafe serial.withUnsafeBufferPointer { serial in
                unsafe withOptionalText(commonName) { name in
                    unsafe ambit_certificate_make(
                        subjectKey.handle,
                        name,
                        issuer?.handle,
                        issuerKey.handle,
                        notBefore,
                        notAfter,
                        serial.baseAddress,
                        version,
                        extensions,
                        count
                    )
                }
            }
        }
        guard let handle = unsafe handle else {
            throw .library(libraryError("cannot make a certificate"))
        }
        return unsafe Certificate(owning: handle)
    }

    /// 127 random bits: positive and of 16 bytes at most (RFC 5280 §4.1.2.2).
    private static func serial() -> [UInt8] {
        var bytes: [UInt8] = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[0] = bytes[0] & 0x7f | 0x40
        return bytes
    }
}

/// Lends a text to C, or NULL for none.
func withOptionalText<Result>(
    _ text: String?,
    _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
    guard let text else { return body(nil) }
    return unsafe text.withCString { unsafe body($0) }
}

extension CertificateExtension {
    static var notAuthority: Self {
        Self(name: "basicConstraints", value: .text("CA:FALSE"), isCritical: true)
    }
    static var leafUsage: Self {
        Self(
            name: "keyUsage",
            value: .text("digitalSignature,keyEncipherment"),
            isCritical: true
        )
    }
    static var bothSides: Self {
        Self(name: "extendedKeyUsage", value: .text("serverAuth,clientAuth"))
    }
    static var subjectKey: Self {
        Self(name: "subjectKeyIdentifier", value: .text("hash"))
    }
    static var authorityKey: Self {
        Self(name: "authorityKeyIdentifier", value: .text("keyid:always"))
    }
}
