internal import NIOCore
internal import NIOPosix

/// The event loop of everything that talks to API servers, and of its timers.
///
/// One thread, whatever the machine has: a node's size must not grow with its cores. It starts when
/// it is first used and lives as long as the process.
enum ClientLoop {
    /// The group of that loop.
    static let group: any EventLoopGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}
