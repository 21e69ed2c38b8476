/// What the machine needs to know of a request.
struct RequestFacts {
    var isConnect = false
    var isHead = false
    /// Negative when there is none.
    var contentLength: Int64 = -1
}

/// What the machine needs to know of a response.
struct ResponseFacts {
    var status = 0
    /// Negative when there is none.
    var contentLength: Int64 = -1

    var isInformational: Bool { status < 200 }
    var isSuccess: Bool { (200..<300).contains(status) }
    var hasContent: Bool { status != 204 && status != 304 }
}

// The rules of RFC 9113 §8: a list that breaks one is malformed and must not be acted on.
extension HeaderFields {
    /// Positions of the pseudo-headers, each at most once and before all other fields.
    private struct PseudoHeaders {
        var method: Int?
        var scheme: Int?
        var authority: Int?
        var path: Int?
        var status: Int?

        /// Takes a pseudo-header; false for an unknown or repeated one.
        mutating func take(_ fields: HeaderFields, _ position: Int) -> Bool {
            if fields.isNamed(position, ":method") { return Self.set(&method, position) }
            if fields.isNamed(position, ":scheme") { return Self.set(&scheme, position) }
            if fields.isNamed(position, ":authority") { return Self.set(&authority, position) }
            if fields.isNamed(position, ":path") { return Self.set(&path, position) }
            if fields.isNamed(position, ":status") { return Self.set(&status, position) }
            return false
        }

        private static func set(_ place: inout Int?, _ position: Int) -> Bool {
            guard place == nil else { return false }
            place = position
            return true
        }
    }

    /// The facts of a request; nil when it is malformed.
    func checkedRequest() -> RequestFacts? {
        guard let (pseudo, contentLength) = checkedFields(), pseudo.status == nil,
            let method = pseudo.method.map({ bytes[entries[$0].value] }),
            !method.isEmpty, method.allSatisfy(isTokenByte)
        else { return nil }
        var facts = RequestFacts(contentLength: contentLength)
        facts.isConnect = method.elementsEqual("CONNECT".utf8)
        facts.isHead = method.elementsEqual("HEAD".utf8)
        let authority = pseudo.authority.map { bytes[entries[$0].value] }
        if let authority {
            guard isAuthority(authority), hostAgrees(with: authority) else { return nil }
        }
        if facts.isConnect {
            guard authority != nil, pseudo.scheme == nil, pseudo.path == nil else { return nil }
            return facts
        }
        guard let scheme = pseudo.scheme, isScheme(bytes[entries[scheme].value]),
            let path = pseudo.path, isPath(bytes[entries[path].value], method)
        else { return nil }
        return facts
    }

    /// The facts of a response; nil when it is malformed.
    func checkedResponse() -> ResponseFacts? {
        guard let (pseudo, contentLength) = checkedFields(), let position = pseudo.status,
            pseudo.method == nil, pseudo.scheme == nil, pseudo.authority == nil,
            pseudo.path == nil
        else { return nil }
        let digits = bytes[entries[position].value]
        guard digits.count == 3, let status = decimal(digits), (100...599).contains(status),
            status != 101
        else { return nil }
        return ResponseFacts(status: Int(status), contentLength: contentLength)
    }

    /// Whether these fields may stand behind a message's content.
    func areTrailers() -> Bool {
        guard let (pseudo, _) = checkedFields() else { return false }
        return pseudo.method == nil && pseudo.scheme == nil && pseudo.authority == nil
            && pseudo.path == nil && pseudo.status == nil
    }

    /// Checks what holds for every list: RFC 9113 §8.2 and the order of §8.3.
    private func checkedFields() -> (PseudoHeaders, contentLength: Int64)? {
        var pseudo = PseudoHeaders()
        var contentLength: Int64 = -1
        var regularSeen = false
        for position in entries.indices {
            let entry = entries[position]
            guard let first = bytes[entry.name].first, isFieldValue(bytes[entry.value]) else {
                return nil
            }
            if first == UInt8(ascii: ":") {
                guard !regularSeen, pseudo.take(self, position) else { return nil }
                continue
            }
            regularSeen = true
            guard bytes[entry.name].allSatisfy({ isTokenByte($0) && !isUpperCase($0) }),
                !isConnectionSpecific(position)
            else { return nil }
            if isNamed(position, "content-length") {
                // Repeated values must agree; a list of values is not taken apart.
                guard let length = decimal(bytes[entry.value]),
                    contentLength < 0 || contentLength == length
                else { return nil }
                contentLength = length
            }
        }
        return (pseudo, contentLength)
    }

    /// Fields that belong to a hop of HTTP/1.1: RFC 9113 §8.2.2.
    private func isConnectionSpecific(_ position: Int) -> Bool {
        switch entries[position].nameLength {
        case 2:
            isNamed(position, "te")
                && !bytes[entries[position].value].elementsEqual("trailers".utf8)
        case 7: isNamed(position, "upgrade")
        case 10: isNamed(position, "connection") || isNamed(position, "keep-alive")
        case 16: isNamed(position, "proxy-connection")
        case 17: isNamed(position, "transfer-encoding")
        default: false
        }
    }

    /// A `host` field must name what `:authority` names: RFC 9113 §8.3.1.
    private func hostAgrees(with authority: ArraySlice<UInt8>) -> Bool {
        for position in entries.indices where isNamed(position, "host") {
            let host = bytes[entries[position].value]
            guard host.count == authority.count,
                zip(host, authority).allSatisfy({ lowerCased($0) == lowerCased($1) })
            else { return false }
        }
        return true
    }
}

/// RFC 9113 §8.2.1 and RFC 9110 §5.5: no control bytes, no white space at either end.
private func isFieldValue(_ value: ArraySlice<UInt8>) -> Bool {
    guard let first = value.first, let last = value.last else { return true }
    if isBlank(first) || isBlank(last) { return false }
    return value.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
}

/// A host and perhaps a port, no user information: RFC 9113 §8.3.1.
private func isAuthority(_ value: ArraySlice<UInt8>) -> Bool {
    !value.isEmpty
        && value.allSatisfy {
            switch $0 {
            case UInt8(ascii: "@"), UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "?"),
                UInt8(ascii: "#"), UInt8(ascii: ","):
                false
            default: $0 > 0x20 && $0 < 0x7F
            }
        }
}

/// An origin-form target, or `*` of OPTIONS; a fragment never belongs there.
private func isPath(_ value: ArraySlice<UInt8>, _ method: ArraySlice<UInt8>) -> Bool {
    if value.elementsEqual("*".utf8) { return method.elementsEqual("OPTIONS".utf8) }
    return value.first == UInt8(ascii: "/")
        && value.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }
}

private func isScheme(_ value: ArraySlice<UInt8>) -> Bool {
    guard let first = value.first, isLetter(first) else { return false }
    return value.allSatisfy {
        isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-")
            || $0 == UInt8(ascii: ".")
    }
}

/// Digits only, at most 18 of them, so that no value overflows.
private func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
    guard !digits.isEmpty, digits.count <= 18, digits.allSatisfy(isDigit) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    if isLetter(byte) || isDigit(byte) { return true }
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
        UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
        UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
        return true
    default:
        return false
    }
}

private func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isUpperCase(byte)
}

private func isUpperCase(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

private func lowerCased(_ byte: UInt8) -> UInt8 { isUpperCase(byte) ? byte | 0x20 : byte }
