/// Why a tunnel could not be had or was lost.
package struct TunnelFailure: Error, Sendable, CustomStringConvertible {
    /// How far it had come, which names whose fault it may be.
    package enum Stage: Sendable, Hashable {
        /// TCP did not connect.
        case connect
        /// TLS failed, a refused peer identity included.
        case tls
        /// A certificate is revoked, or it cannot be told whether it is.
        case revoked
        /// HTTP/2 failed after TLS was up.
        case http2
        /// Closed by us.
        case closed
    }

    package let stage: Stage
    package let reason: String

    package init(stage: Stage, reason: String) {
        self.stage = stage
        self.reason = reason
    }

    /// The reason, with the stage.
    package var description: String {
        switch stage {
        case .connect: "connect: \(reason)"
        case .tls: "TLS handshake: \(reason)"
        case .http2: "HTTP/2: \(reason)"
        case .revoked, .closed: reason
        }
    }
}
