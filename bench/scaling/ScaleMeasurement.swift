internal import Foundation

/// Runs all sizes, one after the other.
struct ScaleMeasurement {
    /// Longer than the server waits for more changes, so that each goes out by itself.
    private static let changePauseMilliseconds = 50
    private static let changePauseMillisecondsMax = 400
    /// How often changes are made for three measurements in which each went out by itself.
    private static let attemptsMax = 12
    private let plan: ScalePlan

    init(_ plan: ScalePlan) {
        self.plan = plan
    }

    func run() throws -> ScaleResult {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "ambit-scale-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var result = ScaleResult()
        for pods in plan.pods {
            Terminal.tell("\(pods) pods ...")
            result.sizes.append(try measure(pods, in: folder))
        }
        for count in plan.policies {
            Terminal.tell("\(count) policies ...")
            result.decisions.append(
                ScaleResult.Decision(
                    policies: count,
                    spreadMicroseconds: PolicyProbe.spread(policies: count),
                    togetherMicroseconds: PolicyProbe.together(policies: count)
                )
            )
        }
        if plan.measuresTraffic, let pods = plan.pods.last {
            guard let tools = Tools(folder: folder) else {
                throw ScaleFailure("ambit and ambit-node are not beside this program")
            }
            Terminal.tell("traffic beside \(pods) pods ...")
            result.traffic = try TrafficProbe(plan, tools).measure(pods: pods)
        }
        return result
    }

    private func measure(_ pods: Int, in folder: URL) throws -> ScaleResult.Size {
        let control = try Worker(
            "control",
            ["--pods", "\(pods)", "--folder", folder.path],
            in: folder
        )
        defer { control.end() }
        let ready = try control.answer()
        guard let port = ready.port else { throw ScaleFailure("the controller has no port") }
        var size = ScaleResult.Size(pods: pods)
        size.fillSeconds = ready.seconds
        size.fillCPUSeconds = ready.cpuSeconds
        size.controllerBytes = ready.residentBytes
        size.changeMicroseconds = try costs(3) { try rate(control, seconds: 1).cost }
        let place = [
            "--port", "\(port)", "--roots", folder.appending(path: "root-cert.pem").path,
        ]
        try hold(place, control, &size, folder)
        for nodes in plan.nodes {
            size.pushes.append(try follow(place, nodes, control, folder))
        }
        return size
    }

    /// The median of several measurements.
    private func costs(_ count: Int, _ measure: () throws -> Double) throws -> Double {
        Gauge.median(try (0..<count).map { _ in try measure() })
    }

    private func rate(_ control: Worker, seconds: Int) throws -> Answer {
        try control.ask("rate \(ScalePlan.changesPerSecond) \(seconds)")
    }

    /// One node with the whole mesh: at its start, with single changes and with many.
    private func hold(
        _ place: [String],
        _ control: Worker,
        _ size: inout ScaleResult.Size,
        _ folder: URL
    ) throws {
        let node = try Worker("hold", place, in: folder)
        defer { node.end() }
        let synced = try node.answer()
        size.syncSeconds = synced.seconds
        size.syncCPUSeconds = synced.cpuSeconds
        size.workloads = synced.count
        var usage = try node.ask("usage")
        size.firstSnapshotMilliseconds = usage.p99Microseconds / 1e3
        size.nodeBytes = usage.residentBytes - (synced.idleBytes ?? 0)
        var single: [Double] = []
        var many: [Double] = []
        var manyControl: [Double] = []
        for _ in 0..<3 {
            let before = try node.ask("usage")
            _ = try control.ask("change \(plan.changes) \(Self.changePauseMilliseconds)")
            usage = try node.ask("usage")
            single.append(cost(before, usage))
            size.snapshotMicroseconds = usage.medianMicroseconds
            manyControl.append(try rate(control, seconds: plan.seconds).cost)
            let after = try node.ask("usage")
            many.append(cost(usage, after))
        }
        size.nodeMicroseconds = Gauge.median(single)
        size.nodeRateMicroseconds = Gauge.median(many)
        size.rateMicroseconds = Gauge.median(manyControl)
    }

    /// Microseconds of processor time a change between two answers.
    private func cost(_ before: Answer, _ after: Answer) -> Double {
        (after.cpuSeconds - before.cpuSeconds) / Double(max(1, after.count)) * 1e6
    }

    /// Many nodes that acknowledge.
    private func follow(
        _ place: [String],
        _ nodes: Int,
        _ control: Worker,
        _ folder: URL
    ) throws -> ScaleResult.Push {
        Terminal.tell("    \(nodes) nodes ...")
        let followers = try Worker("follow", place + ["--nodes", "\(nodes)"], in: folder)
        defer { followers.end() }
        var push = ScaleResult.Push(nodes: nodes)
        push.syncSeconds = try followers.answer().seconds
        var latencies: [Double] = []
        var costs: [Double] = []
        var pause = Self.changePauseMilliseconds
        for _ in 0..<Self.attemptsMax where costs.count < 3 {
            _ = try followers.ask("begin")
            let made = try control.ask("change \(plan.changes) \(pause)")
            let seen = try followers.ask("moments")
            // On a busy machine two changes may go out as one; which, nobody knows. They get more
            // time between them then.
            guard made.moments.count == seen.moments.count else {
                pause = min(pause * 2, Self.changePauseMillisecondsMax)
                continue
            }
            latencies += zip(made.moments, seen.moments).map { ($1 - $0) * 1e3 }
            costs.append(made.cost)
            push.bytesPerChangeAndNode = made.bytes / Double(made.count) / Double(nodes)
        }
        guard !costs.isEmpty else {
            throw ScaleFailure("changes did not go out one by one; the machine is too busy")
        }
        push.latencyMilliseconds = Gauge.quantile(latencies, 0.5)
        push.latencyP99Milliseconds = Gauge.quantile(latencies, 0.99)
        push.cpuMicrosecondsPerChange = Gauge.median(costs)
        return push
    }
}

extension Answer {
    /// Microseconds of processor time a change.
    fileprivate var cost: Double { cpuSeconds / Double(max(1, count)) * 1e6 }
}
