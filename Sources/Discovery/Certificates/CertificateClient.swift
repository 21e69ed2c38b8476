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
        let place: ControlEndpoint.Place
        let client: GRPCClient<HTTP2ClientTransport.Posix>
    }

    private struct State: Sendable {
        var connection: Connection?
        var turn = PlaceTurn()
    }

    private let endpoint: ControlEndpoint
    private let token: SecretSource
    private let clusterID: String
    private let loop: ControlLoop
    private let state = Mutex(State())

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
        var reasons: [String] = []
        var kind = CertificateSourceError.Kind.unreachable
        // A replica that is not there is no reason to wait: another one will do. Once more than
        // there are places, as the connection that was kept may have been broken for long.
        for _ in 0...endpoint.places.count {
            let connection: Connection
            do {
                connection = try connected()
            } catch {
                return .failure(failure("\(error)"))
            }
            do {
                return try await ask(connection.client, csr, identity, lifetimeSeconds)
            } catch {
                let code = (error as? RPCError)?.code
                // Whatever was wrong, the next request does not inherit it.
                if code != .permissionDenied { drop(connection.client) }
                reasons.append("\(connection.place): \(Self.text(error))")
                let refusals: [RPCError.Code] = [
                    .permissionDenied, .unauthenticated, .resourceExhausted,
                ]
                kind = code.map(refusals.contains) ?? false ? .refused : .unreachable
                guard code == .unavailable, !Task.isCancelled else { break }
            }
        }
        return .failure(failure(reasons.joined(separator: "; "), kind))
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
            return .failure(failure("\(count) certificates, not a leaf and its roots", .invalid))
        }
        return .success(IssuedCertificate(chain: answer.certChain.dropLast(), roots: [roots]))
    }

    private static func text(_ error: any Error) -> String {
        guard let error = error as? RPCError else { return "\(error)" }
        let cause = error.cause.map { ": \($0)" } ?? ""
        return "\(error.code): \(error.message)\(cause)"
    }

    private func failure(
        _ reason: String,
        _ kind: CertificateSourceError.Kind = .unreachable
    ) -> CertificateSourceError {
        CertificateSourceError("the authority: \(reason)", kind)
    }

    // MARK: the connection

    private func connected() throws -> Connection {
        let roots = try endpoint.roots.read()
        let (known, turn) = state.withLock { ($0.connection, $0.turn) }
        if let known, known.roots == roots { return known }
        let client = GRPCClient(transport: try endpoint.transport(turn, on: loop.group))
        let place = turn.place(of: endpoint.places)
        return state.withLock { state -> Connection in
            // Two fetches may come here at once: the second one takes the first one's.
            if let held = state.connection, held.roots == roots { return held }
            state.connection?.client.beginGracefulShutdown()
            Task { _ = try? await client.runConnections() }
            let new = Connection(roots: roots, place: place, client: client)
            state.connection = new
            return new
        }
    }

    /// Forgets the connection of a client, or any; the next one goes to another place.
    private func drop(_ client: GRPCClient<HTTP2ClientTransport.Posix>?) {
        let old = state.withLock { state -> Connection? in
            guard client == nil || state.connection?.client === client else { return nil }
            state.turn.next()
            defer { state.connection = nil }
            return state.connection
        }
        old?.client.beginGracefulShutdown()
    }
}
