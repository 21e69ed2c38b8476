internal import ArgumentParser
internal import Controller
internal import Discovery
internal import Foundation
internal import Kubernetes
internal import Mesh

/// The controller of a lab with a simulated cluster beside the lab's own objects.
///
/// Takes the options that a lab gives its controller. What it is to do stands in a file: whether
/// the simulated cluster is there (0 or 1), and how many of its pods change in a second.
struct LabControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab-control",
        shouldDisplay: false
    )

    @Option var pods: Int
    @Option var orders: String
    /// Where it writes whether it did the first of them, and how many resources it has pushed.
    @Option var report: String

    @Option var manifests: String
    @Option var tokens: String
    @Option(name: .customLong("ca-dir")) var authorityFolder: String
    @Option(name: .customLong("ca-poll-seconds")) var authorityPollSeconds: Int
    @Option var certificateSecondsMin: Int64
    @Option var address: String
    @Option var metricsAddress: String
    @Option(name: .customLong("server-name")) var serverNames: [String] = []

    func run() async throws {
        var settings = ControllerSettings()
        guard let address = SocketAddress(address), let metrics = SocketAddress(metricsAddress)
        else { throw ScaleFailure("no address in \(address), \(metricsAddress)") }
        (settings.address, settings.metricsAddress) = (address, metrics)
        settings.mesh.awaitsCapture = false
        settings.authorityFolder = authorityFolder
        settings.authorityPollSeconds = authorityPollSeconds
        settings.certificateSecondsMin = certificateSecondsMin
        settings.serverNames = serverNames
        settings.debugPort = 0
        var paths = ManifestFolder.Paths(folder: manifests)
        paths.tokens = tokens
        let folder = try ManifestFolder(paths)
        let crowd = CrowdCluster(SimulatedCluster(pods: pods), beside: folder)
        let program = ControllerProgram(settings: settings, cluster: crowd, election: nil)
        try await withThrowingTaskGroup { group in
            group.addTask { try await program.run() }
            group.addTask { try await self.follow(crowd, program) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func follow(_ crowd: CrowdCluster, _ program: ControllerProgram) async throws {
        var isFull = false
        var due = 0.0
        var last = ContinuousClock.now
        var tick = 0
        while true {
            try await Task.sleep(until: last + .milliseconds(10))
            let now = ContinuousClock.now
            defer { last = now }
            tick += 1
            let orders = (try? String(contentsOfFile: orders, encoding: .utf8)) ?? ""
            let words = orders.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            guard words.count == 2 else { continue }
            if words[0] == 1, !isFull {
                try await crowd.fill()
                isFull = true
            }
            due += Double(words[1]) * ((now - last) / .seconds(1))
            let count = Int(due)
            due -= Double(count)
            for change in crowd.nextChanges(count) { try crowd.take(change) }
            guard tick % 20 == 0 else { continue }
            let pushed = program.metrics.current.pushedResourcesTotal.values.reduce(0, +)
            try "\(isFull ? 1 : 0) \(pushed)\n".write(
                toFile: report,
                atomically: true,
                encoding: .utf8
            )
        }
    }
}
