/// A domain name as its labels, with the case the sender used (RFC 1035 §3.1).
package struct DomainName: Sendable, Hashable {
    /// Bytes of a name on the wire, at most, the root's zero included.
    package static let wireBytesMax = 255
    /// Bytes of a label, at most.
    package static let labelBytesMax = 63

    /// The labels without dots; empty for the root.
    package let labels: [[UInt8]]

    /// Reads dotted text, with or without the root's dot; nil when it breaks a limit.
    package init?(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        let dot = UInt8(ascii: ".")
        let parts = bytes.split(separator: dot, omittingEmptySubsequences: bytes.isEmpty)
        self.init(labels: parts.map(Array.init))
    }

    /// Takes labels; nil when one is empty or too long, or all are too long together.
    package init?(labels: [[UInt8]]) {
        var length = 1
        for label in labels {
            guard !label.isEmpty, label.count <= Self.labelBytesMax else { return nil }
            length += label.count + 1
        }
        guard length <= Self.wireBytesMax else { return nil }
        self.labels = labels
    }

    /// The name in lower case without the root's dot; nil when a label holds a byte that is not
    /// printable ASCII or is a dot, which no name of ours does.
    package var text: String? {
        var bytes: [UInt8] = []
        for label in labels {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ".")) }
            for byte in label {
                guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: ".") else { return nil }
                bytes.append(byte.lowercased)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The name on the wire, uncompressed.
    package var wire: [UInt8] {
        var bytes: [UInt8] = []
        for label in labels {
            bytes.append(UInt8(truncatingIfNeeded: label.count))
            bytes += label
        }
        bytes.append(0)
        return bytes
    }

    /// Whether both are the same name, whatever their case.
    package func matches(_ other: DomainName) -> Bool {
        labels.count == other.labels.count
            && zip(labels, other.labels).allSatisfy { left, right in
                left.count == right.count
                    && zip(left, right).allSatisfy { $0.lowercased == $1.lowercased }
            }
    }
}

extension UInt8 {
    /// The lower case of an ASCII letter, everything else as it is.
    fileprivate var lowercased: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }
}
