internal import CLinux
internal import Glibc
internal import Reactor

/// The system calls of the lab that Reactor has no use for, each throwing what errno says.
enum Calls {
    /// Reads up to `room` bytes; nil when a non-blocking descriptor has none, empty at the end.
    static func read(_ fd: Int32, room: Int) throws(SystemError) -> [UInt8]? {
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            var got = -1
            repeat {
                got = unsafe Glibc.read(fd, buffer.baseAddress, room)
            } while got < 0 && errno == EINTR
            code = got < 0 ? errno : 0
            count = max(0, got)
        }
        if code == EAGAIN { return nil }
        guard code == 0 else { throw SystemError(call: "read", code: code) }
        return bytes
    }

    /// Writes what the descriptor takes now; 0 when a non-blocking one has no room.
    static func write(_ fd: Int32, _ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
        while true {
            let sent = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(fd, $0.baseAddress, $0.count)
            }
            if sent >= 0 { return sent }
            let code = errno
            if code == EINTR { continue }
            if code == EAGAIN { return 0 }
            throw SystemError(call: "write", code: code)
        }
    }

    /// Writes everything to a blocking descriptor.
    static func writeAll(_ fd: Int32, _ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = try write(fd, rest)
            guard sent > 0 else { throw SystemError(call: "write", code: EAGAIN) }
            rest = rest.dropFirst(sent)
        }
    }

    /// Sends bytes with descriptors attached to the first; 0 when there is no room now.
    static func send(
        _ fd: Int32,
        _ bytes: ArraySlice<UInt8>,
        descriptors: [Int32] = []
    ) throws(SystemError) -> Int {
        while true {
            let sent = unsafe bytes.withUnsafeBytes {
                unsafe ambit_send_fds(
                    fd,
                    $0.baseAddress,
                    $0.count,
                    descriptors,
                    Int32(descriptors.count)
                )
            }
            if sent >= 0 { return sent }
            let code = errno
            if code == EINTR { continue }
            if code == EAGAIN { return 0 }
            throw SystemError(call: "sendmsg", code: code)
        }
    }

    /// Receives bytes and descriptors; nil when none wait, empty bytes at the end.
    static func receive(
        _ fd: Int32,
        room: Int
    ) throws(SystemError) -> (bytes: [UInt8], descriptors: [Int32])? {
        var descriptors = [Int32](repeating: -1, count: 16)
        var count: Int32 = 16
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
            var got = -1
            repeat {
                count = 16
                got = unsafe ambit_recv_fds(fd, buffer.baseAddress, room, &descriptors, &count)
            } while got < 0 && errno == EINTR
            code = got < 0 ? errno : 0
            filled = max(0, got)
        }
        if code == EAGAIN { return nil }
        guard code == 0 else { throw SystemError(call: "recvmsg", code: code) }
        return (bytes, Array(descriptors.prefix(Int(count))))
    }

    /// Opens a path, close-on-exec.
    static func open(
        _ path: String,
        _ flags: Int32,
        mode: UInt32 = 0
    ) throws(SystemError) -> Descriptor {
        let raw = unsafe ambit_open(path, flags, mode)
        guard raw >= 0 else { throw SystemError(call: "open \(path)", code: errno) }
        return Descriptor(owning: raw)
    }

    /// A second descriptor of the same open file, close-on-exec.
    static func duplicate(_ fd: Int32) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("dup") { fcntl(fd, F_DUPFD_CLOEXEC, 3) })
    }

    /// Makes a descriptor non-blocking.
    static func makeNonBlocking(_ fd: Int32) throws(SystemError) {
        let flags = try checked("fcntl") { fcntl(fd, F_GETFL) }
        try checked("fcntl") { fcntl(fd, F_SETFL, flags | O_NONBLOCK) }
    }

    /// Mounts; an empty `type` or `data` is none.
    static func mount(
        _ source: String,
        on target: String,
        type: String = "",
        flags: UInt64,
        data: String = ""
    ) throws(SystemError) {
        let result = unsafe ambit_mount(
            source,
            target,
            type.isEmpty ? nil : type,
            flags,
            data.isEmpty ? nil : data
        )
        guard result == 0 else { throw SystemError(call: "mount \(target)", code: errno) }
    }

    /// Makes a directory unless it is there.
    static func makeDirectory(_ path: String) throws(SystemError) {
        if unsafe mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        throw SystemError(call: "mkdir \(path)", code: errno)
    }

    /// Removes a file, which may be gone already.
    static func removeFile(_ path: String) {
        _ = unsafe unlink(path)
    }

    /// Replaces a file's content in one step, so that a reader sees the old or the new.
    static func replaceFile(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let fresh = path + ".new"
        let file = try open(fresh, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try writeAll(file.raw, bytes)
        guard unsafe rename(fresh, path) == 0 else {
            throw SystemError(call: "rename \(path)", code: errno)
        }
    }

    /// Writes a value to a file of /proc/sys.
    static func setParameter(_ path: String, _ value: String) throws(SystemError) {
        let file = try open(path, O_WRONLY)
        try writeAll(file.raw, Array(value.utf8))
    }

    /// Sends a signal; a process that is gone is no error.
    ///
    /// A negative id names a process group.
    static func signal(_ process: Int32, _ number: Int32) {
        _ = kill(process, number)
    }

    /// What identifies the file a path names; nil when there is none.
    static func identity(of path: String) -> FileIdentity? {
        var identity = FileIdentity(device: 0, inode: 0)
        let result = unsafe ambit_file_identity(path, &identity.device, &identity.inode)
        return result == 0 ? identity : nil
    }
}

/// Device and inode of a file.
struct FileIdentity: Hashable {
    var device: UInt64
    var inode: UInt64
}
