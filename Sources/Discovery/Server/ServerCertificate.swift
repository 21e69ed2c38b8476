internal import Mesh
internal import NIOCertificateReloading
package import NIOSSL
internal import Synchronization
package import TLS

/// The certificate a control-plane server shows, replaced without a restart.
///
/// Connections keep the one they began with; every new handshake takes the current one.
package final class ServerCertificate: Sendable {
    /// Why a certificate cannot be shown.
    package struct Unusable: Error, Sendable, CustomStringConvertible {
        package let reason: String

        /// The reason.
        package var description: String { reason }
    }

    private struct Held: Sendable {
        var chain: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey
    }

    private let held: Mutex<Held>

    /// Takes PEM texts, the leaf first, and the leaf's private key as PEM.
    package init(chain: [String], key: String) throws(Unusable) {
        self.held = Mutex(try Self.read(chain, key))
    }

    /// Shows another one from the next handshake on; on an error the old one stays.
    package func replace(chain: [String], key: String) throws(Unusable) {
        let new = try Self.read(chain, key)
        held.withLock { $0 = new }
    }

    /// Makes a key and has an authority certify it for DNS names and IP addresses as text.
    ///
    /// Times are Unix seconds.
    package convenience init(
        authority: Authority,
        names: [String],
        notBefore: Int64,
        notAfter: Int64
    ) throws(Unusable) {
        let issued = try Self.issue(authority, names, notBefore, notAfter)
        try self.init(chain: issued.chain, key: issued.key)
    }

    /// As `init(authority:names:notBefore:notAfter:)`, in place of what is shown now.
    package func replace(
        authority: Authority,
        names: [String],
        notBefore: Int64,
        notAfter: Int64
    ) throws(Unusable) {
        let issued = try Self.issue(authority, names, notBefore, notAfter)
        try replace(chain: issued.chain, key: issued.key)
    }

    private static func issue(
        _ authority: Authority,
        _ names: [String],
        _ notBefore: Int64,
        _ notAfter: Int64
    ) throws(Unusable) -> (chain: [String], key: String) {
        do {
            let key = try PrivateKey()
            let chain = try authority.issue(
                try CertificateTemplate.server(
                    names: names.filter { IPAddress($0) == nil },
                    addresses: names.compactMap { IPAddress($0)?.bytes },
                    notBefore: notBefore,
                    notAfter: min(notAfter, authority.certificate.notAfter)
                ),
                for: key
            )
            return (chain.pem, key.secretPEM)
        } catch {
            throw Unusable(reason: "\(error)")
        }
    }

    private static func read(_ chain: [String], _ key: String) throws(Unusable) -> Held {
        do {
            let certificates = try chain.flatMap {
                try NIOSSLCertificate.fromPEMBytes(Array($0.utf8))
            }
            guard !certificates.isEmpty else { throw Unusable(reason: "an empty chain") }
            return Held(
                chain: certificates,
                key: try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
            )
        } catch {
            throw Unusable(reason: "the server's certificate: \(error)")
        }
    }
}

/// The transport asks it at every handshake.
extension ServerCertificate: CertificateReloader {
    /// The certificate and key for the handshake that begins.
    package var sslContextConfigurationOverride: NIOSSLContextConfigurationOverride {
        let held = held.withLock { $0 }
        var override = NIOSSLContextConfigurationOverride()
        override.certificateChain = held.chain.map { .certificate($0) }
        override.privateKey = .privateKey(held.key)
        return override
    }
}
