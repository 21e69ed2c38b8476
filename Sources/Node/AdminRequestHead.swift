/// The request line and fields of one request while they are read.
struct AdminRequestHead {
    private(set) var request = AdminRequest(method: "", path: "")
    private(set) var contentLength = 0
    private var minorVersion = 1
    private var fieldCount = 0
    private var hasLength = false
    private var connectionOptions: Set<String> = []

    /// Reads `METHOD SP target SP HTTP/1.x`.
    mutating func readRequestLine(_ line: ArraySlice<UInt8>) throws(AdminRefusal) {
        let parts = line.split(separator: .space, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw AdminRefusal(400, "no request line") }
        guard (1...16).contains(parts[0].count), parts[0].allSatisfy(\.isTokenByte) else {
            throw AdminRefusal(400, "the method is not one")
        }
        request.method = text(parts[0])
        switch text(parts[2]) {
        case "HTTP/1.1": minorVersion = 1
        case "HTTP/1.0": minorVersion = 0
        case let version where version.hasPrefix("HTTP/"):
            throw AdminRefusal(505, "HTTP/1.0 and HTTP/1.1 are spoken here")
        default: throw AdminRefusal(400, "no HTTP version")
        }
        try readTarget(parts[1])
    }

    private mutating func readTarget(_ target: ArraySlice<UInt8>) throws(AdminRefusal) {
        guard target.first == UInt8(ascii: "/") else {
            throw AdminRefusal(400, "the target is not a path")
        }
        guard target.allSatisfy({ $0 > .space && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw AdminRefusal(400, "the target holds a byte that may not stand there")
        }
        let sides = target.split(
            separator: UInt8(ascii: "?"),
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        request.path = text(sides[0])
        guard sides.count == 2 else { return }
        for part in sides[1].split(separator: UInt8(ascii: "&")) {
            let pair = part.split(
                separator: UInt8(ascii: "="),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let value = pair.count == 2 ? try decoded(pair[1]) : ""
            request.query.append(AdminRequest.Parameter(try decoded(pair[0]), value))
        }
    }

    /// Reads `name: value`.
    mutating func readField(_ line: ArraySlice<UInt8>) throws(AdminRefusal) {
        fieldCount += 1
        guard fieldCount <= AdminRequestParser.fieldsMax else {
            throw AdminRefusal(431, "more than \(AdminRequestParser.fieldsMax) fields")
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(\.isTokenByte)
        else { throw AdminRefusal(400, "a field without a proper name") }
        var value = line[(colon + 1)...]
        while let first = value.first, first.isBlank { value.removeFirst() }
        while let last = value.last, last.isBlank { value.removeLast() }
        switch text(line[..<colon]).lowercased() {
        case "host": try readHost(value)
        case "content-length": try readLength(value)
        case "transfer-encoding": throw AdminRefusal(501, "transfer codings are not spoken here")
        case "expect": throw AdminRefusal(417, "expectations are not met here")
        case "accept":
            request.accept = (request.accept.map { $0 + "," } ?? "") + text(value)
        case "connection":
            for option in value.split(separator: UInt8(ascii: ",")) {
                connectionOptions.insert(text(option.filter { !$0.isBlank }).lowercased())
            }
        case "origin": request.isCrossSite = true
        case "sec-fetch-site":
            if text(value) != "none" && text(value) != "same-origin" { request.isCrossSite = true }
        default: break
        }
    }

    private mutating func readHost(_ value: ArraySlice<UInt8>) throws(AdminRefusal) {
        guard request.host == nil else { throw AdminRefusal(400, "more than one Host") }
        guard value.count <= 255, value.allSatisfy(\.isHostByte) else {
            throw AdminRefusal(400, "the Host is not one")
        }
        request.host = text(value)
    }

    private mutating func readLength(_ value: ArraySlice<UInt8>) throws(AdminRefusal) {
        guard !hasLength else { throw AdminRefusal(400, "more than one Content-Length") }
        hasLength = true
        guard !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw AdminRefusal(400, "the Content-Length is not a number")
        }
        guard let length = Int(text(value)), length <= AdminRequestParser.bodyBytesMax else {
            throw AdminRefusal(
                413,
                "the body is longer than \(AdminRequestParser.bodyBytesMax) bytes"
            )
        }
        contentLength = length
    }

    /// Checks what can only be known once all fields are read.
    mutating func finish() throws(AdminRefusal) {
        guard request.host != nil || minorVersion == 0 else { throw AdminRefusal(400, "no Host") }
        request.isKeptAlive =
            !connectionOptions.contains("close")
            && (minorVersion == 1 || connectionOptions.contains("keep-alive"))
    }

    private func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// Undoes percent-encoding; `+` stays what it is, as no form is served here.
    private func decoded(_ bytes: ArraySlice<UInt8>) throws(AdminRefusal) -> String {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalValue,
                let low = rest.popFirst()?.hexadecimalValue
            else { throw AdminRefusal(400, "a broken percent-encoding") }
            result.append(high << 4 | low)
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension UInt8 {
    /// Whether it may stand in a token (RFC 9110 §5.6.2).
    fileprivate var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }

    /// Whether it may stand in a Host: names, addresses and a port.
    fileprivate var isHostByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~:[]%".utf8.contains(self)
        }
    }

    fileprivate var isBlank: Bool { self == .space || self == .horizontalTab }

    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
