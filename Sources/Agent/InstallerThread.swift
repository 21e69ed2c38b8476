internal import CNI
internal import Reactor
internal import Synchronization
internal import Telemetry

/// Keeps the CNI plugin installed: looks when a file of the host changes, and now and then.
///
/// Acts only while `isOwner` says that this process is the newest of its node, so that an update
/// does not end in two processes that each put their plugin in place.
final class InstallerThread: Sendable {
    private static let tickMilliseconds: UInt64 = 5000

    private let installer: CNIInstaller
    private let log: Log
    private let isOwner: @Sendable () -> Bool
    private let tick: @Sendable () -> Void
    /// Held while files change; true once nothing may change any more.
    private let isOver = Mutex(false)
    private let last = Mutex(CNIInstaller.Report())

    init(
        _ installer: CNIInstaller,
        log: Log,
        isOwner: @escaping @Sendable () -> Bool,
        tick: @escaping @Sendable () -> Void
    ) {
        self.installer = installer
        self.log = log
        self.isOwner = isOwner
        self.tick = tick
    }

    /// Starts the thread; `isActive` is false where the plugin is not to be installed.
    func start(isActive: Bool) throws(SystemError) {
        try WorkerThread.start(name: "cni-install") { [self] in
            do throws(SystemError) {
                let loop = try EventLoop()
                let rounds = InstallerRounds(loop: loop, owner: self, isActive: isActive)
                rounds.timerFired(0)
                try loop.run()
                withExtendedLifetime(rounds) {}
            } catch {
                log.error(.capture, "cannot watch the CNI configuration", ["error": "\(error)"])
            }
        }
    }

    fileprivate var folders: [String] {
        [installer.paths.configurationFolder, installer.paths.binFolder]
    }
    fileprivate static var interval: UInt64 { tickMilliseconds }
    fileprivate func ticked() { tick() }

    fileprivate func look() {
        guard isOwner() else { return }
        let report = isOver.withLock { isOver in isOver ? nil : installer.install() }
        guard let report else { return }
        let isNew = last.withLock { last in
            defer { last = report }
            return last.problems != report.problems || last.configuration != report.configuration
        }
        for path in report.changed { log.info(.capture, "put on the host", ["file": "\(path)"]) }
        guard isNew else { return }
        for problem in report.problems {
            log.warn(.capture, "CNI plugin not in place", ["error": "\(problem)"])
        }
        if !report.configuration.isEmpty {
            log.info(.capture, "CNI plugin in place", ["file": "\(report.configuration)"])
        }
    }

    /// From here on nothing is put on the host any more.
    func stop() { isOver.withLock { $0 = true } }

    /// Takes everything off the host.
    func uninstall() {
        isOver.withLock { isOver in
            isOver = true
            let report = installer.remove()
            for path in report.changed { log.info(.capture, "CNI plugin out", ["file": "\(path)"]) }
            for problem in report.problems {
                log.error(.capture, "CNI plugin not out", ["error": "\(problem)"])
            }
        }
    }
}

/// The thread's loop: watches the folders as soon as they exist.
private final class InstallerRounds: TimerHandler {
    private let loop: EventLoop
    private let owner: InstallerThread
    private let isActive: Bool
    private var watched: [String: WatchedFile] = [:]

    init(loop: EventLoop, owner: InstallerThread, isActive: Bool) {
        self.loop = loop
        self.owner = owner
        self.isActive = isActive
    }

    func timerFired(_ tag: Int) {
        if isActive {
            for folder in owner.folders where watched[folder] == nil {
                watched[folder] = try? WatchedFile("\(folder)/any", loop: loop) { [owner] in
                    owner.look()
                }
            }
            owner.look()
        }
        owner.ticked()
        _ = loop.schedule(afterMilliseconds: InstallerThread.interval, self)
    }
}
