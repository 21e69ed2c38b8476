internal import COpenSSL

/// The rules for a peer's leaf, once its chain was found good (PROTOCOL §1.9, ATTACKS 5.4).
///
/// The leaf must be a workload's with exactly one SPIFFE name, must say in its extended key usage
/// that it is for the peer's side of TLS, and must be expected.
func verifyPeer(
    _ leaf: Certificate,
    seenBy role: TLSContext.Role,
    expecting expectation: PeerExpectation
) throws(TLSError) -> PeerIdentity {
    let identity: PeerIdentity
    do {
        identity = try leaf.workloadIdentity()
        try leaf.checkExtendedUsage(peerOf: role)
    } catch {
        throw .identity(error)
    }
    guard expectation.accepts(identity) else {
        throw .unexpectedIdentity(found: identity.uri, expected: expectation)
    }
    return identity
}

extension Certificate {
    /// OpenSSL accepts a leaf without extended key usage for anything; we do not.
    fileprivate func checkExtendedUsage(peerOf role: TLSContext.Role) throws(IdentityFault) {
        if facts.has_extended_usage == 0 { throw .extendedUsageMissing }
        let allowed =
            switch role {
            case .client: facts.allows_server
            case .server: facts.allows_client
            }
        if allowed == 0 { throw .extendedUsageWrong }
    }
}

extension TLSError {
    /// Names a session's failure; `refusal` is what the judge said, if it was asked.
    init(_ failure: ambit_failure, refusal: TLSError?) {
        let text = Self.text(of: failure)
        switch Int(failure.kind) {
        case AMBIT_FAILURE_NOT_TLS: self = .notTLS(text)
        case AMBIT_FAILURE_VERSION: self = .version(text)
        case AMBIT_FAILURE_NO_CERTIFICATE: self = .certificateMissing
        case AMBIT_FAILURE_UNTRUSTED:
            self.init(verifyError: failure.verify_error, depth: failure.verify_depth)
        case AMBIT_FAILURE_JUDGED: self = refusal ?? .protocolViolation(text)
        case AMBIT_FAILURE_ALERT:
            self = unsafe .refusedByPeer(
                alert: UInt8(truncatingIfNeeded: failure.alert),
                String(cString: ambit_alert_text(failure.alert))
            )
        case AMBIT_FAILURE_ALPN: self = .applicationProtocol
        case AMBIT_FAILURE_OUTPUT: self = .outputFull
        default: self = .protocolViolation(text)
        }
    }

    /// Names an error of OpenSSL's chain verification.
    init(verifyError: Int32, depth: Int32) {
        let fault = TrustFault(rawValue: ambit_verify_fault(verifyError)) ?? .other
        let words = unsafe String(cString: ambit_verify_text(verifyError))
        self = .untrusted(fault, "\(words), certificate \(depth) of the chain")
    }

    private static func text(of failure: ambit_failure) -> String {
        let text = unsafe withUnsafeBytes(of: failure.text) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return text.isEmpty ? "the connection failed" : text
    }
}
