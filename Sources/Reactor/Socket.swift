package import CLinux
internal import Glibc

/// What a non-blocking transfer came to; would-block and end of file are outcomes, not errors.
package enum Transfer: Equatable, Sendable {
    case bytes(Int)
    case wouldBlock
    case endOfFile
    case failed(Int32)
}

/// Calls on non-blocking sockets by descriptor number; the caller owns the descriptor.
package enum Socket {
    /// What an attempt to take a connection came to.
    package enum Accepted {
        case connection(Int32)
        case wouldBlock
        /// The client was gone before it was taken.
        case aborted
        /// Descriptors or memory ran out (EMFILE, ENFILE, ENOBUFS, ENOMEM).
        case exhausted(Int32)
        case failed(Int32)
    }

    /// Takes one connection, non-blocking and closed on exec.
    ///
    /// It has the options of its listener, TCP_NODELAY and keep-alive among them: set them there,
    /// once, instead of on every connection.
    package static func accept(_ listener: Int32) -> Accepted {
        let descriptor = ambit_accept4(listener, nil, nil)
        if descriptor >= 0 { return .connection(descriptor) }
        switch errno {
        case EAGAIN: return .wouldBlock
        case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
            ENETUNREACH, EPERM:
            return .aborted
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(errno)
        default: return .failed(errno)
        }
    }

    /// Reads once into the buffer.
    package static func read(_ socket: Int32, _ into: UnsafeMutableRawBufferPointer) -> Transfer {
        let count = unsafe recv(socket, into.baseAddress, into.count, 0)
        return outcome(count, endOfFileAtZero: true)
    }

    /// Reads once into several buffers.
    package static func read(
        _ socket: Int32,
        _ parts: UnsafeMutablePointer<iovec>,
        count: Int
    ) -> Transfer {
        outcome(unsafe readv(socket, parts, Int32(count)), endOfFileAtZero: true)
    }

    /// Writes once from the buffer; never raises SIGPIPE.
    package static func write(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        let flags = Int32(truncatingIfNeeded: MSG_NOSIGNAL)
        let count = unsafe send(socket, bytes.baseAddress, bytes.count, flags)
        return outcome(count, endOfFileAtZero: false)
    }

    /// Writes once from several buffers; never raises SIGPIPE.
    package static func write(
        _ socket: Int32,
        _ parts: UnsafeMutablePointer<iovec>,
        count: Int
    ) -> Transfer {
        var message = unsafe msghdr()
        unsafe message.msg_iov = parts
        unsafe message.msg_iovlen = count
        let sent = unsafe sendmsg(socket, &message, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
        return outcome(sent, endOfFileAtZero: false)
    }

    /// Moves bytes between a pipe and a socket inside the kernel, at most `count`.
    package static func splice(from: Int32, to: Int32, count: Int) -> Transfer {
        let flags = ambit_SPLICE_F_MOVE | ambit_SPLICE_F_NONBLOCK
        return outcome(ambit_splice(from, to, count, flags), endOfFileAtZero: true)
    }

    private static func outcome(_ count: Int, endOfFileAtZero: Bool) -> Transfer {
        if count > 0 { return .bytes(count) }
        if count == 0 { return endOfFileAtZero ? .endOfFile : .bytes(0) }
        let code = errno
        return code == EAGAIN || code == EINTR ? .wouldBlock : .failed(code)
    }

    /// Ends our writing: FIN after what was sent.
    package static func finishWriting(_ socket: Int32) {
        _ = shutdown(socket, Int32(SHUT_WR))
    }

    /// Makes the close of this socket a reset: RST at once, unsent bytes dropped.
    package static func resetOnClose(_ socket: Int32) {
        var value = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        _ = unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, size)
    }

    /// Takes the pending error of a socket, 0 when there is none.
    package static func takeError(_ socket: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
        return result == 0 ? code : errno
    }

    /// Sends small writes at once.
    package static func setNoDelay(_ socket: Int32) {
        set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Probes a silent peer: first after `idle` seconds, then each `interval`, `count` times.
    package static func setKeepAlive(
        _ socket: Int32,
        idle: Int32,
        interval: Int32,
        count: Int32
    ) {
        set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, idle)
        set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, interval)
        set(socket, Int32(IPPROTO_TCP), TCP_KEEPCNT, count)
    }

    private static func set(_ socket: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(socket, level, name, &value, size)
    }

    /// Makes a non-blocking pipe.
    package static func makePipe() throws(SystemError) -> Pipe {
        var ends: [Int32] = [-1, -1]
        try checked("pipe2") { unsafe ambit_pipe2(&ends) }
        return Pipe(read: Descriptor(owning: ends[0]), write: Descriptor(owning: ends[1]))
    }

    /// Sets how many bytes a pipe holds; the kernel may refuse, then it keeps what it has.
    package static func setPipeCapacity(_ pipe: Int32, bytes: Int32) {
        _ = ambit_pipe_size(pipe, bytes)
    }
}

/// Both ends of a pipe.
package struct Pipe: ~Copyable {
    package let read: Descriptor
    package let write: Descriptor
}
