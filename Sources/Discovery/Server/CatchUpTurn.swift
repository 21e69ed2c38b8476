internal import Synchronization

/// One client's place among those that catch up; given back once.
final class CatchUpTurn: Sendable {
    private enum State { case outside, inside, over }

    private let admission: Admission
    private let state = Mutex(State.outside)

    init(admission: Admission) {
        self.admission = admission
    }

    /// Waits for a place.
    func begin() async throws {
        try await admission.enter()
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
