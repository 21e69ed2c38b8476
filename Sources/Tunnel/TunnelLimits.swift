/// The bounds of one HBONE connection (DESIGN.md §5); times in milliseconds.
package struct TunnelLimits: Sendable, Equatable {
    /// TCP connect to the peer.
    package var connectMilliseconds: UInt64 = 10_000
    /// TLS and the first SETTINGS.
    package var handshakeMilliseconds: UInt64 = 10_000
    /// Streams on one pooled connection.
    package var streamsMax: Int = 100
    /// An unused pooled connection closes after this.
    package var idleMilliseconds: UInt64 = 300_000
    /// One that a burst needed beside another with room closes after this.
    package var spareIdleMilliseconds: UInt64 = 20_000
    /// A PING goes out after this much silence.
    package var pingIntervalMilliseconds: UInt64 = 10_000
    /// Silence after a PING that ends the connection.
    package var pingTimeoutMilliseconds: UInt64 = 20_000
    /// Bytes read from streams in one turn before other connections get theirs.
    package var turnBytesMax: Int = 1 << 20

    /// The limits of DESIGN.md §5.
    package init() {}
}
