internal import CLinux
internal import Glibc
internal import Reactor

/// The processes of the lab, reaped by the supervisor, which is their init.
final class Children {
    private var handlers: [Int32: (_ exitCode: Int32) -> Void] = [:]

    /// Starts a command; the handler is called from the loop when it has ended.
    func spawn(
        _ command: Command,
        whenEnded handler: @escaping (_ exitCode: Int32) -> Void
    ) throws(SystemError) -> Int32 {
        let process = try command.spawn()
        handlers[process] = handler
        return process
    }

    /// Whether a process of ours has not been reaped.
    func isRunning(_ process: Int32) -> Bool { handlers[process] != nil }

    /// Takes back all that have ended, orphans of pods included.
    func reap() {
        var exitCode: Int32 = 0
        while true {
            let process = unsafe ambit_reap(&exitCode)
            guard process > 0 else { return }
            handlers.removeValue(forKey: process)?(exitCode)
        }
    }
}
