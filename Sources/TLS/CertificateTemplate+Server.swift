internal import COpenSSL

extension CertificateTemplate {
    /// A server's leaf: DNS names, and IP addresses of 4 or 16 bytes; no SPIFFE id.
    ///
    /// Refuses names that cannot stand in a certificate, and no name at all.
    package static func server(
        names: [String],
        addresses: [[UInt8]],
        notBefore: Int64,
        notAfter: Int64
    ) throws(TLSError) -> Self {
        guard !names.isEmpty || !addresses.isEmpty else {
            throw .unreadable("a server's certificate needs a name or an address")
        }
        // RFC 5280 §4.2.1.6: dNSName is tag 2, iPAddress tag 7, both implicit.
        var general: [UInt8] = []
        for name in names {
            guard isServerName(name) else {
                throw .unreadable("\(name.debugDescription) is no DNS name of a server")
            }
            general += CertificateExtension.der(tag: 0x82, Array(name.utf8))
        }
        for address in addresses {
            guard address.count == 4 || address.count == 16 else {
                throw .unreadable("an IP address of \(address.count) bytes")
            }
            general += CertificateExtension.der(tag: 0x87, address)
        }
        guard general.count <= 0x8000 else { throw .unreadable("too many names of a server") }
        let alternatives = CertificateExtension(
            name: "subjectAltName",
            value: .der(CertificateExtension.der(tag: 0x30, general)),
            isCritical: true
        )
        return Self(
            notBefore: notBefore,
            notAfter: notAfter,
            extensions: [
                .notAuthority, .leafUsage,
                CertificateExtension(name: "extendedKeyUsage", value: .text("serverAuth")),
                .subjectKey, .authorityKey, alternatives,
            ]
        )
    }

    private static func isServerName(_ name: String) -> Bool {
        (1...253).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

extension PrivateKey {
    /// The key in PEM (PKCS #8): only for the TLS library of the control plane's server.
    package var secretPEM: String {
        let secret = unsafe Certificate.bytes { unsafe ambit_key_write_pem(handle, $0, $1) }
        return String(decoding: secret, as: UTF8.self)
    }
}
