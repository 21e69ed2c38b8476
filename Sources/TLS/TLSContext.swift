internal import COpenSSL

/// What all sessions of one identity in one role share; immutable once made.
///
/// TLS 1.3 only, AES-128-GCM first, X25519MLKEM768 where the library has it, ALPN `h2`, the peer's
/// certificate mandatory, no tickets and no resumption. A rotation makes a new context; sessions
/// keep the one they were made with. Used by any thread.
@safe
package final class TLSContext: @unchecked Sendable {
    /// Which end of the connection.
    package enum Role: Sendable {
        case client
        case server
    }

    /// The end its sessions take.
    package let role: Role
    /// The certificate its sessions show.
    package let chain: CertificateChain
    /// The roots its sessions trust.
    package let trust: TrustBundle
    /// What names its own certificates to revocation, the leaf's first.
    package let revocationKeys: [RevocationKey]
    /// Whether X25519MLKEM768 is offered.
    package let isPostQuantum: Bool
    let handle: OpaquePointer

    /// Binds an identity's chain and key to the roots its peers must lead to.
    ///
    /// Fails when the key is not the leaf's.
    package convenience init(
        role: Role,
        chain: CertificateChain,
        key: PrivateKey,
        trust: TrustBundle,
        revocationKeys: [RevocationKey] = []
    ) throws(TLSError) {
        let isServer: Int32 = role == .server ? 1 : 0
        guard let handle = unsafe ambit_context_make(isServer, trust.handle) else {
            throw .library(libraryError("cannot make a TLS context"))
        }
        let intermediates = unsafe chain.intermediates.map { unsafe Optional($0.handle) }
        let ok = unsafe intermediates.withUnsafeBufferPointer { list in
            unsafe ambit_context_identity(
                handle,
                key.handle,
                chain.leaf.handle,
                list.baseAddress,
                list.count
            )
        }
        guard ok == 1 else {
            let problem = libraryError("cannot use the certificate of \(chain.leaf.subject)")
            unsafe ambit_context_free(handle)
            throw .library(problem)
        }
        unsafe self.init(
            owning: handle,
            role: role,
            chain: chain,
            trust: trust,
            revocationKeys: revocationKeys
        )
    }

    private init(
        owning handle: OpaquePointer,
        role: Role,
        chain: CertificateChain,
        trust: TrustBundle,
        revocationKeys: [RevocationKey] = []
    ) {
        self.revocationKeys = revocationKeys
        unsafe self.handle = handle
        self.role = role
        self.chain = chain
        self.trust = trust
        self.isPostQuantum = unsafe ambit_context_is_post_quantum(handle) == 1
    }

    deinit {
        unsafe ambit_context_free(handle)
    }
}

// MARK: for tests

extension TLSContext {
    /// Makes this context break the rules, so that tests see what honest peers say to it.
    ///
    /// Call before the first session. It accepts any peer; `version` is 0x0303 or 0x0304, `alpn`
    /// the names to offer, `groups` and `suites` OpenSSL's names.
    package func loosen(
        version: Int32 = 0,
        alpn: [String] = [],
        groups: String? = nil,
        suites: String? = nil
    ) -> Bool {
        let wire = alpn.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
        let length = UInt32(truncatingIfNeeded: wire.count)
        return unsafe withOptionalText(groups) { groups in
            unsafe withOptionalText(suites) { suites in
                unsafe ambit_context_loosen(handle, version, wire, length, groups, suites)
            }
        } == 1
    }

    /// Makes its sessions keep libssl's record layer, to be compared with ours.
    package func keepLibraryRecords() {
        unsafe ambit_context_keep_records(handle)
    }
}

extension TLSContext {
    /// A client that shows no certificate, for tests of servers.
    package convenience init(anonymousClientTrusting trust: TrustBundle) throws(TLSError) {
        guard let handle = unsafe ambit_context_make(0, trust.handle) else {
            throw .library(libraryError("cannot make a TLS context"))
        }
        guard let root = trust.roots.first else {
            unsafe ambit_context_free(handle)
            throw .unreadable("an empty trust bundle")
        }
        unsafe self.init(
            owning: handle,
            role: .client,
            chain: CertificateChain(leaf: root, intermediates: []),
            trust: trust
        )
    }
}
