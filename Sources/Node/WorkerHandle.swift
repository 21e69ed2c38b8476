internal import Reactor
internal import Synchronization

/// What the control thread holds of a worker.
final class WorkerHandle: Sendable {
    let mailbox: Mailbox<WorkerMessage>
    private let liveCount = Atomic<Int>(0)
    private let drained = Atomic<Bool>(false)

    init() throws(SystemError) {
        mailbox = try Mailbox()
    }

    /// Connections open on the worker.
    var live: Int {
        get { liveCount.load(ordering: .relaxed) }
        set { liveCount.store(newValue, ordering: .relaxed) }
    }

    /// Whether the worker has closed its listeners.
    var isDrained: Bool {
        get { drained.load(ordering: .relaxed) }
        set { drained.store(newValue, ordering: .relaxed) }
    }
}

/// Hands what comes into a mailbox to a closure on the loop.
final class MailboxHandler<Message: Sendable>: ReadinessHandler {
    private let mailbox: Mailbox<Message>
    private let take: (Message) -> Void

    init(_ mailbox: Mailbox<Message>, take: @escaping (Message) -> Void) {
        self.mailbox = mailbox
        self.take = take
    }

    func ready(_ readiness: Readiness) {
        for message in mailbox.drain() { take(message) }
    }
}
