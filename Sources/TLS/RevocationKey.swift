internal import COpenSSL

/// A certificate as revocation knows it: a hash of its issuer's public key and its serial number.
///
/// Sixteen bytes of SHA-256. Authorities of one name with different keys are told apart, and a
/// list reaches no further than the certificates of the key that signed it.
package struct RevocationKey: Hashable, Sendable {
    static let byteCount = Int(ambit_revocation_key_bytes)

    private let high: UInt64
    private let low: UInt64

    /// Takes sixteen bytes as they are.
    init(_ bytes: Slice<UnsafeRawBufferPointer>) {
        let count = unsafe bytes.count
        precondition(count == Self.byteCount, "a key of \(count) bytes")
        let base = unsafe UnsafeRawBufferPointer(rebasing: bytes)
        self.high = unsafe base.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        self.low = unsafe base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    }

    /// Lets C fill in the bytes, which are zero before.
    init(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) {
        var words: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe fill(start.assumingMemoryBound(to: UInt8.self))
        }
        (self.high, self.low) = words
    }

    /// An authority, by its public key alone.
    init(authority: Certificate) {
        unsafe self.init { unsafe _ = ambit_certificate_authority_key(authority.handle, $0) }
    }
}

extension Certificate {
    /// Whether an authority's key signed it, and the names agree.
    func isSigned(by authority: Certificate) -> Bool {
        unsafe ambit_certificate_is_signed_by(handle, authority.handle) == 1
    }
}
