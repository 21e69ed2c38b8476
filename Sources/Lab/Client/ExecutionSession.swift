internal import Glibc
internal import Reactor

/// A command that runs in a pod with this process's own input and output.
package enum ExecutionSession {
    /// Runs it to its end; its exit code.
    ///
    /// Signals that would end this process go to the command instead, and the command is killed
    /// when this process ends all the same.
    package static func run(
        _ execution: Execution,
        over client: ControlClient
    ) throws(LabError) -> Int32 {
        let signals: SignalQueue
        do throws(SystemError) {
            signals = try SignalQueue([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2])
        } catch {
            throw LabError("cannot wait for signals", error)
        }
        try client.send(
            .execute(execution),
            descriptors: [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        )
        var reply = try client.receive()
        while reply.exitCode == nil {
            if client.hasReply {
                reply = try client.receive()
                continue
            }
            _ = waitToRead([client.raw, signals.raw], milliseconds: -1)
            while let number = signals.next() { try client.send(.signal(number)) }
            if waitToRead([client.raw], milliseconds: 0) { reply = try client.receive() }
        }
        return reply.exitCode ?? LabError.Kind.failed.rawValue
    }
}
