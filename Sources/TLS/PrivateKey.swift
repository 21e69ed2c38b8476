internal import COpenSSL

/// A P-256 key made in this process; it never leaves it and is never written.
@safe
package final class PrivateKey: @unchecked Sendable {
    let handle: OpaquePointer

    /// Makes a new key, about 30 µs.
    package convenience init() throws(TLSError) {
        guard let handle = unsafe ambit_key_make() else {
            throw .library(libraryError("cannot make a key"))
        }
        unsafe self.init(owning: handle)
    }

    init(owning handle: OpaquePointer) {
        unsafe self.handle = handle
    }

    deinit {
        unsafe ambit_key_free(handle)
    }
}

/// Asks an authority to certify a key for an identity (PKCS #10).
package struct CertificateRequest: Sendable {
    /// The request in PEM.
    package let pem: String

    /// Makes a request: empty subject, one URI name, signed by the key (PROTOCOL §2.4).
    package init(key: PrivateKey, identity: PeerIdentity) throws(TLSError) {
        let name = CertificateExtension.names(uris: [Array(identity.uri.utf8)], critical: true)
        let handle = unsafe CertificateExtension.withC([name]) { extensions, count in
            unsafe ambit_request_make(key.handle, extensions, count)
        }
        guard let handle = unsafe handle else {
            throw .library(libraryError("cannot make a certificate request"))
        }
        let pem = unsafe Certificate.bytes { unsafe ambit_request_write_pem(handle, $0, $1) }
        unsafe ambit_request_free(handle)
        guard !pem.isEmpty else {
            throw .library(libraryError("cannot encode a certificate request"))
        }
        self.pem = String(decoding: pem, as: UTF8.self)
    }
}

extension CertificateRequest {
    /// The longest request read, in bytes of PEM.
    static let bytesMax = 16 * 1024

    /// Refuses a request whose key is not on P-256, or that does not prove its key.
    package static func requireP256(_ pem: String) throws(SigningError) {
        let bytes = Array(pem.utf8)
        guard bytes.count <= bytesMax else {
            throw .requestUnreadable("longer than \(bytesMax) bytes")
        }
        let request = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_request_read_pem(bytes.baseAddress, bytes.count)
        }
        guard let request = unsafe request else {
            throw .requestUnreadable(libraryError("not a PEM request"))
        }
        defer { unsafe ambit_request_free(request) }
        guard let key = unsafe ambit_request_proven_key(request) else { throw .keyRefused }
        defer { unsafe ambit_key_free(key) }
        guard unsafe ambit_key_is_p256(key) == 1 else { throw .keyRefused }
    }
}
