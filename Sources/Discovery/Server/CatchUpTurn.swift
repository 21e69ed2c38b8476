internal import Synchronization

/// One client's place among those that catch up; given back once.
final class CatchUpTurn: Sendable {
    private enum State: Equatable { case outside, inside, over }

    private let admission: Admission
    private let state = Mutex(State.outside)
    private let begunAt = Mutex<ContinuousClock.Instant?>(nil)

    init(admission: Admission) {
        self.admission = admission
    }

    /// For how long it has had its place, or had it before; nil while it waits.
    var age: Duration? { begunAt.withLock { $0 }.map { .now - $0 } }

    /// Waits for a place.
    func begin() async throws {
        try await admission.enter()
        begunAt.withLock { $0 = .now }
        let wasEnded = state.withLock { state in
            if state == .over { return true }
            state = .inside
            return false
        }
        if wasEnded { admission.leave() }
    }

    /// Gives the place back, however often it is called.
    func end() {
        let wasInside = state.withLock { state in
            let wasInside = state == .inside
            state = .over
            return wasInside
        }
        if wasInside { admission.leave() }
    }
}
