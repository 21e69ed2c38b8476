internal import Synchronization

/// Changes on their way to one reader: of several to one object only the last is kept, and a
/// writer waits while the queue is full.
package final class ChangeQueue<Element: Object>: Sendable {
    // What is to be told of one object: what it is, and then why a later state was refused.
    private struct Pending {
        var change: ObjectChange<Element>?
        var refusal: ObjectChange<Element>?
    }

    private enum Place {
        case object(ObjectKey)
        case synced
    }

    private struct State {
        var places: [Place] = []
        // Places before this one were read.
        var head = 0
        var pending: [ObjectKey: Pending] = [:]
        var isFinished = false
        var reader: CheckedContinuation<Void, Never>?
        var writers: [CheckedContinuation<Void, Never>] = []

        var count: Int { places.count - head }
    }

    /// Objects that may wait; one more makes the writer wait.
    private let objectsMax: Int
    private let state = Mutex(State())

    /// Makes an empty queue.
    package init(objectsMax: Int = 8_192) { self.objectsMax = objectsMax }

    /// Adds a change; does nothing after `finish`.
    ///
    /// A writer that called `waitForRoom` before goes over `objectsMax` by no more than one call.
    package func add(_ change: ObjectChange<Element>) {
        let reader = state.withLock { state in
            if !state.isFinished { Self.put(change, &state) }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    /// Returns when fewer than `objectsMax` objects wait, or after `finish`.
    package func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                if state.isFinished || state.count < objectsMax { return true }
                state.writers.append(continuation)
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// The next change; waits for one, and is nil after `finish` or when its task is cancelled.
    package func next() async -> ObjectChange<Element>? {
        while true {
            let (change, isFinished, writers) = state.withLock { state in
                let change = state.isFinished ? nil : Self.take(&state)
                var writers: [CheckedContinuation<Void, Never>] = []
                if state.count < objectsMax { swap(&writers, &state.writers) }
                return (change, state.isFinished, writers)
            }
            for writer in writers { writer.resume() }
            if let change { return change }
            if isFinished { return nil }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if state.isFinished || state.count > 0 { return true }
                        state.reader = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                finish()
            }
        }
    }

    /// Ends the queue for its reader and its writers.
    package func finish() {
        let (reader, writers) = state.withLock { state in
            state.isFinished = true
            state.places = []
            state.head = 0
            state.pending = [:]
            defer { (state.reader, state.writers) = (nil, []) }
            return (state.reader, state.writers)
        }
        reader?.resume()
        for writer in writers { writer.resume() }
    }

    private static func put(_ change: ObjectChange<Element>, _ state: inout State) {
        guard let key = change.key else {
            state.places.append(.synced)
            return
        }
        if state.pending[key] == nil { state.places.append(.object(key)) }
        if case .refused = change {
            state.pending[key, default: Pending()].refusal = change
        } else {
            state.pending[key] = Pending(change: change)
        }
    }

    private static func take(_ state: inout State) -> ObjectChange<Element>? {
        guard state.head < state.places.count else { return nil }
        let place = state.places[state.head]
        var taken: ObjectChange<Element>? = .synced
        var isDone = true
        if case .object(let key) = place {
            let pending = state.pending[key]
            taken = pending?.change ?? pending?.refusal
            if pending?.change != nil, let refusal = pending?.refusal {
                state.pending[key] = Pending(refusal: refusal)
                isDone = false
            } else {
                state.pending[key] = nil
            }
        }
        if isDone { state.head += 1 }
        if state.head >= 1_024, state.head * 2 >= state.places.count {
            state.places.removeFirst(state.head)
            state.head = 0
        }
        return taken
    }
}

extension ObjectChange {
    /// Which object it is about; nil for `synced`.
    package var key: ObjectKey? {
        switch self {
        case .set(let object): object.key
        case .removed(let key), .refused(let key, _): key
        case .synced: nil
        }
    }
}

extension ChangeQueue {
    /// The queue as a stream; `work` runs until the stream is dropped or its reader is cancelled.
    package func stream(
        while work: @escaping @Sendable () async -> Void
    ) -> AsyncStream<ObjectChange<Element>> {
        let subscription = Subscription(queue: self, task: Task { await work() })
        return AsyncStream {
            await subscription.next()
        } onCancel: {
            subscription.end()
        }
    }

    // Ends the work when the stream, which alone holds it, goes.
    private final class Subscription: Sendable {
        private let queue: ChangeQueue
        private let task: Task<Void, Never>

        init(queue: ChangeQueue, task: Task<Void, Never>) {
            self.queue = queue
            self.task = task
        }

        deinit { end() }

        func next() async -> ObjectChange<Element>? { await queue.next() }

        func end() {
            task.cancel()
            queue.finish()
        }
    }
}
