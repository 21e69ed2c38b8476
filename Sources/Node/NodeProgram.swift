package import Identity
internal import Mesh
internal import Reactor
package import Telemetry

/// What a node works with besides its configuration.
package struct NodeParts: Sendable {
    /// Where certificates come from.
    package var certificates: any CertificateSource
    /// What comes from the agent's threads; nil when files tell all.
    package var feed: NodeFeed?
    /// Called once the node runs, on the control thread: now the agent may start its threads,
    /// which must not be earlier than the node blocks its signals.
    package var didStart: @Sendable (Log, Metrics) -> Void

    /// Holds the parts; `didStart` does nothing unless it is given.
    package init(
        certificates: any CertificateSource,
        feed: NodeFeed?,
        didStart: @escaping @Sendable (Log, Metrics) -> Void = { _, _ in }
    ) {
        self.certificates = certificates
        self.feed = feed
        self.didStart = didStart
    }
}

/// Makes the parts of a node once its configuration is read; a text says why it cannot.
package typealias NodePartsMaker =
    @Sendable (NodeConfiguration) -> Result<NodeParts, ConfigurationFailure>

/// The node proxy from its command line to its end.
package enum NodeProgram {
    /// The version the program reports.
    package static let version = "0.1.0"

    private static let workersMax = 8

    /// Reads the command line and runs; returns the exit status.
    ///
    /// `makeParts` is asked for what the configuration does not give as files.
    package static func main(_ arguments: [String], makeParts: NodePartsMaker) -> Int32 {
        do throws(ConfigurationFailure) {
            let invocation = try NodeConfiguration.parse(
                arguments: Array(arguments.dropFirst()),
                environment: Process.environment,
                readFile: readFile
            )
            switch invocation {
            case .run(let configuration):
                // The parts may start threads of their libraries.
                Signals.block()
                return run(configuration, try makeParts(configuration).get())
            case .printConfiguration(let text), .help(let text):
                say(text)
                return 0
            case .version:
                say("ambit-node \(version)\n")
                return 0
            }
        } catch {
            for problem in error.problems { complain("ambit-node: \(problem)") }
            return ConfigurationFailure.exitStatus
        }
    }

    private static func readFile(_ path: String) -> Result<[UInt8], ConfigurationFileFailure> {
        do throws(SystemError) {
            return .success(
                try WatchedFile.contents(path, bytesMax: NodeConfiguration.fileBytesMax)
            )
        } catch {
            return .failure(ConfigurationFileFailure(reason: error.description))
        }
    }

    /// Runs until a signal; returns the exit status: 0 drained, 1 failed, 64 bad configuration.
    package static func run(_ configuration: NodeConfiguration, _ parts: NodeParts) -> Int32 {
        do throws(SystemError) {
            return try start(configuration, parts)
        } catch {
            complain("ambit-node: \(error)")
            return 1
        }
    }

    private static func start(
        _ configuration: NodeConfiguration,
        _ parts: NodeParts
    ) throws(SystemError) -> Int32 {
        let loop = try EventLoop()
        let stop = StopRequest()
        let signals = try Signals(loop: loop) { signal in
            if signal != .hangUp { stop.now() }
        }
        defer { withExtendedLifetime(signals) {} }
        Process.raiseOpenFiles()
        var levels = configuration.logLevels
        if !configuration.writesAccessLog { levels[.access] = .off }
        let log = Log(
            format: configuration.logFormat,
            levels: levels,
            queueBytesMax: configuration.logQueueBytesMax
        )
        let metrics = Metrics(
            seriesMax: configuration.metricSeriesMax,
            graceSeconds: configuration.metricGraceMilliseconds / 1000
        )
        observe(metrics, log)
        let telemetry = NodeTelemetry(metrics: metrics, log: log)
        log.info(
            .node,
            "ambit-node starting",
            ["version": "\(version)", "node": "\(configuration.nodeName)"]
        )
        let count = workerCount(configuration)
        var handles: [WorkerHandle] = []
        for _ in 0..<count { handles.append(try WorkerHandle()) }
        let store = try makeStore(configuration, parts.certificates, handles, telemetry)
        let identities = IdentityRequests(store: store)
        let settings = DataPathSettings(configuration, workers: count)
        for (index, handle) in handles.enumerated() {
            try WorkerThread.start(name: "worker-\(index)") {
                runWorker(index, settings, telemetry, identities, handle)
            }
        }
        let control = try Control(
            configuration: configuration,
            loop: loop,
            telemetry: telemetry,
            store: store,
            workers: handles,
            feed: parts.feed
        )
        stop.action = { control.drain() }
        try control.start()
        // However fast the mesh changes, connections go first. The agent's threads start next and
        // inherit it.
        Process.yieldToOthers()
        parts.didStart(log, metrics)
        try loop.run()
        log.info(.node, "ambit-node stopped")
        log.drain(milliseconds: 1000)
        return 0
    }

    private static func observe(_ metrics: Metrics, _ log: Log) {
        metrics.observeProcess()
        metrics.observe(
            "istio_build",
            help: "What was built.",
            kind: .gauge,
            labels: ["component", "tag"]
        ) {
            [Observation(1, labels: ["ambit-node", version])]
        }
        metrics.observe(
            "ambit_log_lines_dropped",
            help: "Log lines that were never written.",
            kind: .counter
        ) {
            [Observation(Int64(clamping: log.dropped))]
        }
    }

    // Unless it is set, half of the cores, as the other half is for the pods. Fewer workers carry
    // more each time they wake up and keep fewer tunnels, so that the same load costs less
    // (bench/README.md); a few of them fill a node's link.
    private static func workerCount(_ configuration: NodeConfiguration) -> Int {
        guard configuration.workerThreads == 0 else { return configuration.workerThreads }
        return min(max(1, Process.coreCount / 2), workersMax)
    }

    private static func makeStore(
        _ configuration: NodeConfiguration,
        _ source: any CertificateSource,
        _ handles: [WorkerHandle],
        _ telemetry: NodeTelemetry
    ) throws(SystemError) -> CertificateStore {
        var settings = CertificateStore.Settings()
        settings.lifetimeSeconds = Int64(configuration.certificateLifetimeMilliseconds / 1000)
        settings.refusesOutdatedLists = configuration.outdatedLists == .refuse
        let news = CertificateNews(workers: handles, telemetry: telemetry)
        return try CertificateStore(
            source: source,
            settings: settings,
            onRevocation: { news.tell($0) },
            onUpdate: { news.tell($0, $1) }
        )
    }

    private static func runWorker(
        _ index: Int,
        _ settings: DataPathSettings,
        _ telemetry: NodeTelemetry,
        _ identities: IdentityRequests,
        _ handle: WorkerHandle
    ) {
        do throws(SystemError) {
            let worker = try Worker(
                index: index,
                settings: settings,
                telemetry: telemetry,
                identities: identities,
                handle: handle
            )
            try worker.loop.run()
        } catch {
            // Without its worker the node would hold pods it does not serve: end, be restarted.
            complain("ambit-node: worker \(index): \(error)")
            Process.exit(1)
        }
    }
}

/// What a stop signal does, set once there is something to stop.
private final class StopRequest {
    var action: (() -> Void)? {
        didSet { if wasAsked { action?() } }
    }
    private var wasAsked = false

    func now() {
        wasAsked = true
        action?()
    }
}
