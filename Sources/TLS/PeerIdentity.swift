/// What keeps a URI from being a workload identity.
package enum SPIFFEFault: String, Error, Hashable, Sendable {
    case tooLong = "it is longer than 2048 bytes"
    case scheme = "it does not begin with spiffe://"
    case byte = "it holds a byte outside A-Z a-z 0-9 . _ -"
    case trustDomain = "its trust domain is empty, too long or not lower case"
    case shape = "it is not of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT"
    case segment = "a part of it is empty, . or .."
}

/// A workload identity as it stands in a certificate, checked byte by byte.
///
/// The form is exactly `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT` in the characters
/// SPIFFE allows (SPIFFE-ID §2): no percent-encoding, no upper case in scheme and trust domain, no
/// port, user, query or fragment, no empty or dot segment, no NUL.
package struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The URI itself: since no two spellings name one identity, comparing bytes is right.
    package let uri: String
    /// The trust domain within the URI.
    package let trustDomain: String

    static let bytesMax = 2048
    private static let trustDomainBytesMax = 255

    /// Checks a URI from a certificate or a message.
    package init(_ bytes: some Collection<UInt8>) throws(SPIFFEFault) {
        guard bytes.count <= Self.bytesMax else { throw .tooLong }
        let scheme = "spiffe://".utf8
        guard bytes.starts(with: scheme) else { throw .scheme }
        let rest = bytes.dropFirst(scheme.count)
        guard rest.allSatisfy({ Self.isAllowed($0) || $0 == UInt8(ascii: "/") }) else {
            throw .byte
        }
        let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard let domain = parts.first, Self.isTrustDomain(domain) else { throw .trustDomain }
        guard parts.count == 5, parts[1].elementsEqual("ns".utf8),
            parts[3].elementsEqual("sa".utf8)
        else { throw .shape }
        guard Self.isSegment(parts[2]), Self.isSegment(parts[4]) else { throw .segment }
        self.uri = String(decoding: bytes, as: UTF8.self)
        self.trustDomain = String(decoding: domain, as: UTF8.self)
    }

    /// Checks a URI in a string.
    package init(uri: String) throws(SPIFFEFault) {
        try self.init(Array(uri.utf8))
    }

    /// The URI.
    package var description: String { uri }

    /// Whether a name can be a trust domain: lower case letters, digits, `.`, `_`, `-`.
    package static func isTrustDomain(_ bytes: some Collection<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= trustDomainBytesMax else { return false }
        return bytes.allSatisfy {
            isAllowed($0) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isSegment(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && !bytes.elementsEqual(".".utf8) && !bytes.elementsEqual("..".utf8)
    }
}

/// Whom a session accepts at the other end.
package enum PeerExpectation: Hashable, Sendable, CustomStringConvertible {
    /// Any of these SPIFFE URIs, compared byte for byte; an empty list accepts nobody.
    case identities([String])
    /// Any workload of this trust domain, compared byte for byte.
    case trustDomain(String)

    /// For messages.
    package var description: String {
        switch self {
        case .identities(let uris):
            uris.isEmpty ? "nobody" : uris.joined(separator: " or ")
        case .trustDomain(let name): "a workload of trust domain \(name)"
        }
    }

    func accepts(_ identity: PeerIdentity) -> Bool {
        switch self {
        case .identities(let uris): uris.contains(identity.uri)
        case .trustDomain(let name): identity.trustDomain == name
        }
    }
}
