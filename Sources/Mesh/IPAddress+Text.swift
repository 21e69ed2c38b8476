extension IPAddress: CustomStringConvertible {
    /// Parses the text form: dotted quad, or IPv6 as RFC 4291 §2.2 has it, without a zone.
    ///
    /// Strict where readers differ: no leading zeros in an IPv4 part, no surrounding space, exactly
    /// one `::` at most, and that stands for at least one group.
    package init?(_ text: String) {
        self.init(utf8: text.utf8)
    }

    /// Parses the text form from its bytes.
    package init?(utf8 text: some BidirectionalCollection<UInt8>) {
        // The longest is an IPv6 address that ends in a dotted quad: 45 bytes.
        guard text.count <= 45 else { return nil }
        if text.contains(UInt8(ascii: ":")) {
            guard let words = Self.parseWords(text) else { return nil }
            self.init(v6High: words.high, low: words.low)
        } else {
            guard let bits = Self.parseQuad(text) else { return nil }
            self.init(v4: bits)
        }
    }

    private static func parseQuad(_ text: some Collection<UInt8>) -> UInt32? {
        var bits: UInt32 = 0
        var parts = 0
        for part in text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard parts < 4, let value = parseDecimal(part, max: 255) else { return nil }
            bits = bits << 8 | UInt32(value)
            parts += 1
        }
        return parts == 4 ? bits : nil
    }

    private static func parseWords(
        _ text: some BidirectionalCollection<UInt8>
    ) -> (high: UInt64, low: UInt64)? {
        let colon = UInt8(ascii: ":")
        var parts = text.split(separator: colon, omittingEmptySubsequences: false)[...]
        guard parts.count >= 3 else { return nil }
        // A leading or trailing `::` splits into two empty parts: drop the outer one.
        if parts.first?.isEmpty == true {
            guard parts.dropFirst().first?.isEmpty == true else { return nil }
            parts = parts.dropFirst()
        }
        if parts.last?.isEmpty == true {
            guard parts.dropLast().last?.isEmpty == true else { return nil }
            parts = parts.dropLast()
        }
        var groups: [UInt16] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                guard gap == nil else { return nil }
                gap = groups.count
            } else if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let quad = parseQuad(part) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: quad >> 16))
                groups.append(UInt16(truncatingIfNeeded: quad))
            } else {
                guard let group = parseGroup(part) else { return nil }
                groups.append(group)
            }
            guard groups.count <= 8 else { return nil }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return (high, low)
    }

    private static func parseGroup(_ part: some Collection<UInt8>) -> UInt16? {
        guard (1...4).contains(part.count) else { return nil }
        var value: UInt16 = 0
        for byte in part {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    /// The canonical text form (RFC 5952): lower case, the longest run of zero groups shortened.
    package var description: String {
        switch family {
        case .v4:
            return String(decoding: dottedQuad, as: UTF8.self)
        case .v6:
            let groups = (0..<8).map { index -> UInt16 in
                let half = index < 4 ? high : low
                return UInt16(truncatingIfNeeded: half >> (48 - 16 * UInt64(index % 4)))
            }
            guard let run = Self.longestZeroRun(groups) else { return Self.join(groups[...]) }
            return Self.join(groups[..<run.lowerBound]) + "::"
                + Self.join(groups[run.upperBound...])
        }
    }

    // In every line of the access log: one array instead of a string for each number.
    fileprivate var dottedQuad: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        for shift in stride(from: UInt64(24), through: 0, by: -8) {
            text.appendDecimal(UInt16(low >> shift & 0xFF))
            if shift > 0 { text.append(UInt8(ascii: ".")) }
        }
        return text
    }

    private static func join(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest runs of at least two zero groups (RFC 5952 §4.2.2, §4.2.3).
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start: Int?
        for index in 0...groups.count {
            if index < groups.count, groups[index] == 0 {
                start = start ?? index
            } else if let begun = start {
                if index - begun >= 2, index - begun > (best?.count ?? 0) { best = begun..<index }
                start = nil
            }
        }
        return best
    }
}

extension SocketAddress: CustomStringConvertible {
    /// Parses `1.2.3.4:80` or `[::1]:80`.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let portText = bytes[bytes.index(after: colon)...]
        guard let port = parseDecimal(portText, max: 65_535) else { return nil }
        var host = bytes[..<colon]
        let isBracketed = host.first == UInt8(ascii: "[")
        if isBracketed {
            guard host.count > 2, host.last == UInt8(ascii: "]") else { return nil }
            host = host.dropFirst().dropLast()
        }
        guard host.contains(UInt8(ascii: ":")) == isBracketed else { return nil }
        guard let ip = IPAddress(utf8: host) else { return nil }
        self.init(ip, UInt16(port))
    }

    /// The address and port as text, an IPv6 address in brackets.
    package var description: String {
        switch ip.family {
        case .v4:
            var text = ip.dottedQuad
            text.append(UInt8(ascii: ":"))
            text.appendDecimal(port)
            return String(decoding: text, as: UTF8.self)
        case .v6: return "[\(ip)]:\(port)"
        }
    }
}

extension IPPrefix: CustomStringConvertible {
    /// Parses `10.0.0.0/8`, or a bare address as a prefix of one host; host bits are cleared.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else {
            guard let address = IPAddress(text) else { return nil }
            self.init(host: address)
            return
        }
        let host = bytes[..<slash]
        guard let address = IPAddress(utf8: host) else { return nil }
        guard
            var length = parseDecimal(bytes[bytes.index(after: slash)...], max: 128)
        else { return nil }
        if address.family == .v4, host.contains(UInt8(ascii: ":")) {
            // An IPv4-mapped block is stored as the IPv4 block it stands for.
            guard length >= 96 else { return nil }
            length -= 96
        }
        self.init(address, length: UInt8(length))
    }

    /// The block as text, always with its length.
    package var description: String { "\(address)/\(length)" }
}

/// A decimal number without sign or leading zeros, at most `max`.
private func parseDecimal(_ text: some Collection<UInt8>, max: Int) -> Int? {
    guard (1...5).contains(text.count) else { return nil }
    guard text.count == 1 || text.first != UInt8(ascii: "0") else { return nil }
    var value = 0
    for byte in text {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value <= max ? value : nil
}

extension [UInt8] {
    /// Adds a number in decimal digits.
    fileprivate mutating func appendDecimal(_ number: UInt16) {
        var divisor: UInt16 = 10_000
        while divisor > 1, number < divisor { divisor /= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}
