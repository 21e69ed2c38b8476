internal import CLinux
internal import Glibc
internal import Reactor

/// The `ambit-node` of a node: usually one process, two while one hands over to the next.
final class NodeProxy {
    let name: String
    let log: LogFile
    private let command: Command
    private let loop: PollLoop
    private let children: Children
    private var backoff = Backoff()
    private var startedAt: UInt64 = 0
    /// Whether the node should have a proxy; false after a stop.
    private var isWanted = false
    /// Whether the proxy that ends next was asked to, and another is to follow at once.
    private var isRestarting = false

    /// Its processes, oldest first.
    private(set) var processes: [Int32] = []
    /// Whether it was ever started.
    private(set) var wasStarted = false
    /// How often it was started again after it ended by itself.
    private(set) var restarts = 0

    init(
        _ name: String,
        command: Command,
        loop: PollLoop,
        children: Children
    ) throws(SystemError) {
        self.name = name
        self.command = command
        self.loop = loop
        self.children = children
        log = try LogFile(LabPaths.log(ofNode: name))
    }

    /// What `lab ps` calls its state.
    var stateName: String {
        switch (processes.isEmpty, isWanted) {
        case (false, true): "Running"
        case (false, false): "Stopping"
        case (true, true): "Restarting"
        case (true, false): "Stopped"
        }
    }

    /// Carries out an action other than on the network; the process it started, if any.
    func perform(_ action: NodeAction) throws(LabError) -> Int32? {
        switch action {
        case .start:
            // One that was told to end may drain for long beside the new one.
            let isStopped = !isWanted
            isWanted = true
            return processes.isEmpty || isStopped ? try startProcess() : nil
        case .stop(let signal):
            isWanted = false
            signalAll(signal)
        case .restart(let signal):
            isWanted = true
            if processes.isEmpty { return try startProcess() }
            isRestarting = true
            signalAll(signal)
        case .startNext:
            isWanted = true
            return try startProcess()
        case .retirePrevious:
            for process in processes.dropLast() { Calls.signal(process, SIGTERM) }
        case .cut, .mend:
            break
        }
        return nil
    }

    /// Ends it for good.
    func remove() {
        isWanted = false
        signalAll(SIGKILL)
        log.remove()
    }

    private func signalAll(_ signal: Int32) {
        for process in processes { Calls.signal(process, signal) }
    }

    @discardableResult
    private func startProcess() throws(LabError) -> Int32 {
        wasStarted = true
        startedAt = ambit_monotonic()
        var command = command
        command.output = log.descriptor.raw
        command.error = log.descriptor.raw
        do {
            let process = try children.spawn(command) { [weak self] exitCode in
                self?.ended(exitCode)
            }
            processes.append(process)
            log.note("ambit lab: started ambit-node as process \(process)")
            return process
        } catch {
            throw LabError("cannot start ambit-node on Node \(name)", error)
        }
    }

    private func ended(_ exitCode: Int32) {
        processes.removeAll { !children.isRunning($0) }
        log.note("ambit lab: ambit-node ended with exit code \(exitCode)")
        guard isWanted, processes.isEmpty else { return }
        if isRestarting {
            isRestarting = false
            startOrRetry()
            return
        }
        restarts += 1
        let delay = backoff.delay(afterRunning: ambit_monotonic() &- startedAt)
        loop.after(milliseconds: delay) { [weak self] in
            guard let self, isWanted, processes.isEmpty else { return }
            startOrRetry()
        }
    }

    private func startOrRetry() {
        do {
            try startProcess()
        } catch {
            log.note("ambit lab: \(error)")
            loop.after(milliseconds: Backoff.delayMax) { [weak self] in
                guard let self, isWanted, processes.isEmpty else { return }
                startOrRetry()
            }
        }
    }
}
