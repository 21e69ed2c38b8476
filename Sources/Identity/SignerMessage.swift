/// What a node asks a signer over its Unix socket.
///
/// On the wire every message is a length of four bytes, then so many bytes: a version, then fields.
/// Numbers are big-endian; a text is a length of four bytes and UTF-8; a list is a count of two
/// bytes and texts. One question and one answer a connection.
package struct SignerRequest: Hashable, Sendable {
    package let identity: String
    /// PEM.
    package let request: String
    package let lifetimeSeconds: Int64

    /// The longest question, in bytes.
    package static let bytesMax = 32 * 1024

    /// Holds a question.
    package init(identity: String, request: String, lifetimeSeconds: Int64) {
        self.identity = identity
        self.request = request
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Reads a question; nil when it is malformed or longer than it may be.
    package init?(_ bytes: [UInt8]) {
        var reader = SignerReader(bytes, bytesMax: Self.bytesMax)
        guard reader.number(UInt8.self) == SignerReader.version, let identity = reader.text(),
            let request = reader.text(), let lifetime = reader.number(UInt64.self), reader.isAtEnd
        else { return nil }
        self.init(
            identity: identity,
            request: request,
            lifetimeSeconds: Int64(clamping: lifetime)
        )
    }

    /// The bytes, without the length before them.
    package var bytes: [UInt8] {
        var writer = SignerWriter()
        writer.text(identity)
        writer.text(request)
        writer.number(UInt64(clamping: lifetimeSeconds))
        return writer.bytes
    }
}

/// What a signer answers.
package enum SignerAnswer: Hashable, Sendable {
    case issued(IssuedCertificate)
    case refused(reason: String)

    /// The longest answer, in bytes.
    package static let bytesMax = 1 << 20

    /// Reads an answer; nil when it is malformed or longer than it may be.
    package init?(_ bytes: [UInt8]) {
        var reader = SignerReader(bytes, bytesMax: Self.bytesMax)
        guard reader.number(UInt8.self) == SignerReader.version else { return nil }
        switch reader.number(UInt8.self) {
        case 0:
            guard let chain = reader.list(), let roots = reader.list(), reader.isAtEnd else {
                return nil
            }
            self = .issued(IssuedCertificate(chain: chain, roots: roots))
        case 1:
            guard let reason = reader.text(), reader.isAtEnd else { return nil }
            self = .refused(reason: reason)
        default: return nil
        }
    }

    /// The bytes, without the length before them.
    package var bytes: [UInt8] {
        var writer = SignerWriter()
        switch self {
        case .issued(let issued):
            writer.number(UInt8(0))
            writer.list(issued.chain)
            writer.list(issued.roots)
        case .refused(let reason):
            writer.number(UInt8(1))
            writer.text(reason)
        }
        return writer.bytes
    }
}

/// Reads fields with every bound checked.
private struct SignerReader {
    static let version: UInt8 = 1
    private static let listMax = 128

    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8], bytesMax: Int) {
        // What is too long reads as empty, which no message is.
        rest = bytes.count <= bytesMax ? bytes[...] : []
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(
        _: Number.Type
    ) -> Number? {
        guard let bytes = take(Number.bitWidth / 8) else { return nil }
        return bytes.reduce(0) { $0 << 8 | Number($1) }
    }

    mutating func text() -> String? {
        guard let count = number(UInt32.self), let bytes = take(Int(count)) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    mutating func list() -> [String]? {
        guard let count = number(UInt16.self), count <= Self.listMax else { return nil }
        var texts: [String] = []
        for _ in 0..<count {
            guard let text = text() else { return nil }
            texts.append(text)
        }
        return texts
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return taken
    }
}

private struct SignerWriter {
    private(set) var bytes: [UInt8] = [SignerReader.version]

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    mutating func text(_ text: String) {
        number(UInt32(clamping: text.utf8.count))
        bytes += text.utf8
    }

    mutating func list(_ texts: [String]) {
        number(UInt16(clamping: texts.count))
        for one in texts { text(one) }
    }
}
