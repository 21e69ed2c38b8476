/// Cuts the bytes of a TCP connection into DNS messages, each behind its length (RFC 1035 §4.2.2).
///
/// It never holds more than one message and the bytes of the last `append`.
package struct NameStream: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    package init() {}

    /// Bytes that wait for the rest of their message.
    package var pendingBytes: Int { buffer.count - start }

    /// Takes what was read from the connection; follow with `next` until it returns nil.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next whole message; nil when more bytes are needed.
    package mutating func next() -> [UInt8]? {
        guard buffer.count - start >= 2 else { return nil }
        let length = Int(buffer[start]) << 8 | Int(buffer[start + 1])
        guard buffer.count - start - 2 >= length else { return nil }
        defer { start += 2 + length }
        return Array(buffer[(start + 2)..<(start + 2 + length)])
    }

    /// A message with its length before it; nil for one longer than a length can say.
    package static func frame(_ message: [UInt8]) -> [UInt8]? {
        guard message.count <= DNSMessage.streamBytesMax else { return nil }
        return [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }
}
