/// The frame types of RFC 9113 §6; other types are skipped.
enum FrameType {
    static let data: UInt8 = 0x0
    static let headers: UInt8 = 0x1
    static let priority: UInt8 = 0x2
    static let resetStream: UInt8 = 0x3
    static let settings: UInt8 = 0x4
    static let pushPromise: UInt8 = 0x5
    static let ping: UInt8 = 0x6
    static let goAway: UInt8 = 0x7
    static let windowUpdate: UInt8 = 0x8
    static let continuation: UInt8 = 0x9
}

/// The flags of RFC 9113 §6.
enum FrameFlags {
    static let endStream: UInt8 = 0x1
    static let acknowledgement: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
}

/// The parameters of RFC 9113 §6.5.2.
enum SettingIdentifier {
    static let headerTableSize: UInt16 = 0x1
    static let enablePush: UInt16 = 0x2
    static let maxConcurrentStreams: UInt16 = 0x3
    static let initialWindowSize: UInt16 = 0x4
    static let maxFrameSize: UInt16 = 0x5
    static let maxHeaderListSize: UInt16 = 0x6
}

/// The header before every frame: RFC 9113 §4.1.
struct FrameHeader {
    static let length = 9

    var length = 0
    var type: UInt8 = 0
    var flags: UInt8 = 0
    var stream: UInt32 = 0

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    init() {}

    init(length: Int, type: UInt8, flags: UInt8, stream: UInt32) {
        self.length = length
        self.type = type
        self.flags = flags
        self.stream = stream
    }

    /// Reads the nine bytes from `offset` on, which must be there.
    init(_ bytes: Span<UInt8>, at offset: Int) {
        length =
            Int(bytes[offset]) << 16 | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2])
        type = bytes[offset + 3]
        flags = bytes[offset + 4]
        // The reserved bit is ignored.
        stream = readUInt32(bytes, at: offset + 5) & 0x7FFF_FFFF
    }

    /// Writes the nine bytes at `offset`, where there must be room.
    func write(to bytes: inout MutableSpan<UInt8>, at offset: Int) {
        bytes[offset] = UInt8(truncatingIfNeeded: length >> 16)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[offset + 2] = UInt8(truncatingIfNeeded: length)
        bytes[offset + 3] = type
        bytes[offset + 4] = flags
        bytes[offset + 5] = UInt8(truncatingIfNeeded: stream >> 24)
        bytes[offset + 6] = UInt8(truncatingIfNeeded: stream >> 16)
        bytes[offset + 7] = UInt8(truncatingIfNeeded: stream >> 8)
        bytes[offset + 8] = UInt8(truncatingIfNeeded: stream)
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: length >> 16))
        bytes.append(UInt8(truncatingIfNeeded: length >> 8))
        bytes.append(UInt8(truncatingIfNeeded: length))
        bytes.append(type)
        bytes.append(flags)
        appendUInt32(stream, to: &bytes)
    }
}

/// Reads four bytes in network order; the caller has checked that they are there.
func readUInt32(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) << 24 | UInt32(bytes[offset + 1]) << 16
        | UInt32(bytes[offset + 2]) << 8 | UInt32(bytes[offset + 3])
}

/// Reads two bytes in network order; the caller has checked that they are there.
func readUInt16(_ bytes: Span<UInt8>, at offset: Int) -> UInt16 {
    UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
}

func appendUInt16(_ value: UInt16, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
}

func appendUInt32(_ value: UInt32, to bytes: inout [UInt8]) {
    appendUInt16(UInt16(truncatingIfNeeded: value >> 16), to: &bytes)
    appendUInt16(UInt16(truncatingIfNeeded: value), to: &bytes)
}
