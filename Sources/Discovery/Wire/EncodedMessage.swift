internal import FoundationEssentials
internal import GRPCCore
internal import SwiftProtobuf

/// Writes fields of a protobuf message one after another.
///
/// Responses are put together from resources encoded before; a generated message would copy and
/// encode each of them again for every client.
struct EncodedMessage: Sendable {
    private(set) var encoded: [UInt8] = []

    /// A field of text; left out when empty, as proto3 does.
    mutating func text(_ field: UInt8, _ text: String) {
        guard !text.isEmpty else { return }
        header(field, text.utf8.count)
        encoded += text.utf8
    }

    /// A field of bytes, or of an encoded message.
    mutating func bytes(_ field: UInt8, _ bytes: [UInt8]) {
        header(field, bytes.count)
        encoded += bytes
    }

    /// A message in two parts.
    mutating func bytes(_ field: UInt8, _ first: [UInt8], _ second: [UInt8]) {
        header(field, first.count + second.count)
        encoded += first
        encoded += second
    }

    /// The tag of a length-delimited field below 16, and the length.
    private mutating func header(_ field: UInt8, _ count: Int) {
        encoded.append(field << 3 | 2)
        var rest = UInt64(count)
        while rest >= 0x80 {
            encoded.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        encoded.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A generated message's bytes, the same for the same content at any time.
    static func bytes(of message: some Message) -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        // Fails only for missing required fields, which proto3 does not have.
        return (try? message.serializedBytes(options: options)) ?? []
    }
}

/// Hands bytes that are a message already to gRPC.
struct EncodedMessageSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: EncodedMessage) throws -> Bytes {
        Bytes(message.encoded)
    }
}
