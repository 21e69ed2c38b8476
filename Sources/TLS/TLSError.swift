internal import COpenSSL

/// Why TLS failed, in values a caller can tell apart and words an operator can act on.
package enum TLSError: Error, Hashable, Sendable {
    /// OpenSSL refused something of our own: a key, a context, memory.
    case library(String)
    /// PEM or DER that cannot be read, or holds what its place does not allow.
    case unreadable(String)
    /// The first bytes were not TLS: a client that speaks in the clear.
    case notTLS(String)
    /// The peer does not speak TLS 1.3.
    case version(String)
    /// The peer did not agree on `h2`.
    case applicationProtocol
    /// The client showed no certificate.
    case certificateMissing
    /// The chain does not lead to our trust bundle.
    case untrusted(TrustFault, String)
    /// The chain is good, but the leaf is not a workload's certificate.
    case identity(IdentityFault)
    /// The leaf is a workload's, but not one this connection may talk to.
    case unexpectedIdentity(found: String, expected: PeerExpectation)
    /// The peer refused us with this alert (RFC 8446 §6).
    case refusedByPeer(alert: UInt8, String)
    /// The peer broke the protocol, or its records were tampered with.
    case protocolViolation(String)
    /// The output buffer's limit was met.
    case outputFull
    /// Application data was given before the handshake was done.
    case notEstablished
}

/// What is wrong with a chain of certificates.
package enum TrustFault: Int32, Hashable, Sendable {
    case other
    case expired
    case notYetValid
    case unknownIssuer
    case selfSigned
    case badSignature
    case badAuthority
    case tooLong
    case wrongPurpose
    case nameConstraint
    case weak
    case revoked
    case malformed
    /// Whether it is revoked cannot be told: its issuer's list is out of date or unreadable.
    case revocationUnknown
}

/// What is wrong with the leaf of a chain that is otherwise good (ATTACKS 5.4).
package enum IdentityFault: Error, Hashable, Sendable {
    case namesUnreadable
    case noURIName
    case severalURINames(Int)
    case notSPIFFE(SPIFFEFault)
    case isAuthority
    case extendedUsageMissing
    case extendedUsageWrong
}

extension TLSError {
    /// Whether a certificate was refused because of a revocation list.
    package var isRevocation: Bool {
        guard case .untrusted(let fault, _) = self else { return false }
        return fault == .revoked || fault == .revocationUnknown
    }
}

extension TLSError: CustomStringConvertible {
    /// One line for logs; nothing in it comes from the peer unescaped.
    package var description: String {
        switch self {
        case .library(let text): "OpenSSL: \(text)"
        case .unreadable(let text): text
        case .notTLS(let text): "the peer does not speak TLS here (\(text)); is it in the mesh?"
        case .version(let text): "no common TLS version, 1.3 is required (\(text))"
        case .applicationProtocol: "the peer did not agree on ALPN h2; it is no HBONE peer"
        case .certificateMissing: "the client showed no certificate; is it in the mesh?"
        case .untrusted(let fault, let text): "peer certificate: \(fault.text) (\(text))"
        case .identity(let fault): "peer certificate: \(fault.text)"
        case .unexpectedIdentity(let found, let expected):
            "the peer is \(found), expected \(expected)"
        case .refusedByPeer(let alert, let text):
            "the peer refused us: \(text) (alert \(alert))\(Self.hint(alert))"
        case .protocolViolation(let text): "TLS: \(text)"
        case .outputFull: "the TLS output buffer is full"
        case .notEstablished: "the TLS handshake is not done"
        }
    }

    private static func hint(_ alert: UInt8) -> String {
        switch alert {
        case 42, 43, 46: "; it does not accept our certificate"
        case 44: "; our certificate was revoked"
        case 45: "; our certificate is expired for it: compare the clocks"
        case 48: "; it does not know our root: do both have the same trust bundle?"
        case 116: "; it demands a client certificate"
        case 120: "; it does not speak HTTP/2 there"
        default: ""
        }
    }
}

extension TrustFault {
    /// What to tell the operator.
    package var text: String {
        switch self {
        case .other: "not trusted"
        case .expired: "expired; did its rotation stop, or are the clocks apart?"
        case .notYetValid: "not valid yet; are the clocks apart?"
        case .unknownIssuer: "issued by an authority outside our trust bundle"
        case .selfSigned: "self-signed"
        case .badSignature: "its signature does not verify"
        case .badAuthority: "signed by a certificate that is no authority"
        case .tooLong: "its chain is too long"
        case .wrongPurpose: "not meant for this side of TLS"
        case .nameConstraint: "its name lies outside what its issuer may certify"
        case .weak: "a key or digest in its chain is too weak"
        case .revoked: "revoked"
        case .malformed: "its extensions are malformed or unknown"
        case .revocationUnknown: "it cannot be told whether it is revoked"
        }
    }
}

extension IdentityFault {
    /// What to tell the operator.
    package var text: String {
        switch self {
        case .namesUnreadable: "its subject alternative names cannot be read"
        case .noURIName: "it has no URI name, so no SPIFFE identity"
        case .severalURINames(let count): "it has \(count) URI names where exactly one is allowed"
        case .notSPIFFE(let fault): "its URI name is no workload identity: \(fault.rawValue)"
        case .isAuthority: "it is an authority's, not a workload's"
        case .extendedUsageMissing: "it has no extended key usage"
        case .extendedUsageWrong: "its extended key usage is for the other side of TLS"
        }
    }
}

/// Empties OpenSSL's error queue into one line; `fallback` when there was nothing in it.
func libraryError(_ fallback: String) -> String {
    let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { room in
        let length = unsafe ambit_error_text(room.baseAddress, room.count)
        return length == 0 ? "" : unsafe room.baseAddress.map { unsafe String(cString: $0) } ?? ""
    }
    return text.isEmpty ? fallback : "\(fallback): \(text)"
}
