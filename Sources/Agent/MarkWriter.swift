internal import Kubernetes
internal import Reactor
internal import Synchronization
internal import Telemetry

/// Writes the marks of pods, one after the other, until each is what was wanted last.
///
/// Callable from anywhere. Holds at most one wish for each pod of the node.
final class MarkWriter: Sendable {
    private struct Wish: Sendable, Equatable {
        let isCaptured: Bool
        let uid: String
    }

    private struct State {
        var wishes: [PodName: Wish] = [:]
        /// Whose wish is next; each name at most once.
        var order: [PodName] = []
        var isWriting = false
    }

    private let cluster: any Cluster
    private let log: Log
    private let state = Mutex(State())

    init(cluster: any Cluster, log: Log) {
        self.cluster = cluster
        self.log = log
    }

    /// Sets or takes away the mark of a pod, soon.
    func want(_ isCaptured: Bool, on name: PodName, uid: String) {
        let mustStart = state.withLock { state in
            if state.wishes[name] == nil { state.order.append(name) }
            state.wishes[name] = Wish(isCaptured: isCaptured, uid: uid)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { Task { await write() } }
    }

    /// Waits until nothing is left to write, or for so long.
    func settle(within limit: Duration) async {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end, state.withLock({ $0.isWriting }) {
            try? await Pause.wait(for: .milliseconds(20))
        }
    }

    private func write() async {
        var failures = 0
        while let (name, wish) = next() {
            do throws(ClusterError) {
                try await PodMark.write(wish.isCaptured, on: name, uid: wish.uid, in: cluster)
                failures = 0
                done(name, wish)
            } catch {
                failures += 1
                if failures == 1 {
                    log.warn(
                        .capture,
                        "cannot annotate a pod",
                        ["pod": "\(name)", "error": "\(error)"]
                    )
                }
                // What the server will never take is not tried again; the others do not wait.
                if error.code == .invalid { done(name, wish) } else { putOff(name) }
                try? await Pause.wait(for: .milliseconds(min(30_000, 200 << min(failures, 8))))
            }
        }
    }

    private func next() -> (PodName, Wish)? {
        state.withLock { state in
            guard let first = state.order.first, let wish = state.wishes[first] else {
                state.isWriting = false
                return nil
            }
            return (first, wish)
        }
    }

    private func putOff(_ name: PodName) {
        state.withLock { state in
            state.order.removeAll { $0 == name }
            state.order.append(name)
        }
    }

    private func done(_ name: PodName, _ wish: Wish) {
        state.withLock { state in
            guard state.wishes[name] == wish else { return }
            state.wishes[name] = nil
            state.order.removeAll { $0 == name }
        }
    }
}
