internal import CLinux
internal import Glibc
internal import Synchronization

/// The one way into a loop from other threads: values in order, and an eventfd that wakes it.
///
/// `send` may be called on any thread; `drain` belongs to the loop's thread.
package final class Mailbox<Message: Sendable>: Sendable {
    private let waiting = Mutex<[Message]>([])
    private let wake: Descriptor

    /// Makes an empty mailbox.
    package init() throws(SystemError) {
        self.wake = Descriptor(owning: try checked("eventfd") { ambit_eventfd() })
    }

    /// The descriptor that is readable while messages wait.
    package var descriptor: Int32 { wake.raw }

    /// Leaves a message and wakes the loop.
    package func send(_ message: Message) {
        waiting.withLock { $0.append(message) }
        var one: UInt64 = 1
        // A full counter means that the loop is already being woken.
        _ = unsafe write(wake.raw, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes all messages that wait, oldest first.
    package func drain() -> [Message] {
        var count: UInt64 = 0
        _ = unsafe read(wake.raw, &count, MemoryLayout<UInt64>.size)
        return waiting.withLock { messages in
            let taken = messages
            messages.removeAll()
            return taken
        }
    }
}
