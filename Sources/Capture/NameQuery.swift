internal import CNetfilter
internal import Glibc
package import Mesh
package import Reactor

/// A name query of the pod as a datagram: who asked, and which nameserver.
package struct NameQuery: Sendable, Hashable {
    /// The socket in the pod that wants the answer.
    package let source: SocketAddress
    /// The nameserver it was sent to, which the answer must come from.
    package let nameserver: SocketAddress
    /// Bytes of the message in the caller's buffer.
    package let length: Int

    /// What a look at the listener found.
    package enum Received: Sendable, Hashable {
        case query(NameQuery)
        /// A datagram without usable addresses, or longer than the buffer: nothing to answer.
        case unusable
        case wouldBlock
        case failed(Int32)
    }

    /// Takes one datagram from `PodListeners.dnsUDP` into the start of `buffer`; does not block.
    package static func receive(from listener: Int32, into buffer: inout [UInt8]) -> Received {
        var source = sockaddr_storage()
        var original = sockaddr_storage()
        let count = unsafe ambit_receive_redirected(
            listener,
            &buffer,
            buffer.count,
            &source,
            &original
        )
        guard count >= 0 else {
            let code = errno
            return code == EAGAIN || code == EINTR ? .wouldBlock : .failed(code)
        }
        guard count <= buffer.count, let from = socketAddress(source),
            let to = socketAddress(original)
        else { return .unusable }
        return .query(NameQuery(source: from, nameserver: to, length: count))
    }

    /// Sends the answer from a socket of `PodSocket.nameReply` for the same nameserver.
    ///
    /// A full send buffer drops it, as the network might: the pod asks again.
    @discardableResult
    package func reply(_ answer: [UInt8], from socket: Int32) -> Transfer {
        let address = PodSocket.kernelAddress(source)
        let flags = Int32(truncatingIfNeeded: MSG_NOSIGNAL)
        let count = unsafe address.withPointer { pointer, length in
            unsafe sendto(socket, answer, answer.count, flags, pointer, length)
        }
        guard count < 0 else { return .bytes(count) }
        let code = errno
        return code == EAGAIN || code == EINTR ? .wouldBlock : .failed(code)
    }

    private static func socketAddress(_ storage: sockaddr_storage) -> SocketAddress? {
        unsafe withUnsafeBytes(of: storage) { raw in
            let port = unsafe UInt16(
                bigEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            )
            switch Int32(storage.ss_family) {
            case AF_INET:
                return unsafe IPAddress(bytes: raw[4..<8]).map { SocketAddress($0, port) }
            case AF_INET6:
                return unsafe IPAddress(bytes: raw[8..<24]).map { SocketAddress($0, port) }
            default: return nil
            }
        }
    }
}
