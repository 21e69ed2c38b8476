internal import CNetfilter
internal import Glibc

/// One request to the kernel under construction, in a buffer of fixed size.
///
/// Attributes that do not fit make the message `overflowed`, which `RouteSocket` refuses to send.
@safe struct RouteMessage: ~Copyable {
    /// Bytes of room: far over any request here (names, addresses, nests of three).
    static let bytesMax = 1024

    private let buffer: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<nlmsghdr>
    private(set) var overflowed = false

    /// Starts a request of a type with its fixed family header.
    init<Family: BitwiseCopyable>(_ type: UInt16, flags: Int32, _ family: Family) {
        unsafe buffer = UnsafeMutableRawPointer.allocate(
            byteCount: Self.bytesMax,
            alignment: Int(MNL_ALIGNTO)
        )
        unsafe memset(buffer, 0, Self.bytesMax)
        guard let header = unsafe mnl_nlmsg_put_header(buffer) else {
            preconditionFailure("libmnl gave no header")
        }
        unsafe self.header = header
        unsafe header.pointee.nlmsg_type = type
        unsafe header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
        let room = unsafe mnl_nlmsg_put_extra_header(header, MemoryLayout<Family>.size)
        unsafe room?.storeBytes(of: family, as: Family.self)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Appends an attribute of raw bytes.
    mutating func put(_ attribute: UInt16, _ bytes: [UInt8]) {
        let fits = unsafe bytes.withUnsafeBytes { raw in
            unsafe mnl_attr_put_check(
                header,
                Self.bytesMax,
                attribute,
                raw.count,
                // An empty array may have no address, which libmnl's memcpy must not see.
                raw.baseAddress ?? UnsafeRawPointer(buffer)
            )
        }
        if !fits { overflowed = true }
    }

    /// Appends a number in host order.
    mutating func put(_ attribute: UInt16, _ number: UInt32) {
        if unsafe !mnl_attr_put_u32_check(header, Self.bytesMax, attribute, number) {
            overflowed = true
        }
    }

    /// Appends a text with its closing zero.
    mutating func put(_ attribute: UInt16, _ text: String) {
        put(attribute, Array(text.utf8) + [0])
    }

    /// Appends an attribute whose payload is what `body` appends.
    mutating func nest(_ attribute: UInt16, _ body: (inout RouteMessage) -> Void) {
        guard let start = unsafe mnl_attr_nest_start_check(header, Self.bytesMax, attribute) else {
            overflowed = true
            return
        }
        body(&self)
        unsafe mnl_attr_nest_end(header, start)
    }

    /// Appends a fixed header inside a nest, as the peer of a veth has one.
    mutating func putHeader<Family: BitwiseCopyable>(_ family: Family) {
        let used = unsafe Int(header.pointee.nlmsg_len)
        guard used + MemoryLayout<Family>.size + Int(MNL_ALIGNTO) <= Self.bytesMax else {
            overflowed = true
            return
        }
        let room = unsafe mnl_nlmsg_put_extra_header(header, MemoryLayout<Family>.size)
        unsafe room?.storeBytes(of: family, as: Family.self)
    }
}

/// One message of the kernel's answer, copied out of the socket's buffer.
struct RouteReply {
    let type: UInt16
    let payload: [UInt8]

    /// Reads the fixed header at the start; nil when the payload is too short.
    func family<Family: BitwiseCopyable>(_ type: Family.Type) -> Family? {
        guard payload.count >= MemoryLayout<Family>.size else { return nil }
        return unsafe payload.withUnsafeBytes { unsafe $0.loadUnaligned(as: Family.self) }
    }

    /// The attributes after a fixed header, by type with the nesting bits cleared.
    func attributes<Family: BitwiseCopyable>(after type: Family.Type) -> [UInt16: ArraySlice<UInt8>]
    {
        Self.attributes(in: payload.dropFirst((MemoryLayout<Family>.size + 3) & ~3))
    }

    /// The attributes in a run of bytes; stops at the first that does not fit.
    static func attributes(in bytes: ArraySlice<UInt8>) -> [UInt16: ArraySlice<UInt8>] {
        var found: [UInt16: ArraySlice<UInt8>] = [:]
        var rest = bytes
        while rest.count >= 4 {
            let start = rest.startIndex
            let length = Int(rest[start]) | Int(rest[start + 1]) << 8
            let type = (UInt16(rest[start + 2]) | UInt16(rest[start + 3]) << 8) & 0x3FFF
            guard length >= 4, length <= rest.count else { break }
            found[type] = rest[(start + 4)..<(start + length)]
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return found
    }

    /// A number of four bytes in host order (little-endian, as every machine we run on).
    static func number(_ bytes: ArraySlice<UInt8>?) -> UInt32? {
        guard let bytes, bytes.count == 4 else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A text up to its closing zero.
    static func text(_ bytes: ArraySlice<UInt8>?) -> String? {
        guard let bytes else { return nil }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
