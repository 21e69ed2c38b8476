import CNghttp2

// HPACK (RFC 7541) by libnghttp2: the one file of this module that touches C memory.

/// Encodes header lists of one connection; its dynamic table follows the order of the calls.
@safe struct HeaderEncoder: ~Copyable {
    /// The dynamic table we keep at most, whatever a peer allows: bytes, the protocol's default.
    static let tableBytesMax = 4096

    private let deflater: OpaquePointer?

    init() {
        var made: OpaquePointer?
        unsafe nghttp2_hd_deflate_new(&made, Self.tableBytesMax)
        unsafe deflater = made
    }

    deinit {
        unsafe nghttp2_hd_deflate_del(deflater)
    }

    /// Follows the peer's SETTINGS_HEADER_TABLE_SIZE, up to our own bound.
    mutating func limitTable(to bytes: UInt32) {
        guard let deflater = unsafe deflater else { return }
        unsafe nghttp2_hd_deflate_change_table_size(
            deflater,
            min(Int(bytes), Self.tableBytesMax)
        )
    }

    /// Appends the encoded list to `output`; false when the library could not (out of memory).
    mutating func encode(_ fields: HeaderFields, into output: inout [UInt8]) -> Bool {
        guard let deflater = unsafe deflater else { return false }
        // nghttp2 declares the strings mutable but only reads them; a private copy keeps that safe.
        var strings = fields.bytes
        let entries = fields.entries
        return unsafe strings.withUnsafeMutableBufferPointer { strings -> Bool in
            let base = strings.baseAddress
            let vector = unsafe entries.indices.map { position -> nghttp2_nv in
                let entry = entries[position]
                return unsafe nghttp2_nv(
                    name: base.map { unsafe $0 + entry.name.lowerBound },
                    value: base.map { unsafe $0 + entry.value.lowerBound },
                    namelen: entry.name.count,
                    valuelen: entry.value.count,
                    flags: fields.isSecret(position) ? UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) : 0
                )
            }
            let bound = unsafe nghttp2_hd_deflate_bound(deflater, vector, vector.count)
            var written: Int64 = -1
            let block = unsafe [UInt8](unsafeUninitializedCapacity: bound) { space, used in
                written = unsafe ambit_hd_deflate(
                    deflater,
                    space.baseAddress,
                    bound,
                    vector,
                    vector.count
                )
                used = Int(max(0, written))
            }
            output.append(contentsOf: block)
            return written >= 0
        }
    }
}

/// What became of a header block.
enum HeaderDecoding {
    case complete(HeaderFields)
    /// Well-formed, and the table is in step, but more than the limits allow.
    case tooLarge
    /// Not HPACK: the tables are out of step and the connection is lost.
    case malformed
}

/// Decodes header blocks of one connection, in the order they came.
@safe struct HeaderDecoder: ~Copyable {
    private let inflater: OpaquePointer?

    init() {
        var made: OpaquePointer?
        unsafe nghttp2_hd_inflate_new(&made)
        unsafe inflater = made
    }

    deinit {
        unsafe nghttp2_hd_inflate_del(inflater)
    }

    /// Decodes one whole block.
    ///
    /// A block that decodes to more than `listBytesMax` or `fieldsMax` is still read to its end, to
    /// keep the tables in step, but nothing of it is stored: the work is bounded by the block.
    mutating func decode(
        _ block: Span<UInt8>,
        listBytesMax: Int,
        fieldsMax: Int
    ) -> HeaderDecoding {
        guard let inflater = unsafe inflater else { return .malformed }
        return unsafe block.withUnsafeBufferPointer { block in
            unsafe Self.decode(block, by: inflater, listBytesMax, fieldsMax)
        }
    }

    private static func decode(
        _ block: UnsafeBufferPointer<UInt8>,
        by inflater: OpaquePointer,
        _ listBytesMax: Int,
        _ fieldsMax: Int
    ) -> HeaderDecoding {
        var fields = HeaderFields()
        fields.reserve(fields: 8, bytes: 256)
        var isTooLarge = false
        var offset = 0
        while true {
            var field = unsafe nghttp2_nv()
            var flags: Int32 = 0
            let input = unsafe block.baseAddress.map { unsafe $0 + offset }
            let left = block.count - offset
            let consumed = unsafe ambit_hd_inflate(inflater, &field, &flags, input, left)
            guard consumed >= 0, consumed <= left else { return .malformed }
            offset += Int(consumed)
            let isEmitted = flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0
            if isEmitted {
                let name = unsafe UnsafeBufferPointer(start: field.name, count: field.namelen)
                let value = unsafe UnsafeBufferPointer(start: field.value, count: field.valuelen)
                let size = name.count + value.count + 32
                if fields.listBytes + size > listBytesMax || fields.count >= fieldsMax {
                    isTooLarge = true
                } else if !isTooLarge {
                    unsafe fields.append(name: name, value: value)
                }
            }
            if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
                unsafe nghttp2_hd_inflate_end_headers(inflater)
                return isTooLarge ? .tooLarge : .complete(fields)
            }
            // Neither a field nor any progress: a block cut in the middle of a field.
            guard isEmitted || consumed > 0 else { return .malformed }
        }
    }
}

extension HeaderFields {
    /// Whether a field must stay out of compression tables: a credential, or random each time.
    fileprivate func isSecret(_ position: Int) -> Bool {
        isNamed(position, "authorization") || isNamed(position, "proxy-authorization")
            || isNamed(position, "cookie") || isNamed(position, "set-cookie")
            || isNamed(position, "traceparent") || isNamed(position, "forwarded")
    }
}
