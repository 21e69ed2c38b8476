internal import Synchronization

/// Tells the first change of a client, which holds the whole mesh, from those that follow.
final class FirstChange: Sendable {
    private let hasCome = Mutex(false)

    /// True once.
    func isFirst() -> Bool {
        hasCome.withLock { hasCome in
            defer { hasCome = true }
            return !hasCome
        }
    }
}
