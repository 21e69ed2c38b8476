internal import Glibc
internal import Reactor

/// A sysctl of a network namespace, by its path below `/proc/sys`.
///
/// `/proc/sys/net` shows the namespace of the thread that opens the file, so these calls stand
/// inside `NetworkNamespace.run`.
struct KernelSetting: Hashable {
    let path: String
    /// The value capture needs.
    let wanted: String
    /// Whether a kernel without it will do.
    let isOptional: Bool

    /// Sockets accepted from a marked packet take its mark: answers to a delivery come back to us.
    static let acceptMark = KernelSetting(
        path: "net/ipv4/tcp_fwmark_accept",
        wanted: "1",
        isOptional: false
    )
    /// Resets and ICMP errors without a socket take the mark of what they answer.
    static let reflectMark = KernelSetting(
        path: "net/ipv4/fwmark_reflect",
        wanted: "1",
        isOptional: false
    )
    /// The same for IPv6.
    static let reflectMark6 = KernelSetting(
        path: "net/ipv6/fwmark_reflect",
        wanted: "1",
        isOptional: true
    )
    /// Connections waiting at a closing listener move to another one of its group.
    ///
    /// It makes the hand-over between two processes lossless. Linux 5.14.
    static let migrateRequests = KernelSetting(
        path: "net/ipv4/tcp_migrate_req",
        wanted: "1",
        isOptional: true
    )

    /// What capture sets, in the order of the memory text.
    static let all = [acceptMark, reflectMark, reflectMark6, migrateRequests]

    // A container that is not privileged has a read-only /proc/sys; deploy/base/node.yaml mounts
    // the host's /proc/sys/net at the second place.
    private static let roots = ["/proc/sys/", "/host/proc/sys/"]

    /// The value in force; nil when the kernel has no such setting.
    func read() throws(CaptureError) -> String? {
        guard let file = try open(O_RDONLY) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try call("read") { unsafe Glibc.read(file.raw, &bytes, bytes.count) }
        return String(decoding: bytes.prefix(count).prefix { $0 > 0x20 }, as: UTF8.self)
    }

    /// Sets a value, unless it is in force already; a missing optional setting is passed over.
    func write(_ value: String) throws(CaptureError) {
        guard let current = try read() else {
            if isOptional { return }
            throw .system("sysctl \(path)", SystemError(call: "open", code: ENOENT))
        }
        guard current != value, let file = try open(O_WRONLY) else { return }
        let bytes = Array(value.utf8)
        try call("write") { unsafe Glibc.write(file.raw, bytes, bytes.count) }
    }

    private func open(_ mode: Int32) throws(CaptureError) -> Descriptor? {
        var code: Int32 = 0
        for root in Self.roots {
            let raw = unsafe Glibc.open(root + path, mode | O_CLOEXEC)
            if raw >= 0 { return Descriptor(owning: raw) }
            // What a root says that is not there at all tells nothing.
            if code == 0 { code = errno }
            guard code == EROFS else { break }
        }
        if code == ENOENT { return nil }
        throw .system("sysctl \(path)", SystemError(call: "open", code: code))
    }

    @discardableResult
    private func call(_ name: StaticString, _ body: () -> Int) throws(CaptureError) -> Int {
        do throws(SystemError) {
            return try checked(name, body)
        } catch {
            throw .system("sysctl \(path)", error)
        }
    }
}
