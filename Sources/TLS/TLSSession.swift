internal import COpenSSL

/// What a read of a session came to.
@safe
package enum ReadOutcome {
    /// Plaintext, in the ciphertext lent or in the scratch; read again, there may be more.
    case bytes(UnsafeRawBufferPointer)
    /// The handshake is done and the peer accepted; told once, read again.
    case handshakeDone
    /// Everything fed was used up; the borrowed ciphertext is free again.
    case needMore
    /// The peer closed its side properly (close_notify).
    case closed
    /// The session is over; an alert may wait in the output.
    case failed(TLSError)
}

/// One TLS connection without a socket: ciphertext is fed and read, plaintext written and sealed.
///
/// Belongs to one thread. A client's first `read` makes the ClientHello. What is to be sent is
/// appended to the output given with each call, by reads too (handshake, key updates, alerts), so
/// send it after every call, also after a failure. Once established it needs about 3 KB.
@safe
package final class TLSSession {
    private let handle: OpaquePointer
    private let context: TLSContext
    private let expectation: PeerExpectation
    private var refusal: TLSError?
    /// What is revoked, as far as the handshake is to know; newer ones may be set while it runs.
    package var revocations: Revocations?
    /// Who the peer proved to be, once the handshake is done.
    package private(set) var peer: PeerIdentity?
    /// Whether the handshake is done and data may be written.
    package private(set) var isEstablished = false

    /// Starts a session in the context's role that accepts only the peers expected.
    ///
    /// With `revocations`, none whose certificate, or that of an authority above it, is revoked.
    package init(
        context: TLSContext,
        expecting: PeerExpectation,
        revocations: Revocations? = nil
    ) throws(TLSError) {
        // The judge is called by `read` only, with the owner set below.
        guard
            let handle = unsafe ambit_session_make(
                context.handle,
                context.role == .server ? 1 : 0,
                judgePeer
            )
        else { throw .library(libraryError("cannot make a TLS session")) }
        unsafe self.handle = handle
        self.context = context
        self.expectation = expecting
        self.revocations = revocations
    }

    deinit {
        unsafe ambit_session_free(handle)
    }

    /// The peer's SPIFFE URI, once the handshake is done.
    package var peerIdentity: String? { peer?.uri }

    /// Lends ciphertext that came in, to be decrypted where it lies; it must stay in place until a
    /// read returns `needMore`, `closed` or `failed`, or the session is gone.
    package func feed(_ ciphertext: UnsafeMutableRawBufferPointer) {
        precondition(unsafe ambit_session_unread(handle) == 0, "fed before all was read")
        unsafe ambit_session_feed(handle, ciphertext.baseAddress, ciphertext.count)
    }

    /// What a scratch must have room for: the longest record's ciphertext.
    package static let scratchBytesMin = 16_640

    /// Goes on with the handshake, or opens the next of the records that were fed.
    ///
    /// Keep calling until `needMore`. A record that came in pieces is opened into the scratch, at
    /// most one between two calls of `feed`, so that plaintext stays until the next `feed`; where
    /// records are libssl's (`hasOwnRecords`), all are, and it stays until the next `read`.
    package func read(
        scratch: UnsafeMutableRawBufferPointer,
        output: OutputBuffer
    ) -> ReadOutcome {
        precondition(scratch.count >= Self.scratchBytesMin, "a scratch of \(scratch.count) bytes")
        var got = 0
        var plain: UnsafeMutablePointer<UInt8>?
        let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        let outcome = unsafe ambit_session_read(
            handle,
            owner,
            scratch.baseAddress,
            scratch.count,
            &plain,
            &got,
            output.output
        )
        switch Int(outcome) {
        case AMBIT_BYTES: return unsafe .bytes(UnsafeRawBufferPointer(start: plain, count: got))
        case AMBIT_NEED_MORE: return .needMore
        case AMBIT_HANDSHAKE_DONE:
            isEstablished = true
            return .handshakeDone
        case AMBIT_CLOSED: return .closed
        default: return .failed(failure())
        }
    }

    /// Bytes before and behind the content of a record that is sealed where it lies.
    package static let recordHeaderBytes = 5
    package static let recordTrailerBytes = 17
    /// The most content of one record (RFC 8446 §5.1).
    package static let recordContentMax = 16_384

    /// Whether so many records can be sealed where they lie; if not, `write` their content.
    package func maySeal(records: Int) -> Bool {
        unsafe isEstablished && ambit_session_may_seal(handle, records) == 1
    }

    /// Seals a whole record where it lies: room for its header, its content, room for its trailer.
    ///
    /// Returns why it failed; ask `maySeal` before.
    package func seal(_ record: UnsafeMutableRawBufferPointer) -> TLSError? {
        let length = record.count - Self.recordHeaderBytes - Self.recordTrailerBytes
        precondition(length >= 0, "a record of \(record.count) bytes")
        return unsafe ambit_session_seal(handle, record.baseAddress, length) == 1 ? nil : failure()
    }

    /// Seals plaintext in records of 16384 bytes and a last shorter one, into the output.
    ///
    /// Takes everything or fails; returns why.
    package func write(_ plaintext: UnsafeRawBufferPointer, output: OutputBuffer) -> TLSError? {
        guard isEstablished else { return .notEstablished }
        let ok = unsafe ambit_session_write(
            handle,
            plaintext.baseAddress,
            plaintext.count,
            output.output
        )
        return ok == 1 ? nil : failure()
    }

    /// Says to the peer that nothing more comes (close_notify); reading goes on.
    package func close(output: OutputBuffer) {
        unsafe ambit_session_close(handle, output.output)
    }

    /// Changes our traffic keys and asks the peer to change its own.
    ///
    /// Not needed in use: keys change by themselves long before they wear out.
    package func updateKeys(output: OutputBuffer) -> Bool {
        unsafe ambit_session_update_keys(handle, output.output) == 1
    }

    /// What was agreed on, by OpenSSL's names; empty before the handshake is done.
    package var negotiated: (version: String, cipher: String, group: String) {
        unsafe (
            String(cString: ambit_session_version(handle)),
            String(cString: ambit_session_cipher(handle)),
            String(cString: ambit_session_group(handle))
        )
    }

    /// Whether records are ours after the handshake, and no more libssl's.
    package var hasOwnRecords: Bool { unsafe ambit_session_has_own_records(handle) == 1 }

    /// Bytes of the process's C heap in use, for tests of what a session costs.
    package static var heapBytesInUse: Int { ambit_heap_used() }

    /// Whether the session went on from an earlier one, which must never be.
    package var wasResumed: Bool { unsafe ambit_session_was_resumed(handle) == 1 }

    /// Why a connection that is up must end: the peer's certificate or ours is revoked; nil if not.
    package func revocation(by revocations: Revocations) -> String? {
        for index in 0..<chainCount {
            if let reason = revocations.reason(chainKey(index)) { return "the peer's \(reason)" }
        }
        for key in context.revocationKeys {
            if let reason = revocations.reason(key) { return "our \(reason)" }
        }
        return nil
    }

    private var chainCount: Int { unsafe ambit_session_chain_count(handle) }

    private func chainKey(_ index: Int) -> RevocationKey {
        unsafe RevocationKey { unsafe ambit_session_chain_key(handle, index, $0) }
    }

    private enum Verdict: Int32 { case accepted = 1, refused = 0, revoked = -1 }

    /// Decides on a leaf whose chain is good; called by OpenSSL within `read`.
    fileprivate func judge(_ leaf: Certificate) -> Int32 {
        do throws(TLSError) {
            let found = try verifyPeer(leaf, seenBy: context.role, expecting: expectation)
            try checkRevocation()
            peer = found
            return Verdict.accepted.rawValue
        } catch {
            refusal = error
            return (error.isRevocation ? Verdict.revoked : Verdict.refused).rawValue
        }
    }

    private func checkRevocation() throws(TLSError) {
        guard let revocations else { return }
        if let fault = revocations.fault { throw .untrusted(.revocationUnknown, fault) }
        for index in 0..<chainCount {
            if let reason = revocations.reason(chainKey(index)) {
                throw .untrusted(.revoked, reason)
            }
            guard revocations.hasOutdated else { continue }
            var isKnown = false
            let issuer = unsafe RevocationKey {
                isKnown = unsafe ambit_session_chain_issuer_key(handle, index, $0) == 1
            }
            guard isKnown, let reason = revocations.outdated(issuer) else { continue }
            throw .untrusted(.revocationUnknown, reason)
        }
    }

    private func failure() -> TLSError {
        peer = nil
        isEstablished = false
        var failure = ambit_failure()
        unsafe ambit_session_failure(handle, &failure)
        return TLSError(failure, refusal: refusal)
    }
}

/// Called by OpenSSL's verification, through COpenSSL, on the thread inside `TLSSession.read`.
private func judgePeer(_ owner: UnsafeMutableRawPointer?, _ leaf: OpaquePointer?) -> Int32 {
    guard let owner = unsafe owner, let leaf = unsafe leaf else { return 0 }
    let session = unsafe Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue()
    return unsafe session.judge(Certificate(sharing: leaf))
}
