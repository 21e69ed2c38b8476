/// The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
package struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    package let trustDomain: String
    package let namespace: String
    package let serviceAccount: String

    /// Makes an identity from parts that were checked where they came in.
    package init(trustDomain: String, namespace: String, serviceAccount: String) {
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }

    /// The URI form.
    package var description: String { "spiffe://" + principal }

    /// The form policies compare: the URI without its scheme.
    package var principal: String {
        trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount
    }

    /// The longest URI SPIFFE allows, in bytes (SPIFFE-ID §2.3).
    package static let uriBytesMax = 2048
    /// The longest trust domain SPIFFE allows, in bytes (SPIFFE-ID §2.1).
    package static let trustDomainBytesMax = 255

    /// Parses exactly `spiffe://TD/ns/NS/sa/SA`.
    ///
    /// Anything that could be read in two ways is refused: another case of the scheme, percent
    /// encoding, empty or dot segments, a port, user, query or fragment, a trailing slash, bytes
    /// outside the SPIFFE character sets (NUL among them), and more than 2,048 bytes.
    package init?(uri: String) {
        let scheme = "spiffe://"
        guard uri.utf8.count <= Self.uriBytesMax, uri.utf8.starts(with: scheme.utf8) else {
            return nil
        }
        let parts = uri.utf8.dropFirst(scheme.utf8.count)
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 5 else { return nil }
        guard parts[1].elementsEqual("ns".utf8), parts[3].elementsEqual("sa".utf8) else {
            return nil
        }
        self.init(
            checkedTrustDomain: String(Substring(parts[0])),
            namespace: String(Substring(parts[2])),
            serviceAccount: String(Substring(parts[4]))
        )
    }

    /// Makes an identity from parts of outside input; nil when one cannot stand in a SPIFFE id.
    package init?(checkedTrustDomain: String, namespace: String, serviceAccount: String) {
        guard
            Self.isTrustDomain(checkedTrustDomain), Self.isSegment(namespace),
            Self.isSegment(serviceAccount)
        else { return nil }
        self.init(
            trustDomain: checkedTrustDomain,
            namespace: namespace,
            serviceAccount: serviceAccount
        )
        guard description.utf8.count <= Self.uriBytesMax else { return nil }
    }

    /// Whether `text` may be a trust domain: lower case letters, digits, `.`, `-` and `_`.
    package static func isTrustDomain(_ text: String) -> Bool {
        (1...trustDomainBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// Whether `text` may be a path segment: letters, digits, `.`, `-`, `_`, not `.` or `..`.
    package static func isSegment(_ text: String) -> Bool {
        guard !text.isEmpty, text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
