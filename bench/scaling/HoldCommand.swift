internal import ArgumentParser
internal import Discovery
internal import Foundation
internal import Mesh
internal import Reactor
internal import Synchronization

/// One node's share of the control plane: the real client, and snapshots of the whole mesh.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "hold", shouldDisplay: false)

    @Option var port: Int
    @Option var roots: String

    func run() async throws {
        let idle = Gauge.residentBytes
        let begun = Gauge.moment
        let held = HeldSnapshots()
        guard let endpoint = ControlEndpoint("localhost:\(port)", roots: .file(roots)) else {
            throw ScaleFailure("no endpoint localhost:\(port)")
        }
        var settings = DiscoveryClient.Settings(
            endpoint: endpoint,
            token: .text("proxy-0"),
            nodeName: "",
            podName: "ambit-node-0",
            podNamespace: "ambit-system"
        )
        settings.clusterID = "Kubernetes"
        let client = DiscoveryClient(settings: settings, loop: ControlLoop()) { held.take($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            group.addTask {
                await held.untilSynced()
                let (seconds, cpu) = (Gauge.moment - begun, Gauge.cpuSeconds)
                // As the node does.
                try await Task.sleep(for: .seconds(1))
                Reactor.Process.trimMemory()
                Answer(
                    seconds: seconds,
                    cpuSeconds: cpu,
                    residentBytes: Gauge.residentBytes,
                    idleBytes: idle,
                    count: held.latest.workloadCount
                ).send()
                try await Self.serveCommands(held)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func serveCommands(_ held: HeldSnapshots) async throws {
        for await line in commandLines() {
            switch line {
            case "usage":
                var usage = held.takeCosts()
                usage.cpuSeconds = Gauge.cpuSeconds
                usage.residentBytes = Gauge.residentBytes
                usage.send()
            default: Answer(failure: "unknown command \(line)").send()
            }
        }
    }
}

/// Applies what the client says as a node's control thread does, and hands out what came of it.
final class HeldSnapshots: Sendable {
    private struct State {
        var snapshot = Snapshot.empty
        var costs: [Double] = []
        var changes = 0
        var isSynced = false
        var continuation: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    var latest: Snapshot { state.withLock { $0.snapshot } }

    func take(_ event: DiscoveryClient.Event) {
        switch event {
        case .change(let change): apply(change)
        case .synced:
            let waiting = state.withLock { state in
                state.isSynced = true
                defer { state.continuation = nil }
                return state.continuation
            }
            waiting?.resume()
        case .disconnected(let reason, _): Terminal.tell("hold: disconnected: \(reason)")
        case .rejected(let rejections): Terminal.tell("hold: refused \(rejections.prefix(3))")
        case .connected, .revocations: break
        }
    }

    private func apply(_ change: MeshChange) {
        let old = latest
        let begun = ContinuousClock.now
        let (next, _) = old.applying(change, version: old.version + 1)
        let cost = ContinuousClock.now - begun
        state.withLock { state in
            state.snapshot = next
            state.costs.append(cost / .microseconds(1))
            state.changes += change.workloads.count + change.removedWorkloads.count
        }
    }

    func untilSynced() async {
        await withCheckedContinuation { continuation in
            let isSynced = state.withLock { state in
                if !state.isSynced { state.continuation = continuation }
                return state.isSynced
            }
            if isSynced { continuation.resume() }
        }
    }

    /// What snapshots cost since this was asked last.
    func takeCosts() -> Answer {
        state.withLock { state in
            defer { (state.costs, state.changes) = ([], 0) }
            return Answer(
                medianMicroseconds: Gauge.quantile(state.costs, 0.5),
                p99Microseconds: Gauge.quantile(state.costs, 0.99),
                count: state.changes
            )
        }
    }
}
