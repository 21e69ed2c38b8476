package import Reactor

extension NameQuery {
    /// Takes one datagram into an array, which keeps its length; does not block.
    package static func receive(from listener: Int32, into bytes: inout [UInt8]) -> Received {
        unsafe bytes.withUnsafeMutableBytes { unsafe receive(from: listener, into: $0) }
    }

    /// Sends the answer from a socket of `PodSocket.nameReply` for the same nameserver.
    @discardableResult
    package func reply(_ answer: [UInt8], from socket: Int32) -> Transfer {
        unsafe answer.withUnsafeBytes { unsafe reply($0, from: socket) }
    }
}
