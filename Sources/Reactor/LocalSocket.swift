internal import CLinux
internal import Glibc

/// A listening Unix stream socket at a path; blocking, for threads outside the workers.
package struct LocalListener: ~Copyable, Sendable {
    private let descriptor: Descriptor
    /// Where it listens.
    package let path: String

    /// Listens at a path, in place of a socket left there; only this user may connect.
    package init(path: String) throws(SystemError) {
        let made = try LocalAddress.makeSocket()
        unsafe unlink(path)
        try unsafe LocalAddress.call("bind \(path)", path) { address, length in
            unsafe bind(made.raw, address, length)
        }
        try checked("chmod") { unsafe chmod(path, 0o600) }
        try checked("listen") { listen(made.raw, 128) }
        self.descriptor = made
        self.path = path
    }

    /// Listens at a path that others use already, and takes it over in one step.
    ///
    /// Who connects reaches the old listener or this one, never nobody: the socket is made beside
    /// the path and renamed to it. The old listener keeps what it accepted. The folder must exist.
    package init(takingOver path: String) throws(SystemError) {
        let made = try LocalAddress.makeSocket()
        let fresh = "\(path).\(getpid())"
        unsafe unlink(fresh)
        try unsafe LocalAddress.call("bind \(fresh)", fresh) { address, length in
            unsafe bind(made.raw, address, length)
        }
        do throws(SystemError) {
            try checked("chmod") { unsafe chmod(fresh, 0o600) }
            try checked("listen") { listen(made.raw, 128) }
            try checked("rename") { unsafe rename(fresh, path) }
        } catch {
            unsafe unlink(fresh)
            throw error
        }
        self.descriptor = made
        self.path = path
    }

    /// Waits for a client; its reads and writes give up after the time given.
    package func accept(timeoutMilliseconds: Int) throws(SystemError) -> LocalStream {
        let raw = try checked("accept") { Glibc.accept(descriptor.raw, nil, nil) }
        let taken = Descriptor(owning: raw)
        try LocalAddress.setTimeouts(taken.raw, milliseconds: timeoutMilliseconds)
        return LocalStream(owning: taken)
    }

    /// Makes every `accept`, running or to come, fail; callable from another thread.
    package func interrupt() {
        shutdown(descriptor.raw, Int32(SHUT_RDWR))
    }
}

/// One end of a Unix stream connection; blocking, with a timeout on every read and write.
package struct LocalStream: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// Takes a connection that `LocalListener` accepted or `release` gave away.
    package init(owning descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Gives the descriptor to a new owner, who must close it.
    package consuming func release() -> Int32 {
        descriptor.release()
    }

    /// Connects to a path.
    package init(path: String, timeoutMilliseconds: Int) throws(SystemError) {
        let made = try LocalAddress.makeSocket()
        try LocalAddress.setTimeouts(made.raw, milliseconds: timeoutMilliseconds)
        try unsafe LocalAddress.call("connect \(path)", path) { address, length in
            unsafe connect(made.raw, address, length)
        }
        self.descriptor = made
    }

    /// Sends everything or throws.
    package func send(_ bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try checked("send") {
                unsafe bytes.withUnsafeBytes { all in
                    unsafe Glibc.send(
                        descriptor.raw,
                        all.baseAddress?.advanced(by: sent),
                        all.count - sent,
                        Int32(truncatingIfNeeded: MSG_NOSIGNAL)
                    )
                }
            }
        }
    }

    /// Receives exactly `count` bytes; an end before that is ECONNRESET.
    package func receive(count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = try checked("recv") {
                unsafe bytes.withUnsafeMutableBytes { all in
                    unsafe recv(
                        descriptor.raw,
                        all.baseAddress?.advanced(by: got),
                        all.count - got,
                        0
                    )
                }
            }
            guard more > 0 else { throw SystemError(call: "recv", code: ECONNRESET) }
            got += more
        }
        return bytes
    }
}

enum LocalAddress {
    static func makeSocket(
        _ kind: Int32 = ambit_SOCK_STREAM
    ) throws(SystemError) -> Descriptor {
        let raw = try checked("socket") {
            socket(AF_UNIX, kind | ambit_SOCK_CLOEXEC, 0)
        }
        return Descriptor(owning: raw)
    }

    /// Makes every blocking call on the socket give up after a time.
    static func setTimeouts(_ socket: Int32, milliseconds: Int) throws(SystemError) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        let length = socklen_t(MemoryLayout<timeval>.size)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try checked("setsockopt") {
                unsafe setsockopt(socket, SOL_SOCKET, option, &limit, length)
            }
        }
    }

    /// Calls with a `sockaddr_un` of the path; a path too long for one is ENAMETOOLONG.
    static func call(
        _ name: String,
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        var address = sockaddr_un()
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            unsafe room.copyBytes(from: path.utf8)
            return true
        }
        guard fits, !path.isEmpty, !path.utf8.contains(0) else {
            throw SystemError(call: name, code: ENAMETOOLONG)
        }
        address.sun_family = sa_family_t(AF_UNIX)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe body(generic, length)
            }
        }
        guard result == 0 else { throw SystemError(call: name, code: errno) }
    }
}
