internal import CLinux
internal import Glibc

/// A network namespace held open; entering it concerns only the calling thread.
package struct NetworkNamespace: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// Opens the namespace a path names, such as `/proc/42/ns/net`.
    package init(path: String) throws(SystemError) {
        let raw = try checked("open netns") { unsafe ambit_open(path, O_RDONLY, 0) }
        self.descriptor = Descriptor(owning: raw)
    }

    /// Takes an open descriptor of a namespace.
    package init(owning descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// The descriptor's number, valid while this value lives.
    package var raw: Int32 { descriptor.raw }

    /// What identifies the namespace while it lives: device and inode of its file.
    package var identity: Identity {
        get throws(SystemError) {
            var status = stat()
            try checked("fstat netns") { unsafe fstat(descriptor.raw, &status) }
            return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        }
    }

    /// Device and inode of a namespace file.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let inode: UInt64
    }

    /// Runs `body` on this thread inside the namespace and returns to the one it came from.
    ///
    /// Sockets made inside stay there for life. Failing to return is a bug of the process, which
    /// must not go on in a pod's namespace, so it traps. Nothing in `body` may suspend.
    package func run<T: ~Copyable>(
        _ body: () throws(SystemError) -> T
    ) throws(SystemError) -> T {
        try run(returningTo: try NetworkNamespace.current(), body)
    }

    /// The namespace the calling thread is in.
    package static func current() throws(SystemError) -> NetworkNamespace {
        let raw = try checked("open own netns") {
            unsafe ambit_open("/proc/thread-self/ns/net", O_RDONLY, 0)
        }
        return NetworkNamespace(owning: Descriptor(owning: raw))
    }

    /// The same for those who do it often and hold the namespace this thread is in.
    package func run<T: ~Copyable>(
        returningTo home: borrowing NetworkNamespace,
        _ body: () throws(SystemError) -> T
    ) throws(SystemError) -> T {
        try checked("setns") { ambit_setns(descriptor.raw, ambit_CLONE_NEWNET) }
        defer {
            let back = ambit_setns(home.raw, ambit_CLONE_NEWNET)
            precondition(back == 0, "cannot leave a pod's network namespace: errno \(errno)")
        }
        return try body()
    }
}
