import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A certificate authority of a test, and what it signs.
struct TestAuthority {
    let name: DistinguishedName
    let key = P256.Signing.PrivateKey()
    let certificate: Certificate

    init(_ common: String) throws {
        name = try DistinguishedName { CommonName(common) }
        certificate = try Self.sign(
            name,
            P256.Signing.PublicKey(pemRepresentation: key.publicKey.pemRepresentation),
            by: name,
            key
        ) {
            Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            Critical(KeyUsage(keyCertSign: true))
        }
    }

    private static func sign(
        _ subject: DistinguishedName,
        _ publicKey: P256.Signing.PublicKey,
        by issuer: DistinguishedName,
        _ key: P256.Signing.PrivateKey,
        @ExtensionsBuilder _ extensions: () throws -> Result<Certificate.Extensions, any Error>
    ) throws -> Certificate {
        try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(publicKey),
            notValidBefore: Date(timeIntervalSinceNow: -3_600),
            notValidAfter: Date(timeIntervalSinceNow: 3_600),
            issuer: issuer,
            subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions(builder: extensions),
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
    }

    /// In PEM.
    var authorities: [UInt8] { get throws { try Self.pem(certificate) } }

    /// A certificate and its key, in PEM, for a client, for a server on
    /// loopback, or for one that has another name only.
    func issue(_ common: String, dns: String = "localhost") throws -> (chain: [UInt8], key: [UInt8])
    {
        let key = P256.Signing.PrivateKey()
        let names: [GeneralName] =
            dns == "localhost"
            ? [.dnsName(dns), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1]))]
            : [.dnsName(dns)]
        let leaf = try Self.sign(
            try DistinguishedName { CommonName(common) },
            key.publicKey,
            by: name,
            self.key
        ) {
            Critical(BasicConstraints.notCertificateAuthority)
            try ExtendedKeyUsage([.serverAuth, .clientAuth])
            SubjectAlternativeNames(names)
        }
        return (try Self.pem(leaf), Array(key.pemRepresentation.utf8))
    }

    private static func pem(_ certificate: Certificate) throws -> [UInt8] {
        Array((try certificate.serializeAsPEM().pemString + "\n").utf8)
    }

    /// What a server on loopback needs; clients must show a certificate of `clients`.
    func server(dns: String = "localhost", clients: TestAuthority? = nil) throws -> TLSConfiguration
    {
        let (chain, key) = try issue("server", dns: dns)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(chain).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
        )
        if let clients {
            tls.certificateVerification = .noHostnameVerification
            tls.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(try clients.authorities)
            )
        }
        return tls
    }
}
