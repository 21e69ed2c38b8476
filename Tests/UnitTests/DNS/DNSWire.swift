import DNS

/// Generator of tests whose sequence is known.
struct CountingGenerator: RandomNumberGenerator {
    var state: UInt64 = 0
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return state ^ (state >> 29)
    }
}

/// A query of one question as bytes.
func query(
    _ name: String,
    type: UInt16,
    id: UInt16 = 0x1234,
    flags: UInt16 = 0x0100,
    payload: UInt16? = nil
) -> [UInt8] {
    var bytes = big(id) + big(flags) + big(1) + big(0) + big(0) + big(payload == nil ? 0 : 1)
    bytes += DomainName(name)?.wire ?? []
    bytes += big(type) + big(1)
    if let payload { bytes += [0] + big(41) + big(payload) + [0, 0, 0x80, 0] + big(0) }
    return bytes
}

func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

/// What a response says, read without the code under test's own record reader.
struct ReadResponse {
    var id: UInt16
    var flags: UInt16
    var code: UInt8 { UInt8(flags & 15) }
    var isAuthoritative: Bool { flags & 0x0400 != 0 }
    var isTruncated: Bool { flags & 0x0200 != 0 }
    /// Type and data of each record of the answer section.
    var answers: [(type: UInt16, ttl: UInt32, data: [UInt8])] = []
    var addresses: Set<[UInt8]> { Set(answers.filter { $0.type != 5 }.map(\.data)) }
    var extensionPayload: UInt16?
    var extendedCode: UInt8 = 0

    /// Nil for anything but a whole message whose owners are pointers.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12 else { return nil }
        func number(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }
        id = number(0)
        flags = number(2)
        var at = 12
        for _ in 0..<number(4) {
            while bytes[at] != 0 { at += Int(bytes[at]) + 1 }
            at += 5
        }
        for _ in 0..<number(6) {
            guard at + 12 <= bytes.count, bytes[at] >= 0xC0 else { return nil }
            let length = Int(number(at + 10))
            guard at + 12 + length <= bytes.count else { return nil }
            answers.append(
                (
                    type: number(at + 2),
                    ttl: UInt32(number(at + 6)) << 16 | UInt32(number(at + 8)),
                    data: Array(bytes[(at + 12)..<(at + 12 + length)])
                )
            )
            at += 12 + length
        }
        if number(10) == 1 {
            guard at + 11 == bytes.count, bytes[at] == 0, number(at + 1) == 41 else { return nil }
            extensionPayload = number(at + 3)
            extendedCode = bytes[at + 5]
            at += 11
        }
        guard at == bytes.count else { return nil }
    }
}
