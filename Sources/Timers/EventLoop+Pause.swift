package import NIOCore

extension EventLoop {
    /// Returns after `duration`, by a timer of this loop; throws `CancellationError` at once when
    /// the task is cancelled before that.
    package func pause(for duration: Duration) async throws {
        try Task.checkCancellation()
        let timer = scheduleTask(in: TimeAmount(duration)) {}
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
