internal import Mesh
internal import Reactor

/// The mesh as the control thread has it, and how fast it follows what it is told.
///
/// A change after a quiet while is taken at once. In a burst the changes wait and are taken
/// together, so that a thousand a second cost fifty snapshots, not a thousand.
final class HeldMesh: TimerHandler {
    /// The least time between two snapshots made of changes.
    static let intervalMilliseconds: UInt64 = 20

    private(set) var snapshot = Snapshot.empty
    /// Whether anything was taken yet, be it an empty mesh.
    private(set) var isKnown = false
    private let loop: EventLoop
    // At most one entry for each thing of the mesh.
    private var pending = PendingChange()
    private var isWaiting = false
    /// When the last snapshot was made, on the loop's clock.
    private var madeAt: UInt64 = 0
    private let publish: (Snapshot, SnapshotDiff) -> Void

    /// Makes an empty mesh; `publish` is called with each snapshot after it.
    init(loop: EventLoop, publish: @escaping (Snapshot, SnapshotDiff) -> Void) {
        self.loop = loop
        self.publish = publish
    }

    /// Takes a whole state in place of the one held, at once.
    func replace(with state: MeshState) {
        takePending()
        advance(MeshChange(from: snapshot, to: state))
    }

    /// Takes what changed, now or within the interval.
    func change(_ change: MeshChange) {
        pending.add(change)
        isKnown = isKnown || change.isEmpty
        guard !isWaiting, !pending.isEmpty else { return }
        let due = madeAt &+ Self.intervalMilliseconds &* 1_000_000
        guard loop.now < due else { return takePending() }
        isWaiting = true
        _ = loop.schedule(at: due, self)
    }

    func timerFired(_ tag: Int) {
        isWaiting = false
        takePending()
    }

    private func takePending() {
        guard !pending.isEmpty else { return }
        advance(pending.take())
    }

    private func advance(_ change: MeshChange) {
        let (next, diff) = snapshot.applying(change, version: snapshot.version + 1)
        snapshot = next
        isKnown = true
        madeAt = loop.now
        publish(next, diff)
    }
}
