internal import Kubernetes
internal import Mesh

/// The small languages inside policy fields: patterns, ports, address blocks, service accounts.
enum PolicyText {
    /// A SPIFFE id has at most 2,048 bytes, so no pattern needs more.
    static let patternBytesMax = 2048

    /// A port from 1 to 65535 in decimal digits and nothing else; nil when it is not.
    static func port(_ text: String) -> UInt16? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text),
            port > 0
        else { return nil }
        return port
    }

    /// `*` for anything that is there, `*x`, `x*` or the text itself.
    ///
    /// Nil for a `*` elsewhere, and for what no name has: spaces, control characters, non-ASCII.
    static func pattern(_ text: String) -> Policy.StringMatch? {
        if text == "*" { return .presence }
        guard text.utf8.count <= patternBytesMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        let match: Policy.StringMatch
        let rest: Substring
        if text.hasPrefix("*") {
            rest = text.dropFirst()
            match = .suffix(String(rest))
        } else if text.hasSuffix("*") {
            rest = text.dropLast()
            match = .prefix(String(rest))
        } else {
            rest = text[...]
            match = .exact(text)
        }
        return rest.isEmpty || rest.contains("*") ? nil : match
    }

    /// A pattern over `TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, with or without `spiffe://`.
    static func principal(_ text: String) -> Policy.StringMatch? {
        let scheme = "spiffe://"
        return pattern(text.hasPrefix(scheme) ? String(text.dropFirst(scheme.count)) : text)
    }

    /// `NAMESPACE/ACCOUNT`, or an account of the policy's own namespace; nil when neither.
    static func serviceAccount(
        _ text: String,
        namespace: String
    ) -> Policy.ServiceAccountMatch? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), let account = parts.last,
            ObjectName.subdomain.allows(account)
        else { return nil }
        let namespace = parts.count == 2 ? parts[0] : namespace
        guard ObjectName.label.allows(namespace) else { return nil }
        return Policy.ServiceAccountMatch(namespace: namespace, serviceAccount: account)
    }
}
