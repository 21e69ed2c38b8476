internal import Mesh

/// Writes the response to a query: the question as it was sent, then records (RFC 1035 §4.1).
struct DNSResponse {
    /// The response codes we give.
    enum Code: UInt16 {
        case success = 0
        case malformed = 1
        case failure = 2
        case unknownName = 3
        case notImplemented = 4
        case refused = 5
        /// An EDNS version we do not speak (RFC 6891 §6.1.3).
        case badVersion = 16
    }

    /// Seconds a client may keep our answers, as peers say.
    static let timeToLive: UInt32 = 30
    /// Bytes of a datagram we say we take.
    static let payloadBytes: UInt16 = 4096

    private let query: DNSMessage
    private let bytesMax: Int
    private var records: [UInt8] = []
    private var count: UInt16 = 0
    private var isTruncated = false
    private let questionBytes: [UInt8]

    /// Starts a response of at most `bytesMax` bytes.
    init(to query: DNSMessage, bytesMax: Int) {
        self.query = query
        self.bytesMax = bytesMax
        var bytes: [UInt8] = []
        for question in query.questions.prefix(1) {
            bytes += question.name.wire
            bytes += Self.bytes(question.type) + Self.bytes(question.queryClass)
        }
        questionBytes = bytes
    }

    /// Says that the question's name stands for another; later records are of that one.
    mutating func add(alias: DomainName) {
        let data = alias.wire
        let owner = owner
        guard append(owner, RecordType.cname, data) else { return }
        // The data is the last thing written.
        self.owner = DNSMessage.headerBytes + questionBytes.count + records.count - data.count
    }

    /// Adds an address record; what does not fit is left out and marked as such.
    mutating func add(_ address: IPAddress) {
        let type = address.family == .v4 ? RecordType.a : RecordType.aaaa
        append(owner, type, address.bytes)
    }

    /// Where the owner's name stands: at first that of the question.
    private var owner = DNSMessage.headerBytes

    @discardableResult
    private mutating func append(_ owner: Int, _ type: UInt16, _ data: [UInt8]) -> Bool {
        let size = 12 + data.count
        guard length + size <= bytesMax, !isTruncated else {
            isTruncated = true
            return false
        }
        records += Self.bytes(0xC000 | UInt16(truncatingIfNeeded: owner))
        records += Self.bytes(type) + Self.bytes(internetClass)
        records += Self.bytes(UInt16(truncatingIfNeeded: Self.timeToLive >> 16))
        records += Self.bytes(UInt16(truncatingIfNeeded: Self.timeToLive))
        records += Self.bytes(UInt16(truncatingIfNeeded: data.count)) + data
        count += 1
        return true
    }

    private var length: Int {
        DNSMessage.headerBytes + questionBytes.count + records.count
            + (query.extension == nil ? 0 : 11)
    }

    /// The whole message.
    func message(_ code: Code, authoritative: Bool) -> [UInt8] {
        // A response, recursion available.
        var flags: UInt16 = 0x8080 | query.flags.repeated | code.rawValue & 15
        if authoritative { flags |= 0x0400 }
        if isTruncated { flags |= 0x0200 }
        var bytes = Self.bytes(query.id) + Self.bytes(flags)
        bytes += Self.bytes(questionBytes.isEmpty ? 0 : 1) + Self.bytes(count)
        bytes += Self.bytes(0) + Self.bytes(query.extension == nil ? 0 : 1)
        bytes += questionBytes + records
        if let extensionRecord = query.extension {
            bytes += [0] + Self.bytes(RecordType.opt) + Self.bytes(Self.payloadBytes)
            bytes += Self.bytes((code.rawValue >> 4) << 8)
            bytes += Self.bytes(extensionRecord.wantsSignatures ? 0x8000 : 0) + Self.bytes(0)
        }
        return bytes
    }

    /// A response to bytes of which only the header could be read.
    static func malformed(_ query: [UInt8]) -> [UInt8]? {
        guard query.count >= DNSMessage.headerBytes, query[2] & 0x80 == 0 else { return nil }
        let flags: UInt16 = 0x8080 | UInt16(query[2] & 0x79) << 8 | Code.malformed.rawValue
        return Array(query[0..<2]) + bytes(flags) + [UInt8](repeating: 0, count: 8)
    }

    private static func bytes(_ number: UInt16) -> [UInt8] {
        [UInt8(number >> 8), UInt8(number & 0xFF)]
    }
}
