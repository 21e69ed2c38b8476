package import HTTP
package import Mesh

/// What an HBONE peer asks for: the fields of its CONNECT request.
///
/// The authority decides; everything else is a hint of the peer for logs and metrics, bounded and
/// free of control bytes, and never enters a decision about access.
package struct ConnectRequest: Sendable, Equatable {
    /// Where the peer wants to go.
    package enum Authority: Sendable, Hashable, CustomStringConvertible {
        case address(SocketAddress)
        /// A host in lower case, without a trailing dot.
        case hostname(String, port: UInt16)

        /// The text form, as in `:authority`.
        package var description: String {
            switch self {
            case .address(let address): address.description
            case .hostname(let name, let port): "\(name):\(port)"
            }
        }

        /// The port asked for; never zero.
        package var port: UInt16 {
            switch self {
            case .address(let address): address.port
            case .hostname(_, let port): port
            }
        }
    }

    /// Why a request cannot be served; each answers 400.
    package enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        case notConnect
        case badAuthority
        case badNetwork

        /// The reason in words, without any bytes of the peer.
        package var description: String {
            switch self {
            case .notConnect: "the method is not CONNECT"
            case .badAuthority: "the authority is not host:port"
            case .badNetwork: "x-forwarded-network is not a network's name"
            }
        }
    }

    /// Where to connect.
    package var authority: Authority
    /// The text of the caller's `Baggage`, on requests to send; whoever wants that of a request
    /// that came reads `Baggage(fields)`.
    package var baggage = ""
    /// The client the peer forwards for, and the service it dialled.
    package var forwarded: Forwarded?
    /// The trace the connection belongs to, on requests to send.
    package var traceparent: TraceParent?
    /// The network the call comes from, on requests through a gateway only.
    package var network: String?

    /// Makes a request to send.
    package init(authority: Authority) {
        self.authority = authority
    }

    /// Takes the fields of a request apart; hints that cannot be read are left out.
    package init(_ fields: HeaderFields) throws(Refusal) {
        guard fields[":method"] == "CONNECT" else { throw .notConnect }
        guard let authority = fields[":authority"].flatMap(Authority.init) else {
            throw .badAuthority
        }
        self.authority = authority
        forwarded = fields["forwarded"].flatMap(Forwarded.init)
        if let network = fields["x-forwarded-network"] {
            // It decides how the source is found, so that a strange one refuses the request.
            guard isNetworkName(network) else { throw .badNetwork }
            self.network = network
        }
    }

    /// The fields to send.
    package var fields: HeaderFields {
        var fields = HeaderFields()
        fields.reserve(fields: 6, bytes: 320)
        fields.append(":method", "CONNECT")
        fields.append(":authority", authority.description)
        if !baggage.isEmpty {
            fields.append("baggage", baggage)
        }
        if let forwarded {
            fields.append("forwarded", forwarded.description)
        }
        if let traceparent {
            fields.append("traceparent", traceparent.description)
        }
        if let network {
            fields.append("x-forwarded-network", network)
        }
        return fields
    }
}

extension ConnectRequest.Authority {
    /// Parses `10.1.0.5:8080`, `[2001:db8::5]:8080` or `host.name:8080`; the port is required.
    package init?(_ text: String) {
        if let address = SocketAddress(text) {
            guard address.port > 0 else { return nil }
            self = .address(address)
            return
        }
        let bytes = text.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")),
            let port = decimalPort(bytes[bytes.index(after: colon)...]),
            let name = checkedHostname(bytes[..<colon])
        else { return nil }
        self = .hostname(name, port: port)
    }
}

/// The trace a connection belongs to (W3C Trace Context), for logs only.
package struct TraceParent: Sendable, Hashable, CustomStringConvertible {
    /// The text form: 55 bytes of digits, lower-case letters and hyphens.
    package let description: String

    /// Makes a fresh trace.
    package init(using generator: inout some RandomNumberGenerator) {
        var text = [UInt8]()
        text.reserveCapacity(55)
        text.append(contentsOf: "00-".utf8)
        // All zeros would be no trace.
        appendHexadecimal(generator.next() | 1, to: &text)
        appendHexadecimal(generator.next(), to: &text)
        text.append(hyphen)
        appendHexadecimal(generator.next() | 1, to: &text)
        text.append(contentsOf: "-00".utf8)
        description = String(decoding: text, as: UTF8.self)
    }

    /// Takes the text of a field; nil when it is not of version 00 or names no trace.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 55, bytes.starts(with: "00-".utf8), bytes[35] == hyphen,
            bytes[52] == hyphen,
            Self.isIdentifier(bytes[3..<35]), Self.isIdentifier(bytes[36..<52]),
            bytes[53..<55].allSatisfy(isLowerHexadecimal)
        else { return nil }
        description = text
    }

    private static func isIdentifier(_ digits: ArraySlice<UInt8>) -> Bool {
        digits.allSatisfy(isLowerHexadecimal) && digits.contains { $0 != UInt8(ascii: "0") }
    }
}

private let hyphen = UInt8(ascii: "-")

private func appendHexadecimal(_ value: UInt64, to text: inout [UInt8]) {
    for shift in stride(from: UInt64(60), through: 0, by: -4) {
        let digit = UInt8(truncatingIfNeeded: value >> shift & 0xF)
        text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
    }
}

private func isLowerHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
}

/// A port from 1 on, without sign or leading zeros.
private func decimalPort(_ digits: Substring.UTF8View) -> UInt16? {
    guard (1...5).contains(digits.count), digits.first != UInt8(ascii: "0"),
        digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    return UInt16(exactly: value)
}

/// A DNS name in lower case without its trailing dot; nil for anything else.
///
/// The last label may not be a number: such a name is an IPv4 address to some readers and a name to
/// others.
func checkedHostname(_ bytes: Substring.UTF8View) -> String? {
    var rest = bytes
    if rest.last == UInt8(ascii: ".") {
        rest = rest.dropLast()
    }
    guard (1...253).contains(rest.count) else { return nil }
    let labels = rest.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    for label in labels {
        guard (1...63).contains(label.count), label.first != hyphen, label.last != hyphen,
            label.allSatisfy(isHostnameByte)
        else { return nil }
    }
    guard let last = labels.last, let first = last.first,
        !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    else { return nil }
    return String(decoding: rest, as: UTF8.self).lowercased()
}

private func isHostnameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), hyphen, UInt8(ascii: "_"):
        true
    default: false
    }
}

/// Network names are chosen by the operator: short, printable, without separators of fields.
private func isNetworkName(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && text.utf8.allSatisfy { isHostnameByte($0) || $0 == 0x2E }
}
