internal import AmbientProtocol
internal import GRPCCore
internal import GRPCProtobuf

/// A response and how long it was.
struct SizedResponse: Sendable {
    let message: Envoy_Service_Discovery_V3_DeltaDiscoveryResponse
    let bytes: Int
}

/// Decodes responses and notes their length.
struct SizedResponseDeserializer: MessageDeserializer {
    private let inner = ProtobufDeserializer<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse>()

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> SizedResponse {
        SizedResponse(message: try inner.deserialize(bytes), bytes: bytes.count)
    }
}
