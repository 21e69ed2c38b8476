internal import COpenSSL

extension Authority {
    /// A certificate to put on a list.
    package struct Revoked: Sendable, Hashable {
        /// In hexadecimal.
        package let serial: String
        /// Unix seconds.
        package let revokedAt: Int64

        /// Names a certificate.
        package init(serial: String, revokedAt: Int64) {
            self.serial = serial
            self.revokedAt = revokedAt
        }
    }

    /// Signs the complete list of what is revoked, PEM; times are Unix seconds.
    ///
    /// The number must be above those of all its lists before.
    package func revocationList(
        _ revoked: [Revoked],
        number: UInt64,
        thisUpdate: Int64,
        nextUpdate: Int64
    ) throws(TLSError) -> String {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
        let list = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_crl_make(
                certificate.handle,
                thisUpdate,
                nextUpdate,
                bytes.baseAddress,
                bytes.count
            )
        }
        guard let list = unsafe list else {
            throw .library(libraryError("cannot make a revocation list"))
        }
        defer { unsafe ambit_crl_free(list) }
        for one in revoked {
            let ok = unsafe one.serial.withCString { unsafe ambit_crl_add(list, $0, one.revokedAt) }
            guard ok == 1 else {
                throw .unreadable("\(one.serial.debugDescription) is no serial number")
            }
        }
        guard unsafe sign(revocationList: list) else {
            throw .library(libraryError("cannot sign a revocation list"))
        }
        let pem = unsafe Certificate.bytes { unsafe ambit_crl_write_pem(list, $0, $1) }
        return String(decoding: pem, as: UTF8.self)
    }
}
