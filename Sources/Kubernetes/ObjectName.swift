/// The rules Kubernetes has for names; they end up in identities, file names and log lines.
package enum ObjectName: Sendable {
    /// RFC 1123 label: at most 63 of `a-z 0-9 -`, alphanumeric at both ends.
    case label
    /// RFC 1123 subdomain: labels joined by dots, at most 253 characters.
    case subdomain

    /// Whether the name follows the rule.
    package func allows(_ name: String) -> Bool {
        switch self {
        case .label:
            return Self.isLabel(name.utf8[...])
        case .subdomain:
            guard (1...253).contains(name.utf8.count) else { return false }
            return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
                .allSatisfy { Self.isLabel($0, lengthMax: 253) }
        }
    }

    /// The rule in the words of an error message.
    package var rule: String {
        switch self {
        case .label:
            "must be at most 63 lower-case letters, digits and '-', with none at the ends"
        case .subdomain:
            "must be at most 253 lower-case letters, digits, '-' and '.', none at the ends"
        }
    }

    /// Whether text may be a label's value: at most 63 of letters, digits, `-`, `_` and `.`.
    package static func allowsLabelValue(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return true }
        return text.utf8.count <= 63 && isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    private static func isLabel(_ text: Substring.UTF8View, lengthMax: Int = 63) -> Bool {
        guard let first = text.first, let last = text.last else { return false }
        return text.count <= lengthMax && isLowerAlphanumeric(first) && isLowerAlphanumeric(last)
            && text.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte)
    }
}
