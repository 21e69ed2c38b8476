/// What came out of the bytes a peer sent.
package enum HTTP2Event: Sendable, Equatable {
    /// A request (server) or the final response (client).
    case headers(stream: UInt32, HeaderFields, endStream: Bool)
    /// An informational response (1xx); the final one follows. Client only.
    case informational(stream: UInt32, HeaderFields)
    /// Payload: a range of the bytes given to `next`. Count it with `released` when it is consumed.
    ///
    /// The range is empty where the stream ends without more payload.
    case data(stream: UInt32, Range<Int>, endStream: Bool)
    /// Trailers; the peer's half has ended. On CONNECT streams they come as an empty `data`.
    case trailers(stream: UInt32, HeaderFields)
    /// The stream is over and forgotten.
    ///
    /// `byPeer` is false when the machine reset it because the peer broke a rule, or when a GOAWAY
    /// of the peer left the stream out (code `refusedStream`: it may be retried elsewhere).
    case reset(stream: UInt32, HTTP2ErrorCode, byPeer: Bool)
    /// Sending may go on: the stream's window grew, or that of all streams (`stream` 0).
    case writable(stream: UInt32)
    /// The peer's settings took effect: `peerStreamsMax` and `payloadBytesMax` may differ.
    case settings
    /// The peer takes no streams above `lastStream`; those end with `reset` events that follow.
    case goAway(lastStream: UInt32, HTTP2ErrorCode)
    /// The answer to `ping` with that payload.
    case pong(UInt64)
    /// The connection is lost: its GOAWAY is queued; flush and close.
    case failed(HTTP2Failure)
}
