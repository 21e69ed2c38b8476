internal import CLinux
internal import Glibc
internal import Mesh
internal import Reactor

/// The `ambit-controller` of a lab: it reads the folder of manifests that the supervisor keeps,
/// and is started again when it ends.
final class LabController {
    /// Where it serves, at the address of the cluster's resolver.
    static let port: UInt16 = 15012

    let log: LogFile
    private let command: Command
    private let loop: PollLoop
    private let children: Children
    private var backoff = Backoff()
    private var startedAt: UInt64 = 0
    private(set) var isWanted = false
    private(set) var process: Int32?

    init(
        _ binary: String,
        settings: [String],
        environment: [String],
        loop: PollLoop,
        children: Children
    ) throws(SystemError) {
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
                "--address=\(any):\(Self.port)",
                "--metrics-address=\(any):15014",
            ] + names + settings,
            environment: environment
        )
        self.loop = loop
        self.children = children
        log = try LogFile(LabPaths.controllerLog)
    }

    /// Its address as a node of these addresses reaches it.
    static func address(for node: NodePlan) -> String {
        let family = node.addresses.first?.family ?? .v4
        let host = Cluster.resolvers.first { $0.family == family } ?? IPAddress(v4: 0)
        return "\(SocketAddress(host, port))"
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
            guard let self, isWanted else { return }
            start()
        }
    }
}
