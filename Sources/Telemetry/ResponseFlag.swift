/// Why a connection failed, as the label `response_flags` says it (PROTOCOL.md §5.1).
///
/// The flag is chosen where the failure is made, never inferred later.
package enum ResponseFlag: UInt8, Sendable, Hashable, CaseIterable {
    /// Nothing went wrong, or nothing that has a flag.
    case none
    /// A policy denied it.
    case deny
    /// The connection to the destination could not be made.
    case connect
    /// The TLS handshake failed.
    case tlsFailure
    /// The HTTP/2 handshake failed.
    case h2HandshakeFailure
    /// A timeout on port 15008, which a NetworkPolicy that blocks it would explain.
    case networkPolicy
    /// The peer's identity is not one that was expected, or we have no certificate.
    case identityError
    /// The peer's certificate was revoked.
    case certRevoked

    /// The value of the label.
    package var label: String {
        switch self {
        case .none: "-"
        case .deny: "DENY"
        case .connect: "CONNECT"
        case .tlsFailure: "TLS_FAILURE"
        case .h2HandshakeFailure: "H2_HANDSHAKE_FAILURE"
        case .networkPolicy: "NETWORK_POLICY"
        case .identityError: "IDENTITY_ERROR"
        case .certRevoked: "CERT_REVOKED"
        }
    }
}
