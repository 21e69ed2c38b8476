internal import CLinux
internal import Foundation
internal import Glibc
internal import Reactor

/// How a process becomes the init of a lab: namespaces, mounts, then the loop.
package enum SupervisorStart {
    /// What the supervisor says on its standard output when it is up.
    static let upMessage = "up"

    /// Takes the lab's name, leaves the host's namespaces, and serves until the lab ends.
    ///
    /// Must be called first thing, while the process has one thread: it forks. Standard output is
    /// read by whoever started the supervisor: `up`, or what went wrong.
    ///
    /// - Returns: The process's exit code; in the first process, once the second is on its way.
    package static func run(_ options: SupervisorOptions) -> Int32 {
        let listener: Descriptor
        do throws(SystemError) {
            listener = try ControlSocket.bind(lab: options.name)
        } catch {
            return refuse(error, options)
        }
        let namespaces =
            ambit_CLONE_NEWNS | ambit_CLONE_NEWNET | ambit_CLONE_NEWPID | ambit_CLONE_NEWUTS
        guard ambit_unshare(namespaces) == 0 else {
            return refuse(SystemError(call: "unshare", code: errno), options)
        }
        // Only a child is in the new PID namespace: its first process, whose end ends all others.
        let child = ambit_fork()
        guard child == 0 else { return child > 0 ? 0 : LabError.Kind.failed.rawValue }
        return serve(options, listener)
    }

    private static func serve(
        _ options: SupervisorOptions,
        _ listener: consuming Descriptor
    ) -> Int32 {
        let supervisor: Supervisor
        do {
            setsid()
            try mountOwnFiles()
            _ = ambit_raise_open_files()
            // From here a client can connect; it is answered when the loop runs.
            try checked("listen") { listen(listener.raw, 64) }
            supervisor = try Supervisor(options, listener: listener)
            try report(upMessage)
            try leaveStandardDescriptors()
        } catch let error as LabError {
            try? report(error.message)
            return error.kind.rawValue
        } catch {
            try? report("cannot start lab \(options.name): \(error)")
            return LabError.Kind.failed.rawValue
        }
        supervisor.run()
        return 0
    }

    private static func refuse(_ error: SystemError, _ options: SupervisorOptions) -> Int32 {
        let isTaken = error.code == EADDRINUSE
        let text =
            isTaken
            ? "a lab named \(options.name) is up already (end it with: ambit lab down)"
            : "cannot start lab \(options.name): \(error)"
        try? report(text)
        return (isTaken ? LabError.Kind.exists : .failed).rawValue
    }

    private static func report(_ text: String) throws(SystemError) {
        try Calls.writeAll(STDOUT_FILENO, Array(text.utf8))
    }

    // A tmpfs over /dev/shm, of this mount namespace only: it goes with the last process in it.
    private static func mountOwnFiles() throws(SystemError) {
        try Calls.mount("none", on: "/", flags: ambit_MS_REC | ambit_MS_PRIVATE)
        let plain = ambit_MS_NOSUID | ambit_MS_NODEV
        try Calls.mount("proc", on: "/proc", type: "proc", flags: plain | ambit_MS_NOEXEC)
        try Calls.mount(
            "ambit-lab",
            on: LabPaths.mountPoint,
            type: "tmpfs",
            flags: plain,
            data: "mode=0755,size=256m"
        )
        for directory in [
            LabPaths.root, LabPaths.namespaces, LabPaths.pods, LabPaths.nodes, LabPaths.logs,
            LabPaths.objects, LabPaths.authority, LabPaths.revocations,
        ] {
            try Calls.makeDirectory(directory)
        }
        try Calls.mount(
            "ambit-lab-logs",
            on: LabPaths.logs,
            type: "tmpfs",
            flags: plain,
            data: "mode=0755,size=1g"
        )
        _ = unsafe chdir("/")
    }

    private static func leaveStandardDescriptors() throws(SystemError) {
        let log = try LogFile(LabPaths.supervisorLog)
        let null = try Calls.open("/dev/null", O_RDWR)
        try checked("dup2") { dup2(null.raw, STDIN_FILENO) }
        try checked("dup2") { dup2(log.descriptor.raw, STDOUT_FILENO) }
        try checked("dup2") { dup2(log.descriptor.raw, STDERR_FILENO) }
    }
}
