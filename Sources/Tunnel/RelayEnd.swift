/// How a relayed connection ended.
package enum RelayEnd: Sendable, Hashable {
    /// Both sides finished writing.
    case finished
    /// The application's socket was reset or failed; the errno it left.
    case resetBySocket(Int32)
    /// The other end of the tunnel reset the stream; the HTTP/2 code it gave.
    case resetByPeer(UInt32)
    /// The tunnel went away under the stream.
    case tunnelLost(String)
    /// The tunnel was closed because a certificate was revoked.
    case revoked(String)
    /// We ended it: a policy, a departed workload, a drain deadline.
    case closed(String)
}

/// Whoever accounts for one relayed connection; called on the connection's loop.
package protocol RelayObserver: AnyObject {
    /// Bytes were delivered to the socket or taken from it.
    func relayed(toSocket: Int, fromSocket: Int)
    /// The relay is over; called exactly once.
    func relayEnded(_ end: RelayEnd)
}
