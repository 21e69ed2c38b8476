internal import Synchronization

/// The counters of all connections with the same labels, found once per connection.
///
/// Any thread may count; each count is one relaxed atomic add. A worker that relays small records
/// does well to add up bytes and count them once per turn of its loop.
package final class TCPSeries: Sendable {
    private let openedCount = Atomic<UInt64>(0)
    private let closedCount = Atomic<UInt64>(0)
    private let receivedBytes = Atomic<UInt64>(0)
    private let sentBytes = Atomic<UInt64>(0)
    private let failures: InlineArray<8, Atomic<UInt64>>

    init() {
        self.failures = InlineArray { _ in Atomic(0) }
    }

    /// Counts a connection that began; once per connection, before it is dialled or judged.
    package func opened() { openedCount.wrappingAdd(1, ordering: .relaxed) }

    /// Counts a connection that ended; once for each that was counted as opened.
    package func closed() { closedCount.wrappingAdd(1, ordering: .relaxed) }

    /// Counts bytes that went from the client to the server.
    package func received(_ bytes: Int) {
        receivedBytes.wrappingAdd(UInt64(clamping: bytes), ordering: .relaxed)
    }

    /// Counts bytes that went from the server to the client.
    package func sent(_ bytes: Int) {
        sentBytes.wrappingAdd(UInt64(clamping: bytes), ordering: .relaxed)
    }

    /// Counts a connection that failed, and why.
    package func failed(_ flag: ResponseFlag) {
        failures[Int(flag.rawValue)].wrappingAdd(1, ordering: .relaxed)
    }

    /// The counts as they are now; one may be ahead of another by a connection in flight.
    package var counts: Counts {
        let closed = closedCount.load(ordering: .relaxed)
        return Counts(
            opened: openedCount.load(ordering: .relaxed),
            closed: closed,
            received: receivedBytes.load(ordering: .relaxed),
            sent: sentBytes.load(ordering: .relaxed),
            failed: ResponseFlag.allCases.map {
                failures[Int($0.rawValue)].load(ordering: .relaxed)
            }
        )
    }

    /// A reading of a series.
    package struct Counts: Sendable, Equatable {
        package var opened: UInt64
        package var closed: UInt64
        package var received: UInt64
        package var sent: UInt64
        /// Failures in the order of the flags' raw values.
        package var failed: [UInt64]

        /// How many connections failed for this reason.
        package func failed(_ flag: ResponseFlag) -> UInt64 { failed[Int(flag.rawValue)] }
    }
}
