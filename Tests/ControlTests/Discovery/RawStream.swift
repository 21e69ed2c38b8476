import AmbientProtocol
import Discovery
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf
import TLS
import Testing

typealias DiscoveryRequest = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
typealias DiscoveryResponse = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

/// A discovery client that sends what a test tells it, over real gRPC and TLS.
final class RawStream: Sendable {
    private let outgoing: AsyncStream<DiscoveryRequest>.Continuation
    private let inbox = Shared(Inbox())

    /// What came so far.
    private struct Inbox {
        var responses: [DiscoveryResponse] = []
        var taken = 0
        var failure: (any Error)?
        var isOver = false
    }

    private init(outgoing: AsyncStream<DiscoveryRequest>.Continuation) {
        self.outgoing = outgoing
    }

    /// Opens a stream to a control plane, runs the body and closes it.
    static func with<Value: Sendable>(
        _ plane: TestControlPlane,
        _ port: UInt16,
        token: String? = "good",
        _ body: @escaping @Sendable (RawStream) async throws -> Value
    ) async throws -> Value {
        let roots = plane.authority.certificate.pem
        let transport = try HTTP2ClientTransport.Posix(
            target: .dns(host: "localhost", port: Int(port)),
            transportSecurity: .tls {
                $0.trustRoots = .certificates([.bytes(Array(roots.utf8), format: .pem)])
            },
            config: .defaults()
        )
        return try await withGRPCClient(transport: transport) { client in
            let (requests, outgoing) = AsyncStream<DiscoveryRequest>.makeStream()
            let stream = RawStream(outgoing: outgoing)
            var metadata: Metadata = [:]
            if let token { metadata.addString("Bearer \(token)", forKey: "authorization") }
            var options = CallOptions.defaults
            options.maxRequestMessageBytes = 200 << 20
            return try await withThrowingTaskGroup(of: Void.self) { [metadata, options] group in
                group.addTask {
                    await stream.call(client, metadata, options, requests)
                }
                defer { group.cancelAll() }
                let value = try await body(stream)
                outgoing.finish()
                return value
            }
        }
    }

    private func call(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>,
        _ metadata: Metadata,
        _ options: CallOptions,
        _ requests: AsyncStream<DiscoveryRequest>
    ) async {
        typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
        do {
            try await Service.Client(wrapping: client).deltaAggregatedResources(
                metadata: metadata,
                options: options,
                requestProducer: { writer in
                    for await request in requests { try await writer.write(request) }
                },
                onResponse: { response in
                    for try await message in response.messages {
                        self.inbox.change { $0.responses.append(message) }
                    }
                }
            )
        } catch {
            inbox.change { $0.failure = error }
        }
        inbox.change { $0.isOver = true }
    }

    /// A first request as our node sends it; `edit` changes it.
    static func first(
        _ typeURL: String,
        id: String = "ztunnel~10.0.0.1~ambit-node-abc.ambit-system~ambit-system.svc.cluster.local",
        takesPartial: Bool = false,
        edit: (inout DiscoveryRequest) -> Void = { _ in }
    ) -> DiscoveryRequest {
        var request = DiscoveryRequest()
        request.node.id = id
        if takesPartial {
            request.node.metadata.fields["AMBIT_PARTIAL"] = Google_Protobuf_Value(
                stringValue: "true"
            )
        }
        request.typeURL = typeURL
        edit(&request)
        return request
    }

    func send(_ request: DiscoveryRequest) { outgoing.yield(request) }

    /// Says that a response was taken; with a reason, that it was not.
    func acknowledge(_ response: DiscoveryResponse, refusing reason: String? = nil) {
        var request = DiscoveryRequest()
        request.typeURL = response.typeURL
        request.responseNonce = response.nonce
        if let reason { request.errorDetail.message = reason }
        send(request)
    }

    /// The next response; throws what ended the stream, or when none comes within twenty seconds.
    func next() async throws -> DiscoveryResponse {
        let came = await eventually {
            let inbox = self.inbox.value
            return inbox.responses.count > inbox.taken || inbox.isOver
        }
        let inbox = self.inbox.value
        guard came, inbox.responses.count > inbox.taken else {
            throw inbox.failure ?? TookTooLong()
        }
        self.inbox.change { $0.taken += 1 }
        return inbox.responses[inbox.taken]
    }

    /// The error the stream ends with, within twenty seconds.
    func end() async throws -> RPCError {
        _ = await eventually { self.inbox.value.isOver }
        return try #require(inbox.value.failure as? RPCError)
    }

    /// The next response, taken.
    func take() async throws -> DiscoveryResponse {
        let response = try await next()
        acknowledge(response)
        return response
    }

    /// Whether nothing comes for a while: longer than the longest debounce.
    func isQuiet() async -> Bool {
        let taken = inbox.value.taken
        let deadline = ContinuousClock.now + .milliseconds(250)
        while ContinuousClock.now < deadline {
            if inbox.value.responses.count != taken { return false }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}

extension DiscoveryResponse {
    /// The names of its resources, sorted.
    var names: [String] { resources.map(\.name).sorted() }

    /// Versions by name.
    var versions: [String: String] {
        Dictionary(uniqueKeysWithValues: resources.map { ($0.name, $0.version) })
    }
}
