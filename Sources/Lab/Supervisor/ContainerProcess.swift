internal import CLinux
internal import Glibc
internal import Reactor

/// A container of a pod: one process, started again as the pod's restart policy says.
final class ContainerProcess {
    /// What the container does now.
    enum State: Equatable {
        case created
        /// It has no command, so there is no process either.
        case pausing
        case running(Int32)
        case waiting(reason: String)
        case ended(exitCode: Int32)
    }

    private let command: Command
    private let policy: PodPlan.RestartPolicy
    private let log: LogFile
    private let loop: PollLoop
    private let children: Children
    private var backoff = Backoff()
    private var startedAt: UInt64 = 0
    private var isStopped = false
    /// Called once, when the container has ended for good.
    var whenEnded: () -> Void = {}

    private(set) var state = State.created
    private(set) var restarts = 0
    private(set) var lastExitCode: Int32?

    init(
        _ command: Command,
        policy: PodPlan.RestartPolicy,
        log: LogFile,
        loop: PollLoop,
        children: Children
    ) {
        self.command = command
        self.policy = policy
        self.log = log
        self.loop = loop
        self.children = children
    }

    /// The process, while it runs.
    var process: Int32? {
        if case .running(let process) = state { process } else { nil }
    }

    /// Starts the command; one that cannot start is tried again like one that ended.
    func start() {
        guard !isStopped else { return }
        guard !command.arguments.isEmpty else {
            state = .pausing
            whenEnded()
            return
        }
        startedAt = ambit_monotonic()
        var command = command
        command.output = log.descriptor.raw
        command.error = log.descriptor.raw
        do {
            let process = try children.spawn(command) { [weak self] exitCode in
                self?.ended(exitCode)
            }
            state = .running(process)
        } catch {
            log.note("ambit lab: cannot start the container: \(error)")
            startAgain(reason: "\(error)")
        }
    }

    /// Never starts again; the process itself is killed with its pod.
    func stop() {
        isStopped = true
    }

    private func ended(_ exitCode: Int32) {
        lastExitCode = exitCode
        let again =
            switch policy {
            case .always: true
            case .onFailure: exitCode != 0
            case .never: false
            }
        guard again, !isStopped else {
            state = .ended(exitCode: exitCode)
            if !isStopped { whenEnded() }
            return
        }
        startAgain(reason: "exit code \(exitCode)")
    }

    private func startAgain(reason: String) {
        state = .waiting(reason: reason)
        restarts += 1
        let delay = backoff.delay(afterRunning: ambit_monotonic() &- startedAt)
        loop.after(milliseconds: delay) { [weak self] in self?.start() }
    }
}
