internal import Synchronization

/// The lines that wait for the writer's thread: bounded, and never waited for by those who add.
///
/// The lock is held to copy one line in, or to swap the whole for an empty one; no system call is
/// made under it.
final class LogQueue: Sendable {
    /// What the writer takes away at once.
    struct Batch {
        var bytes: [UInt8]
        /// Lines that found no room since the last batch.
        var dropped: UInt64
        var isClosed: Bool
    }

    private struct State {
        var pending: [UInt8] = []
        var droppedSinceBatch: UInt64 = 0
        var droppedInAll: UInt64 = 0
        var isClosed = false
        /// Whether the writer has taken bytes it has not written yet.
        var isWriting = false
        /// Whether the writer found nothing and waits to be woken.
        var isIdle = false
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Adds a line, or counts it as dropped; true when the writer has to be woken.
    func append(_ line: [UInt8]) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.pending.count + line.count <= bytesMax else {
                state.droppedSinceBatch &+= 1
                state.droppedInAll &+= 1
                return false
            }
            let half = bytesMax / 2
            let wasBelowHalf = state.pending.count < half
            state.pending.append(contentsOf: line)
            defer { state.isIdle = false }
            // A writer that lets lines gather must not wait until there is no room.
            return state.isIdle || wasBelowHalf && state.pending.count >= half
        }
    }

    /// Takes all that waits, giving the emptied buffer of the last batch in exchange.
    func take(recycling buffer: consuming [UInt8]) -> Batch {
        buffer.removeAll(keepingCapacity: buffer.capacity <= Self.keptBytesMax)
        return state.withLock { state in
            let batch = Batch(
                bytes: state.pending,
                dropped: state.droppedSinceBatch,
                isClosed: state.isClosed
            )
            state.pending = buffer
            state.droppedSinceBatch = 0
            state.isWriting = !batch.bytes.isEmpty || batch.dropped > 0
            state.isIdle = !state.isWriting
            return batch
        }
    }

    /// Buffers grown beyond this by a burst are given back to the system.
    private static let keptBytesMax = 64 * 1024

    /// Counts lines that were taken and could not be written.
    func lost(lines: UInt64) {
        state.withLock { $0.droppedInAll &+= lines }
    }

    /// Takes no further line; the writer ends when it has written those before.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// Whether nothing waits and nothing is being written.
    var isDrained: Bool {
        state.withLock { $0.pending.isEmpty && !$0.isWriting }
    }

    /// Lines that were never written.
    var dropped: UInt64 { state.withLock { $0.droppedInAll } }
}
