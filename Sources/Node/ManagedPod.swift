internal import Capture
internal import Mesh

/// A pod the control thread takes care of.
final class ManagedPod {
    /// How far capture has come.
    enum State: Equatable {
        case opening
        case captured
        case pending(String)
    }

    var local: LocalPod
    var state = State.opening
    private(set) var namespace: PodNamespace?
    private(set) var generation = 0
    /// What the last look found in force in `namespace`; nil before the first.
    var proof: CaptureProof?
    /// How often the capture was looked at.
    var looks = 0
    private var answersDue = 0
    private var retries = 0
    /// Who waits to hear whether capture worked.
    var waiting: [@Sendable (String?) -> Void] = []

    init(local: LocalPod) {
        self.local = local
    }

    /// Tells those who wait; nil for success.
    func answer(_ failure: String?) {
        let all = waiting
        waiting = []
        for answer in all { answer(failure) }
    }

    func begin(_ namespace: PodNamespace, answersDue: Int) {
        self.namespace = namespace
        proof = nil
        self.answersDue = answersDue
        generation += 1
        state = .opening
    }

    /// Counts an answer; true with the last.
    func answered() -> Bool {
        answersDue -= 1
        return answersDue == 0
    }

    func fail(_ reason: String) {
        state = .pending(reason)
        generation += 1
        namespace = nil
        proof = nil
    }

    /// Whether capture should be tried again.
    var isRetryDue: Bool {
        if case .pending = state { return true }
        return false
    }
}
