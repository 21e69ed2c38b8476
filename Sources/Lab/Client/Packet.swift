package import Mesh

/// One frame as it crossed the wire, taken apart as far as a summary needs.
package struct Packet: Sendable, Equatable {
    /// What the frame carries.
    package enum Transport: Sendable, Hashable {
        case tcp(flags: UInt8)
        case udp
        /// Another protocol of IP, by number.
        case other(UInt8)
    }

    /// What the first bytes of a TCP payload look like.
    package enum Content: Sendable, Hashable {
        /// No payload.
        case none
        case tlsHandshake
        case tlsData
        case tlsAlert
        /// The start of a TLS record is not in this packet, or this is no TLS.
        case other
    }

    package let source: SocketAddress
    package let destination: SocketAddress
    package let transport: Transport
    package let payload: ArraySlice<UInt8>

    /// Takes an Ethernet frame apart; nil when it does not carry IP, or is cut short.
    package init?(ethernet frame: [UInt8]) {
        guard frame.count >= 14 else { return nil }
        let body = frame[14...]
        switch UInt16(frame[12]) << 8 | UInt16(frame[13]) {
        case 0x0800: self.init(ipv4: body)
        case 0x86DD: self.init(ipv6: body)
        default: return nil
        }
    }

    private init?(ipv4 bytes: ArraySlice<UInt8>) {
        let start = bytes.startIndex
        guard bytes.count >= 20, bytes[start] >> 4 == 4 else { return nil }
        let header = Int(bytes[start] & 0xF) * 4
        let total = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
        guard header >= 20, bytes.count >= header,
            let source = IPAddress(bytes: bytes[(start + 12)..<(start + 16)]),
            let destination = IPAddress(bytes: bytes[(start + 16)..<(start + 20)])
        else { return nil }
        // A segment that the kernel has not cut yet may have no length here.
        let end = total >= header ? min(total, bytes.count) : bytes.count
        self.init(
            source,
            destination,
            protocolNumber: bytes[start + 9],
            bytes[(start + header)..<(start + end)]
        )
    }

    private init?(ipv6 bytes: ArraySlice<UInt8>) {
        let start = bytes.startIndex
        guard bytes.count >= 40, bytes[start] >> 4 == 6,
            let source = IPAddress(bytes: bytes[(start + 8)..<(start + 24)]),
            let destination = IPAddress(bytes: bytes[(start + 24)..<(start + 40)])
        else { return nil }
        let length = Int(bytes[start + 4]) << 8 | Int(bytes[start + 5])
        let end = length > 0 ? min(40 + length, bytes.count) : bytes.count
        self.init(
            source,
            destination,
            protocolNumber: bytes[start + 6],
            bytes[(start + 40)..<(start + end)]
        )
    }

    private init?(
        _ source: IPAddress,
        _ destination: IPAddress,
        protocolNumber: UInt8,
        _ segment: ArraySlice<UInt8>
    ) {
        let start = segment.startIndex
        func word(_ offset: Int) -> UInt16 {
            UInt16(segment[start + offset]) << 8 | UInt16(segment[start + offset + 1])
        }
        var ports: (UInt16, UInt16) = (0, 0)
        switch protocolNumber {
        case 6:
            guard segment.count >= 20 else { return nil }
            let header = Int(segment[start + 12] >> 4) * 4
            guard header >= 20, segment.count >= header else { return nil }
            ports = (word(0), word(2))
            transport = .tcp(flags: segment[start + 13])
            payload = segment[(start + header)...]
        case 17:
            guard segment.count >= 8 else { return nil }
            ports = (word(0), word(2))
            transport = .udp
            payload = segment[(start + 8)...]
        default:
            transport = .other(protocolNumber)
            payload = segment
        }
        self.source = SocketAddress(source, ports.0)
        self.destination = SocketAddress(destination, ports.1)
    }

    /// The lower of its two ports, which is the server's as a rule.
    package var lowerPort: UInt16 { min(source.port, destination.port) }

    /// What the payload looks like.
    package var content: Content {
        guard let first = payload.first else { return .none }
        let rest = payload.dropFirst()
        guard rest.count >= 4, rest[rest.startIndex] == 3, rest[rest.startIndex + 1] <= 4 else {
            return .other
        }
        switch first {
        case 20, 22: return .tlsHandshake
        case 21: return .tlsAlert
        case 23: return .tlsData
        default: return .other
        }
    }

    /// One line: who, to whom, what.
    package var summary: String {
        let what: String
        switch transport {
        case .udp: what = "UDP, \(payload.count) bytes"
        case .other(let number): what = "IP protocol \(number), \(payload.count) bytes"
        case .tcp(let flags):
            switch content {
            case .none: what = "TCP \(Self.names(of: flags))"
            case .tlsHandshake: what = "TLS handshake, \(payload.count) bytes"
            case .tlsData: what = "TLS application data, \(payload.count) bytes"
            case .tlsAlert: what = "TLS alert, \(payload.count) bytes"
            case .other: what = "TCP data, \(payload.count) bytes"
            }
        }
        return "\(source) > \(destination): \(what)"
    }

    private static func names(of flags: UInt8) -> String {
        let all: [(UInt8, String)] = [(2, "SYN"), (16, "ACK"), (1, "FIN"), (4, "RST")]
        return all.filter { flags & $0.0 != 0 }.map(\.1).joined(separator: "+")
    }
}
