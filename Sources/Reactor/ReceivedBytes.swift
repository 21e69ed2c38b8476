internal import CLinux
internal import Glibc

/// What one receive on a Unix socket brought: bytes, and the descriptors that came with them.
package struct ReceivedBytes: ~Copyable, Sendable {
    /// Empty when the other end closed.
    package let bytes: [UInt8]
    /// The first descriptor that came along; further ones are closed.
    package private(set) var descriptor: Descriptor?
    /// How many came along, closed ones included; at most two are told apart.
    package let descriptorCount: Int

    /// Takes the descriptor out; nil when none came or it was taken.
    package mutating func takeDescriptor() -> Descriptor? { descriptor.take() }

    /// Receives at most `room` bytes; a message that does not fit is EMSGSIZE.
    init(from socket: Int32, room: Int) throws(SystemError) {
        var bytes = [UInt8](repeating: 0, count: room)
        var held: [Int32] = [-1, -1]
        var count: Int32 = 2
        let got = try checked("recvmsg") {
            count = 2
            return unsafe ambit_recv_fds(socket, &bytes, room, &held, &count)
        }
        if count > 1 { _ = Descriptor(owning: held[1]) }
        descriptor = count > 0 ? Descriptor(owning: held[0]) : nil
        descriptorCount = Int(count)
        bytes.removeSubrange(got...)
        self.bytes = bytes
    }
}

extension LocalStream {
    /// Sends everything, a descriptor with the first byte; the caller keeps its own.
    package func send(_ bytes: [UInt8], attaching attached: Int32) throws(SystemError) {
        let socket = descriptor.raw
        let sent = try checked("sendmsg") {
            unsafe ambit_send_fds(socket, bytes, bytes.count, [attached], 1)
        }
        if sent < bytes.count { try send(Array(bytes[sent...])) }
    }

    /// Receives at least one byte and at most `room`, with a descriptor if one comes along.
    package func receiveAny(room: Int) throws(SystemError) -> ReceivedBytes {
        try ReceivedBytes(from: descriptor.raw, room: room)
    }
}

/// A Unix socket of packets (SOCK_SEQPACKET): each send is one receive; blocking.
package struct LocalPackets: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// Takes a connected socket.
    package init(owning descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Connects to a path; a send that takes longer than the timeout is EAGAIN.
    package init(path: String, sendTimeoutMilliseconds: Int) throws(SystemError) {
        let made = try LocalAddress.makeSocket(ambit_SOCK_SEQPACKET)
        var limit = timeval(
            tv_sec: sendTimeoutMilliseconds / 1000,
            tv_usec: sendTimeoutMilliseconds % 1000 * 1000
        )
        let length = socklen_t(MemoryLayout<timeval>.size)
        try checked("setsockopt") {
            unsafe setsockopt(made.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, length)
        }
        try unsafe LocalAddress.call("connect \(path)", path) { address, length in
            unsafe connect(made.raw, address, length)
        }
        descriptor = made
    }

    /// Sends one packet.
    package func send(_ bytes: [UInt8]) throws(SystemError) {
        let socket = descriptor.raw
        try checked("send") { unsafe ambit_send_fds(socket, bytes, bytes.count, [], 0) }
    }

    /// Waits for one packet of at most `room` bytes; empty at the end.
    package func receive(room: Int) throws(SystemError) -> ReceivedBytes {
        try ReceivedBytes(from: descriptor.raw, room: room)
    }

    /// Ends the connection: a receive that waits returns; callable from another thread.
    package func interrupt() {
        shutdown(descriptor.raw, Int32(SHUT_RDWR))
    }
}
