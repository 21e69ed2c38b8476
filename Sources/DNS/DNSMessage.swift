/// The parts of a DNS message that we look at (RFC 1035 §4, RFC 6891).
///
/// Parsing is bounded by the message: every record is walked once, compression pointers must lead
/// backwards, and a name has at most 255 bytes.
package struct DNSMessage: Sendable, Hashable {
    /// Bytes of a datagram we read, at most.
    package static let datagramBytesMax = 4096
    /// Bytes of a message over TCP, at most.
    package static let streamBytesMax = 65535
    /// Bytes of the header.
    package static let headerBytes = 12

    /// Why bytes are no message.
    package enum Failure: Error, Hashable, Sendable {
        /// Shorter than a header.
        case noHeader
        /// Longer than the transport allows.
        case tooLong
        /// A name, question or record that does not fit or points where it must not.
        case malformed
    }

    /// The two bytes of flags after the id.
    package struct Flags: Sendable, Hashable {
        package let bits: UInt16
        package init(bits: UInt16) { self.bits = bits }

        /// Whether it answers, rather than asks.
        package var isResponse: Bool { bits & 0x8000 != 0 }
        /// What kind of query it is; 0 is the ordinary one.
        package var opcode: UInt8 { UInt8(bits >> 11 & 15) }
        /// Whether something was left out for want of room.
        package var isTruncated: Bool { bits & 0x0200 != 0 }
        /// Recursion desired and checking disabled: what a response repeats of its query.
        package var repeated: UInt16 { bits & 0x7910 }
        /// The low four bits of the response code.
        package var code: UInt8 { UInt8(bits & 15) }
    }

    /// What is asked.
    package struct Question: Sendable, Hashable {
        package let name: DomainName
        package let type: UInt16
        package let queryClass: UInt16
    }

    /// The sender's EDNS record.
    package struct Extension: Sendable, Hashable {
        /// Bytes of a datagram the sender takes.
        package let payloadBytes: UInt16
        package let version: UInt8
        /// Whether DNSSEC records are wanted.
        package let wantsSignatures: Bool
    }

    package let id: UInt16
    package let flags: Flags
    package let questions: [Question]
    package let `extension`: Extension?
    /// How many records the sections claim: answers, authorities, additional.
    package let counts: [UInt16]

    /// Reads a message of at most `bytesMax` bytes.
    package init(_ bytes: [UInt8], bytesMax: Int = streamBytesMax) throws(Failure) {
        guard bytes.count >= Self.headerBytes else { throw .noHeader }
        guard bytes.count <= bytesMax else { throw .tooLong }
        var reader = DNSReader(bytes)
        id = try reader.number()
        flags = Flags(bits: try reader.number())
        let questionCount = try reader.number()
        counts = [try reader.number(), try reader.number(), try reader.number()]
        var questions: [Question] = []
        for _ in 0..<questionCount {
            let name = try reader.name()
            let type = try reader.number()
            let queryClass = try reader.number()
            questions.append(Question(name: name, type: type, queryClass: queryClass))
        }
        self.questions = questions
        var found: Extension?
        for (section, count) in counts.enumerated() {
            for _ in 0..<count {
                let record = try reader.record()
                guard section == 2, record.type == RecordType.opt else { continue }
                // Two of them are an error (RFC 6891 §6.1.1), as is one with a name.
                guard found == nil, record.name.labels.isEmpty else { throw .malformed }
                found = Extension(
                    payloadBytes: record.recordClass,
                    version: UInt8(truncatingIfNeeded: record.ttl >> 16),
                    wantsSignatures: record.ttl & 0x8000 != 0
                )
            }
        }
        self.extension = found
    }
}

/// The record types we know.
package enum RecordType {
    package static let a: UInt16 = 1
    package static let cname: UInt16 = 5
    package static let aaaa: UInt16 = 28
    package static let opt: UInt16 = 41
}

/// The class of Internet records.
package let internetClass: UInt16 = 1

/// A cursor over a message; every read is checked.
struct DNSReader {
    struct Record {
        let name: DomainName
        let type: UInt16
        let recordClass: UInt16
        let ttl: UInt32
        let data: Range<Int>
    }

    /// Pointers in one name, at most: each leads backwards, but a long message has many steps.
    static let jumpsMax = 32

    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func number() throws(DNSMessage.Failure) -> UInt16 {
        guard bytes.count - offset >= 2 else { throw .malformed }
        defer { offset += 2 }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    mutating func name() throws(DNSMessage.Failure) -> DomainName {
        var labels: [[UInt8]] = []
        var length = 1
        var position = offset
        // Where the name's first piece starts: pointers only lead to before the piece they end.
        var floor = offset
        var jumps = 0
        while true {
            guard position < bytes.count else { throw .malformed }
            let first = Int(bytes[position])
            switch first >> 6 {
            case 0:
                guard first > 0 else {
                    if jumps == 0 { offset = position + 1 }
                    guard let name = DomainName(labels: labels) else { throw .malformed }
                    return name
                }
                length += first + 1
                guard length <= DomainName.wireBytesMax, bytes.count - position > first else {
                    throw .malformed
                }
                labels.append(Array(bytes[(position + 1)...(position + first)]))
                position += first + 1
            case 3:
                guard position + 1 < bytes.count else { throw .malformed }
                let target = (first & 0x3F) << 8 | Int(bytes[position + 1])
                guard target >= DNSMessage.headerBytes, target < floor else { throw .malformed }
                if jumps == 0 { offset = position + 2 }
                jumps += 1
                guard jumps <= Self.jumpsMax else { throw .malformed }
                position = target
                floor = target
            default: throw .malformed
            }
        }
    }

    mutating func record() throws(DNSMessage.Failure) -> Record {
        let name = try name()
        let type = try number()
        let recordClass = try number()
        let ttl = UInt32(try number()) << 16 | UInt32(try number())
        let length = Int(try number())
        guard bytes.count - offset >= length else { throw .malformed }
        defer { offset += length }
        return Record(
            name: name,
            type: type,
            recordClass: recordClass,
            ttl: ttl,
            data: offset..<(offset + length)
        )
    }
}
