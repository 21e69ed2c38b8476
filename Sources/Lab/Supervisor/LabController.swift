internal import CLinux
internal import Glibc
internal import Mesh
internal import Reactor

/// One replica of the `ambit-controller` of a lab: it reads the folder of manifests that the
/// supervisor keeps, and is started again when it ends.
final class LabController {
    /// Where the first replica serves, at the address of the cluster's resolver.
    private static let port: UInt16 = 15012
    private static let metricsPort: UInt16 = 15014
    private static let debugPort: UInt16 = 15016
    /// What the ports of a replica are above those of the one before.
    private static let portStep: UInt16 = 10

    /// `controller-1` and so on.
    let name: String
    let log: LogFile
    private let index: Int
    private let command: Command
    private let loop: PollLoop
    private let children: Children
    private var backoff = Backoff()
    private var startedAt: UInt64 = 0
    private var isWanted = false
    private(set) var process: Int32?
    /// How often it was started again after it ended by itself.
    private(set) var restarts = 0

    /// Makes the replica of an index from 0; it is not started yet.
    init(
        _ binary: String,
        index: Int,
        settings: [String],
        environment: [String],
        loop: PollLoop,
        children: Children
    ) throws(SystemError) {
        self.index = index
        name = "\(Self.commonName)-\(index + 1)"
        let any = NetworkParameters.hasIPv6 ? "[::]" : "0.0.0.0"
        let names = Cluster.resolvers.map { "--server-name=\($0)" }
        command = Command(
            arguments: [
                binary,
                "--manifests=" + LabPaths.objects,
                "--tokens=" + LabPaths.tokens,
                "--ca-dir=" + LabPaths.authority,
                "--ca-poll-seconds=1",
                "--certificate-seconds-min=1",
                "--address=\(any):\(Self.port(Self.port, of: index))",
                "--metrics-address=\(any):\(Self.port(Self.metricsPort, of: index))",
            ] + names + settings,
            environment: environment + [
                "POD_NAME=" + name, "AMBIT_DEBUG_PORT=\(Self.port(Self.debugPort, of: index))",
            ]
        )
        self.loop = loop
        self.children = children
        log = try LogFile(LabPaths.log(ofController: name))
    }

    /// What all replicas are called together.
    static let commonName = "controller"

    private static func port(_ first: UInt16, of index: Int) -> UInt16 {
        first + portStep * UInt16(clamping: index)
    }

    /// Its address as a node of these addresses reaches it.
    func address(for node: NodePlan) -> String {
        let family = node.addresses.first?.family ?? .v4
        let host = Cluster.resolvers.first { $0.family == family } ?? IPAddress(v4: 0)
        return "\(SocketAddress(host, Self.port(Self.port, of: index)))"
    }

    /// What `lab ps` shows.
    var status: LabStatus.Controller {
        LabStatus.Controller(
            name: name,
            state: stateName,
            process: process,
            restarts: restarts,
            metricsPort: Self.port(Self.metricsPort, of: index)
        )
    }

    private var stateName: String {
        switch (process == nil, isWanted) {
        case (false, true): "Running"
        case (false, false): "Stopping"
        case (true, true): "Restarting"
        case (true, false): "Stopped"
        }
    }

    /// Starts it the first time that there is something to serve.
    func startOnce() {
        if startedAt == 0 { start() }
    }

    /// Starts it unless it runs.
    func start() {
        isWanted = true
        guard process == nil else { return }
        startedAt = ambit_monotonic()
        var command = command
        command.output = log.descriptor.raw
        command.error = log.descriptor.raw
        do throws(SystemError) {
            process = try children.spawn(command) { [weak self] code in self?.ended(code) }
            log.note("ambit lab: started ambit-controller")
        } catch {
            log.note("ambit lab: cannot start ambit-controller: \(error)")
            startLater(Backoff.delayMax)
        }
    }

    /// Ends it with a signal; nothing starts it again but `start`.
    func stop(signal: Int32) {
        isWanted = false
        if let process { Calls.signal(process, signal) }
    }

    /// Has it started again when it ends.
    func startWhenEnded() {
        isWanted = true
        if process == nil { start() }
    }

    private func ended(_ exitCode: Int32) {
        process = nil
        log.note("ambit lab: ambit-controller ended with exit code \(exitCode)")
        startLater(backoff.delay(afterRunning: ambit_monotonic() &- startedAt))
    }

    private func startLater(_ delay: UInt64) {
        loop.after(milliseconds: delay) { [weak self] in
            guard let self, isWanted, process == nil else { return }
            restarts += 1
            start()
        }
    }
}
