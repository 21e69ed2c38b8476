internal import Foundation

/// The framing of the control socket: four bytes of length in network order, then JSON.
package struct FrameReader {
    /// The largest frame, so that a client cannot make the supervisor hold more.
    static let bytesMax = 32 << 20

    private var buffer: [UInt8] = []

    /// Makes a reader that has no bytes yet.
    package init() {}

    /// Adds received bytes.
    package mutating func append(_ bytes: [UInt8]) {
        buffer += bytes
    }

    /// Whether a complete frame waits.
    var hasFrame: Bool {
        guard buffer.count >= 4 else { return false }
        return buffer.count >= 4 + buffer.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    /// Takes the next complete frame; nil when more bytes are needed.
    package mutating func next() throws(LabError) -> [UInt8]? {
        guard buffer.count >= 4 else { return nil }
        let length = buffer.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= Self.bytesMax else {
            throw LabError(.usage, "a control frame of \(length) bytes is over the limit")
        }
        guard buffer.count >= 4 + length else { return nil }
        let frame = Array(buffer[4..<(4 + length)])
        buffer.removeFirst(4 + length)
        return frame
    }
}

/// Encodes a message with its length in front.
package func encodeFrame(_ message: some Encodable) throws(LabError) -> [UInt8] {
    let body: Data
    do {
        body = try JSONEncoder().encode(message)
    } catch {
        throw LabError(.failed, "cannot encode a control message: \(error)")
    }
    guard body.count <= FrameReader.bytesMax else {
        throw LabError(.usage, "a control message of \(body.count) bytes is over the limit")
    }
    let length = UInt32(body.count)
    return (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) } + body
}

/// Decodes the body of a frame.
package func decodeFrame<Message: Decodable>(
    _ frame: [UInt8],
    as type: Message.Type
) throws(LabError) -> Message {
    do {
        return try JSONDecoder().decode(type, from: Data(frame))
    } catch {
        throw LabError(.usage, "not a control message: \(error)")
    }
}
