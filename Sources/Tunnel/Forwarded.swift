package import Mesh

/// The part of a `forwarded` field (RFC 7239) that HBONE uses: a hint, never proof.
package struct Forwarded: Sendable, Hashable, CustomStringConvertible {
    /// The client's address; nil when it is unknown or obfuscated.
    package var client: SocketAddress?
    /// The service the client dialled, in lower case.
    package var host: String?

    /// The longest text that is read, in bytes.
    package static let textBytesMax = 1024

    /// Makes one to send.
    package init(client: SocketAddress?, host: String?) {
        self.client = client
        self.host = host
    }

    /// Reads the first element of a field; nil when its grammar is broken or nothing is of use.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.textBytesMax else { return nil }
        var rest = text.utf8[...]
        var namesSeen: Set<String> = []
        repeat {
            rest = trimmed(rest)
            // An empty pair between two semicolons is allowed.
            if rest.first == UInt8(ascii: ";") { continue }
            guard let name = takeToken(&rest)?.lowercased(),
                rest.popFirst() == UInt8(ascii: "="),
                let value = rest.first == UInt8(ascii: "\"")
                    ? takeQuoted(&rest) : takeToken(&rest),
                namesSeen.insert(name).inserted
            else { return nil }
            take(name, value)
            rest = trimmed(rest)
        } while rest.popFirst(if: UInt8(ascii: ";"))
        guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        guard client != nil || host != nil else { return nil }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "for":
            client = SocketAddress(value)
        case "host":
            // A port behind the name does not matter here.
            let name = value.utf8.prefix { $0 != UInt8(ascii: ":") }
            host = checkedHostname(name)
        default:
            break
        }
    }

    /// The text of the field.
    package var description: String {
        var pairs: [String] = []
        if let client {
            pairs.append("for=\"\(client)\"")
        }
        if let host {
            pairs.append("host=\(host)")
        }
        return pairs.joined(separator: ";")
    }
}

/// Takes a token of RFC 9110 §5.6.2; nil when there is none.
private func takeToken(_ rest: inout Substring.UTF8View) -> String? {
    let token = rest.prefix(while: isTokenByte)
    guard !token.isEmpty else { return nil }
    rest = rest[token.endIndex...]
    return String(decoding: token, as: UTF8.self)
}

/// Takes a quoted string of RFC 9110 §5.6.4, quotes and escapes removed; nil when it is broken.
private func takeQuoted(_ rest: inout Substring.UTF8View) -> String? {
    guard rest.popFirst(if: UInt8(ascii: "\"")) else { return nil }
    var bytes: [UInt8] = []
    while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\""):
            return String(decoding: bytes, as: UTF8.self)
        case UInt8(ascii: "\\"):
            guard let escaped = rest.popFirst(), escaped >= 0x20, escaped != 0x7F else {
                return nil
            }
            bytes.append(escaped)
        default:
            guard byte >= 0x20, byte != 0x7F else { return nil }
            bytes.append(byte)
        }
    }
    return nil
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        return true
    default:
        return "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

extension Substring.UTF8View {
    /// Takes the first byte if it is that one.
    fileprivate mutating func popFirst(if expected: UInt8) -> Bool {
        guard first == expected else { return false }
        self = dropFirst()
        return true
    }
}
