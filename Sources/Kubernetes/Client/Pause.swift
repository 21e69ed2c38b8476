internal import NIOCore
internal import Timers

/// A wait on a timer of the client's loop that ends at once when its task is cancelled.
package enum Pause {
    /// Returns after `duration`; throws `CancellationError` when cancelled before that.
    package static func wait(for duration: Duration) async throws {
        try await ClientLoop.group.next().pause(for: duration)
    }
}
