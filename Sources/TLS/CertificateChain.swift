internal import COpenSSL

/// A leaf and the intermediates that lead towards a root; immutable.
package struct CertificateChain: Sendable {
    /// The certificate of the workload.
    package let leaf: Certificate
    /// Its issuers in order, the root left out or not as it was given.
    package let intermediates: [Certificate]

    private static let countMax = 8

    /// Reads PEM texts, the leaf first.
    package init(pem: [String]) throws(TLSError) {
        var all = try readCertificates(pem, countMax: Self.countMax, what: "certificate chain")
        self.leaf = all.removeFirst()
        self.intermediates = all
    }

    init(leaf: Certificate, intermediates: [Certificate]) {
        self.leaf = leaf
        self.intermediates = intermediates
    }

    /// Leaf and intermediates in PEM, one string each.
    package var pem: [String] { [leaf.pem] + intermediates.map(\.pem) }
}

/// The roots a peer's chain may lead to; immutable, shared by contexts and threads.
@safe
package final class TrustBundle: @unchecked Sendable {
    /// The roots in the order given, without repetitions.
    package let roots: [Certificate]
    let handle: OpaquePointer

    private static let countMax = 64

    /// Reads PEM texts with one or several roots each; every one must be an authority.
    package convenience init(pem: [String]) throws(TLSError) {
        try self.init(
            roots: try readCertificates(pem, countMax: Self.countMax, what: "trust bundle")
        )
    }

    /// Trusts the roots given, which must be authorities.
    package init(roots: [Certificate]) throws(TLSError) {
        guard let handle = unsafe ambit_trust_make() else {
            throw .library(libraryError("cannot make a trust store"))
        }
        unsafe self.handle = handle
        var seen: Set<[UInt8]> = []
        self.roots = roots.filter { seen.insert($0.der).inserted }
        for root in self.roots {
            guard root.isAuthority else {
                throw .unreadable("trust bundle: \(root.subject) is not an authority")
            }
            guard unsafe ambit_trust_add(handle, root.handle) == 1 else {
                throw .library(libraryError("cannot trust \(root.subject)"))
            }
        }
    }

    deinit {
        unsafe ambit_trust_free(handle)
    }

    /// Checks that a chain leads to one of the roots at a time in Unix seconds.
    ///
    /// Returns what names its certificates to revocation, the leaf's first, the root left out.
    @discardableResult
    package func verify(
        _ chain: CertificateChain,
        atSeconds: Int64
    ) throws(TLSError) -> [RevocationKey] {
        let intermediates = unsafe chain.intermediates.map { unsafe Optional($0.handle) }
        var depth: Int32 = 0
        var keys = ambit_chain_keys()
        let error = unsafe intermediates.withUnsafeBufferPointer { list in
            unsafe ambit_trust_verify(
                handle,
                chain.leaf.handle,
                list.baseAddress,
                list.count,
                atSeconds,
                &depth,
                &keys
            )
        }
        if error != 0 { throw TLSError(verifyError: error, depth: depth) }
        return unsafe withUnsafeBytes(of: keys.keys) { bytes in
            (0..<Int(keys.count)).map { index in
                let start = index * RevocationKey.byteCount
                return unsafe RevocationKey(bytes[start..<start + RevocationKey.byteCount])
            }
        }
    }

    /// The roots in PEM, one string each.
    package var pem: [String] { roots.map(\.pem) }
}
