internal import AmbientProtocol
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
package import Identity
package import Mesh
internal import Reactor
internal import SwiftProtobuf
internal import Synchronization

/// Gets certificates from the control plane, ours or a foreign one (PROTOCOL.md §2.4).
///
/// One connection is kept while it is of use, and made anew when it fails or the roots change.
package final class CertificateClient: CertificateSource {
    /// How long one request may take in all.
    static let timeout = Duration.seconds(10)

    private struct Connection: Sendable {
        let roots: String
        let client: GRPCClient<HTTP2ClientTransport.Posix>
    }

    private let endpoint: ControlEndpoint
    private let token: SecretSource
    private let clusterID: String
    private let loop: ControlLoop
    private let connection = Mutex<Connection?>(nil)

    /// Asks an endpoint, with a token that is read anew for each request.
    package init(
        endpoint: ControlEndpoint,
        token: SecretSource,
        clusterID: String,
        loop: ControlLoop
    ) {
        self.endpoint = endpoint
        self.token = token
        self.clusterID = clusterID
        self.loop = loop
    }

    /// Asks and waits for the answer, ten seconds at most; not for threads that run tasks.
    package func certify(
        request: String,
        identity: SPIFFEID,
        lifetimeSeconds: Int64
    ) throws(CertificateSourceError) -> IssuedCertificate {
        typealias Answer = Result<IssuedCertificate, CertificateSourceError>
        let answer = Monitor<Answer?>(nil)
        let asking = Task {
            let result = await self.ask(request, identity, lifetimeSeconds)
            answer.change { $0 = result }
        }
        let deadline = ContinuousClock.now + Self.timeout
        let result: Answer = answer.wait { answer in
            if let answer { return .done(answer) }
            let left = deadline - .now
            guard left > .zero else {
                return .done(.failure(self.failure("no answer in \(Self.timeout)")))
            }
            return .wait(milliseconds: Int64(left / .milliseconds(1)) + 1)
        }
        asking.cancel()
        return try result.get()
    }

    /// Ends the connection; a request after it opens another.
    package func stop() {
        drop(nil)
    }

    private func ask(
        _ csr: String,
        _ identity: SPIFFEID,
        _ lifetimeSeconds: Int64
    ) async -> Result<IssuedCertificate, CertificateSourceError> {
        do {
            let connection = try connected()
            do {
                return try await ask(connection.client, csr, identity, lifetimeSeconds)
            } catch {
                // Whatever was wrong, the next request does not inherit it.
                if (error as? RPCError)?.code != .permissionDenied { drop(connection.roots) }
                throw error
            }
        } catch {
            guard let error = error as? RPCError else { return .failure(failure("\(error)")) }
            let cause = error.cause.map { ": \($0)" } ?? ""
            return .failure(failure("\(error.code): \(error.message)\(cause)"))
        }
    }

    private func ask(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>,
        _ csr: String,
        _ identity: SPIFFEID,
        _ lifetimeSeconds: Int64
    ) async throws -> Result<IssuedCertificate, CertificateSourceError> {
        var request = Istio_V1_Auth_IstioCertificateRequest()
        request.csr = csr
        request.validityDuration = lifetimeSeconds
        request.metadata.fields["ImpersonatedIdentity"] = Google_Protobuf_Value(
            stringValue: identity.description
        )
        var metadata: GRPCCore.Metadata = [:]
        metadata.addString("Bearer " + (try token.read()), forKey: "authorization")
        metadata.addString(clusterID, forKey: "clusterid")
        var options = CallOptions.defaults
        options.waitForReady = false
        options.timeout = Self.timeout
        options.maxRequestMessageBytes = 1 << 20
        let service = Istio_V1_Auth_IstioCertificateService.Client(wrapping: client)
        let answer = try await service.createCertificate(
            request: ClientRequest(message: request, metadata: metadata),
            options: options
        ) { try $0.message }
        guard let roots = answer.certChain.last, answer.certChain.count >= 2 else {
            let count = answer.certChain.count
            return .failure(failure("\(count) certificates, not a leaf and its roots"))
        }
        return .success(IssuedCertificate(chain: answer.certChain.dropLast(), roots: [roots]))
    }

    private func failure(_ reason: String) -> CertificateSourceError {
        CertificateSourceError("the authority at \(endpoint.host):\(endpoint.port): \(reason)")
    }

    // MARK: the connection

    private func connected() throws -> Connection {
        let roots = try endpoint.roots.read()
        if let known = connection.withLock({ $0 }), known.roots == roots { return known }
        let client = GRPCClient(transport: try endpoint.transport(on: loop.group))
        let new = connection.withLock { held -> Connection in
            // Two fetches may come here at once: the second one takes the first one's.
            if let held, held.roots == roots { return held }
            held?.client.beginGracefulShutdown()
            Task { _ = try? await client.runConnections() }
            let new = Connection(roots: roots, client: client)
            held = new
            return new
        }
        return new
    }

    /// Forgets the connection with those roots, or any.
    private func drop(_ roots: String?) {
        let old = connection.withLock { held -> Connection? in
            guard roots == nil || held?.roots == roots else { return nil }
            defer { held = nil }
            return held
        }
        old?.client.beginGracefulShutdown()
    }
}
