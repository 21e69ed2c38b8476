internal import AmbientProtocol
package import GRPCCore
internal import GRPCProtobuf
package import Identity
package import Mesh
internal import SwiftProtobuf
internal import Synchronization
internal import TLS

/// Decides whether a caller may have certificates of an identity now.
///
/// The controller's answer: a pod of that service account runs on the caller's node, or the caller
/// is a pod of that account itself.
package typealias IdentityAuthorizer =
    @Sendable (_ caller: Caller, _ identity: SPIFFEID) async -> Result<Void, Refusal>

/// Signs workload certificates for callers proven by their token (PROTOCOL.md §2.4).
package final class CertificateService: Sendable {
    /// How it works.
    package struct Settings: Sendable {
        /// The trust domain of the identities it signs.
        package var trustDomain = "cluster.local"
        /// The shortest and the longest life it grants; wishes are clamped.
        package var lifetimeSeconds: ClosedRange<Int64> = 60...(24 * 3600)
        /// What a request that wishes nothing gets.
        package var lifetimeDefaultSeconds: Int64 = 24 * 3600
        /// Keys accepted; P-256 alone unless told otherwise.
        package var acceptsOtherKeys = false
        /// Requests one caller may make at once, and then for each second.
        package var burst = 500
        package var perSecond = 50.0
        /// Signatures made at once.
        package var signersMax = 4

        /// The defaults.
        package init() {}
    }

    private let settings: Settings
    private let source: any CertificateSource
    private let metrics: DiscoveryMetrics
    private let log: DiscoveryLog
    private let authentication: Authentication
    private let authorize: IdentityAuthorizer
    private let allowance: Mutex<RequestAllowance>
    private let signers: Admission

    /// Signs by `source`, which must answer at once: a `Signer`, or what else holds the keys.
    package init(
        source: any CertificateSource,
        settings: Settings = Settings(),
        metrics: DiscoveryMetrics = DiscoveryMetrics(),
        log: @escaping DiscoveryLog = { _ in },
        authenticate: @escaping Authenticator,
        mayRequest: @escaping IdentityAuthorizer
    ) {
        self.source = source
        self.settings = settings
        self.metrics = metrics
        self.log = log
        self.authentication = Authentication(
            authenticate: authenticate,
            metrics: metrics,
            log: log
        )
        self.authorize = mayRequest
        self.allowance = Mutex(
            RequestAllowance(burst: settings.burst, perSecond: settings.perSecond)
        )
        self.signers = Admission(places: settings.signersMax)
    }

    private func create(
        _ request: ServerRequest<Istio_V1_Auth_IstioCertificateRequest>,
        _ context: ServerContext
    ) async throws -> ServerResponse<Istio_V1_Auth_IstioCertificateResponse> {
        let peer = context.remotePeer
        let token = try authentication.token(request.metadata, peer: peer)
        let caller = try await authentication.caller(token, peer: peer)
        guard allowance.withLock({ $0.take(caller, now: .now) }) else {
            throw refused(
                caller,
                "more than \(settings.perSecond) requests a second",
                .rate
            )
        }
        let identity = try identity(request.message, caller)
        if case .failure(let refusal) = await authorize(caller, identity) {
            throw refused(caller, "\(identity): \(refusal)", .notAllowed)
        }
        let issued = try await sign(request.message, identity, caller)
        metrics.change { $0.certificatesTotal += 1 }
        log(.certified(caller, identity: identity.description))
        var response = Istio_V1_Auth_IstioCertificateResponse()
        response.certChain = issued.chain + [issued.roots.joined(separator: "")]
        return ServerResponse(message: response)
    }

    /// Whom the request is for: whom it impersonates, or else the caller.
    private func identity(
        _ request: Istio_V1_Auth_IstioCertificateRequest,
        _ caller: Caller
    ) throws -> SPIFFEID {
        let own = SPIFFEID(
            trustDomain: settings.trustDomain,
            namespace: caller.namespace,
            serviceAccount: caller.serviceAccount
        )
        guard let value = request.metadata.fields["ImpersonatedIdentity"] else { return own }
        guard case .stringValue(let uri)? = value.kind, let identity = SPIFFEID(uri: uri) else {
            throw refused(caller, "ImpersonatedIdentity is no SPIFFE id", .identity)
        }
        guard identity.trustDomain == settings.trustDomain else {
            throw refused(caller, "\(identity) is of another trust domain", .identity)
        }
        return identity
    }

    private func sign(
        _ request: Istio_V1_Auth_IstioCertificateRequest,
        _ identity: SPIFFEID,
        _ caller: Caller
    ) async throws -> IssuedCertificate {
        let wish = request.validityDuration
        let granted = wish > 0 ? wish : settings.lifetimeDefaultSeconds
        let lifetime = min(
            max(granted, settings.lifetimeSeconds.lowerBound),
            settings.lifetimeSeconds.upperBound
        )
        try await signers.enter()
        defer { signers.leave() }
        do {
            if !settings.acceptsOtherKeys { try CertificateRequest.requireP256(request.csr) }
            return try source.certify(
                request: request.csr,
                identity: identity,
                lifetimeSeconds: lifetime
            )
        } catch {
            throw refused(caller, "\(identity): \(error)", .notSigned)
        }
    }

    private func refused(
        _ caller: Caller,
        _ reason: String,
        _ kind: CertificateRefusal
    ) -> RPCError {
        metrics.change { $0.certificatesRefused[kind, default: 0] += 1 }
        log(.notCertified(caller, reason: reason.clipped(bytes: 1024)))
        return RPCError(
            code: kind == .rate ? .resourceExhausted : .permissionDenied,
            message: "request refused"
        )
    }
}

/// One call, one answer.
extension CertificateService: RegistrableRPCService {
    /// Registers the one call there is.
    package func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        router.registerHandler(
            forMethod: Istio_V1_Auth_IstioCertificateService.Method.CreateCertificate.descriptor,
            deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateRequest>(),
            serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateResponse>(),
            handler: { request, context in
                let single = try await ServerRequest(stream: request)
                return StreamingServerResponse(single: try await self.create(single, context))
            }
        )
    }
}
