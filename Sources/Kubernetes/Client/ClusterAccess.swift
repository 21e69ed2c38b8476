/// Where an API server is, whom to trust there, and who to be.
///
/// Its description names the server only: no secret it holds is ever printed.
package struct ClusterAccess: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Bytes that are given, or a file that is read again as it changes.
    package enum Material: Sendable, Hashable, CustomStringConvertible {
        case bytes([UInt8])
        case file(String)

        /// The file, but never the bytes.
        package var description: String {
            switch self {
            case .bytes(let bytes): "\(bytes.count) bytes"
            case .file(let path): path
            }
        }
    }

    /// Whose certificate the server must have.
    package enum Trust: Sendable, Hashable {
        /// One of the system's authorities.
        case system
        /// One of these authorities, in PEM.
        case authorities(Material)
        /// Anybody's (`insecure-skip-tls-verify`).
        case anyone
    }

    /// The token that says who we are.
    package enum Bearer: Sendable, Hashable, CustomStringConvertible {
        case none
        case token(String)
        /// A file that is read again as its token rotates.
        case file(String)
        case plugin(CredentialPlugin)

        /// Where the token is from, but never the token.
        package var description: String {
            switch self {
            case .none: "nobody"
            case .token: "a token"
            case .file(let path): "the token in \(path)"
            case .plugin(let plugin): "what \(FieldError.printable(plugin.command)) says"
            }
        }
    }

    /// The certificate that says who we are, in PEM.
    package struct ClientCertificate: Sendable, Hashable {
        package var chain: Material
        package var key: Material

        package init(chain: Material, key: Material) {
            self.chain = chain
            self.key = key
        }
    }

    package var server: ServerAddress
    package var trust: Trust = .system
    package var bearer: Bearer = .none
    package var certificate: ClientCertificate?
    /// The name the server's certificate must have; empty for the host in its address.
    package var serverName: String = ""
    /// The namespace that is meant where none is said.
    package var namespace: String = "default"

    /// Access to a server as nobody.
    package init(server: ServerAddress) { self.server = server }

    package var description: String { "\(server)" }
    /// The same: a debugger's text must hold no secret either.
    package var debugDescription: String { description }
}

/// The address of an API server: `https://host:port/prefix`.
package struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    package let isTLS: Bool
    /// A name or an address; an IPv6 one without brackets.
    package let host: String
    package let port: UInt16
    /// Comes before `/api`; empty, or begins with a slash and does not end with one.
    package let prefix: String

    /// Reads an address; nil when it is none, or has a user, query or fragment.
    package init?(_ text: String) {
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            !text.contains(where: { "@?#\\\"<>%".contains($0) })
        else { return nil }
        if text.lowercased().hasPrefix("https://") {
            isTLS = true
        } else if text.lowercased().hasPrefix("http://") {
            isTLS = false
        } else {
            return nil
        }
        let rest = text.dropFirst(isTLS ? 8 : 7)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        let portText: Substring
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            portText = authority[authority.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else {
            let name = authority.prefix { $0 != ":" }
            host = String(name)
            portText = authority.dropFirst(name.count)
        }
        guard !host.isEmpty, !host.contains("[") else { return nil }
        if portText.isEmpty {
            port = isTLS ? 443 : 80
        } else {
            guard portText.first == ":", let number = UInt16(portText.dropFirst()), number > 0
            else {
                return nil
            }
            port = number
        }
        prefix = path.split(separator: "/").map { "/" + $0 }.joined()
    }

    /// The address as it stands in a URL, without a slash at the end.
    package var description: String { text(host: host) }

    // With another host in place of its own.
    func text(host: String) -> String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return "\(isTLS ? "https" : "http")://\(shown):\(port)\(prefix)"
    }
}

/// Why there is no way to an API server: which file or variable, and what is wrong with it.
package struct AccessError: Error, Sendable, Hashable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}
