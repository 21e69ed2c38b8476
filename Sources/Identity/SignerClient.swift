package import Mesh
internal import Reactor

/// Gets certificates from a `SignerServer` behind a Unix socket.
package struct SignerClient: CertificateSource {
    /// Where the signer listens.
    package let path: String

    /// Asks at a path, anew for each certificate, so that a signer may restart.
    package init(path: String) {
        self.path = path
    }

    /// Asks and waits for the answer, five seconds at most.
    package func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate {
        let question = SignerRequest(
            identity: identity.description,
            request: request,
            lifetimeSeconds: lifetimeSeconds
        )
        switch try ask(question) {
        case .issued(let issued): return issued
        case .refused(let reason):
            throw CertificateSourceError("the signer refused: \(reason)", .refused)
        }
    }

    private func ask(_ question: SignerRequest) throws(CertificateSourceError) -> SignerAnswer {
        let bytes: [UInt8]?
        do throws(SystemError) {
            let stream = try LocalStream(
                path: path,
                timeoutMilliseconds: signerTimeoutMilliseconds
            )
            try stream.sendMessage(question.bytes)
            bytes = try stream.receiveMessage(bytesMax: SignerAnswer.bytesMax)
        } catch {
            throw CertificateSourceError(
                "the signer at \(path): \(error); is it running?",
                .unreachable
            )
        }
        guard let bytes, let answer = SignerAnswer(bytes) else {
            throw CertificateSourceError("the signer at \(path) gave no readable answer", .invalid)
        }
        return answer
    }
}
