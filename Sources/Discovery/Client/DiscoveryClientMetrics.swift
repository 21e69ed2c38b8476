internal import Synchronization

/// Counts of a discovery client, for the node's metrics page.
package final class DiscoveryClientMetrics: Sendable {
    /// Why a connection ended.
    package enum Termination: String, Sendable, CaseIterable {
        /// It never came to a stream.
        case connectionError = "ConnectionError"
        /// The server ended the stream with an error.
        case error = "Error"
        /// The server went away in an orderly manner.
        case reconnect = "Reconnect"
        /// The server ended the stream without an error.
        case complete = "Complete"
    }

    /// The counts at one moment.
    package struct Values: Sendable, Equatable {
        package var terminations: [Termination: Int] = [:]
        /// Responses received, and their bytes, by type URL.
        package var messages: [String: Int] = [:]
        package var messageBytes: [String: Int] = [:]
        /// Resources refused, by type URL.
        package var rejections: [String: Int] = [:]
        /// Whether a stream is open.
        package var isConnected = false
    }

    private let values = Mutex(Values())

    /// Starts at zero.
    package init() {}

    /// The counts now.
    package var current: Values { values.withLock { $0 } }

    func change(_ body: (inout Values) -> Void) {
        values.withLock { body(&$0) }
    }
}
