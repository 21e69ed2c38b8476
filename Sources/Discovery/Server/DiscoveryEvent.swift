/// What the control plane's server tells its log; texts of clients are clipped and printable.
package enum DiscoveryEvent: Sendable, Equatable {
    /// A node opened a stream.
    case connected(Caller, node: String)
    /// Its stream ended.
    case disconnected(Caller, reason: String)
    /// A call was refused; the caller is told less.
    case refused(peer: String, reason: String)
    /// A node refused resources.
    case notAcknowledged(Caller, typeURL: String, reason: String)
    /// A certificate was signed.
    case certified(Caller, identity: String)
    /// A certificate was refused; the caller is told less.
    case notCertified(Caller?, reason: String)
}

/// Takes events on any thread: hand it on and return.
package typealias DiscoveryLog = @Sendable (DiscoveryEvent) -> Void

extension String {
    /// A client's text as it may stand in a log line: at most so many bytes, nothing unprintable.
    func clipped(bytes: Int = 512) -> String {
        let scalars = unicodeScalars.prefix(bytes).map { scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "?" : scalar
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }
}
