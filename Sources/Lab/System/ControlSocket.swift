internal import CLinux
internal import Glibc
internal import Reactor

/// The lab's control socket: a name in the host's network namespace, nothing on disk.
///
/// The kernel forgets it with the process that holds it, however that ends.
enum ControlSocket {
    /// The abstract name of a lab's socket.
    static func name(of lab: String) -> String { "ambit-lab-\(lab)" }

    /// Takes the lab's name in the calling thread's network namespace; it does not listen yet.
    static func bind(lab: String) throws(SystemError) -> Descriptor {
        let raw = try checked("bind control socket") {
            unsafe ambit_abstract_bind(name(of: lab))
        }
        return Descriptor(owning: raw)
    }

    /// Connects to a lab's supervisor, blocking.
    static func connect(lab: String) throws(SystemError) -> Descriptor {
        let raw = try checked("connect to control socket") {
            unsafe ambit_abstract_connect(name(of: lab))
        }
        return Descriptor(owning: raw)
    }

    /// Accepts one connection, non-blocking; nil when none waits.
    static func accept(_ listener: Int32) -> Descriptor? {
        let raw = ambit_accept4(listener, nil, nil)
        return raw >= 0 ? Descriptor(owning: raw) : nil
    }

    /// The process and user at the other end of a connected Unix socket.
    static func peer(of socket: Int32) throws(SystemError) -> (process: Int32, user: UInt32) {
        var process: Int32 = 0
        var user: UInt32 = 0
        try checked("SO_PEERCRED") { unsafe ambit_peer(socket, &process, &user) }
        return (process, user)
    }
}
