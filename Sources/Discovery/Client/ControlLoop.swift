internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The one event-loop thread of a node's control-plane clients; it starts when first used.
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

    /// Ends the thread; its clients must have ended.
    package func stop() async {
        let group = started.withLock { started in
            defer { started = nil }
            return started
        }
        try? await group?.shutdownGracefully()
    }
}
