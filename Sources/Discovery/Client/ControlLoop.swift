internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Timers

/// One event-loop thread for connections of the control plane and their timers.
///
/// It starts when it is first used.
package final class ControlLoop: Sendable {
    private let started = Mutex<MultiThreadedEventLoopGroup?>(nil)

    /// Starts nothing yet.
    package init() {}

    var group: any EventLoopGroup {
        started.withLock { started in
            if let started { return started }
            let new = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            started = new
            return new
        }
    }

    /// Returns after `duration`; throws when the task is cancelled before that.
    func wait(for duration: Duration) async throws {
        try await group.next().pause(for: duration)
    }

    /// Ends the thread; its clients must have ended.
    package func stop() async {
        let group = started.withLock { started in
            defer { started = nil }
            return started
        }
        try? await group?.shutdownGracefully()
    }
}
