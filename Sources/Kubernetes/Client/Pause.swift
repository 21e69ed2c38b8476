internal import NIOCore

/// A wait on a timer of NIO's loops that ends at once when its task is cancelled.
package enum Pause {
    /// Returns after `duration`; throws `CancellationError` when cancelled before that.
    package static func wait(for duration: Duration) async throws {
        try Task.checkCancellation()
        let loop = ClientLoop.group.next()
        let timer = loop.scheduleTask(in: TimeAmount(duration)) {}
        do {
            try await withTaskCancellationHandler {
                try await timer.futureResult.get()
            } onCancel: {
                timer.cancel()
            }
        } catch {
            throw CancellationError()
        }
    }
}
