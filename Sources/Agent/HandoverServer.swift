internal import CNI
internal import Reactor
internal import Synchronization
internal import Telemetry

/// The node's end of the hand-over: takes the CNI plugin's questions on the Unix socket.
///
/// A thread accepts, one more for each question that is open waits. The newest process of a node
/// owns the path; one that was replaced takes it back when its successor is no more.
final class HandoverServer: Sendable {
    /// Questions that may be open; more are turned away, and runtimes try again.
    static let openMax = 128
    /// How long a client may take to ask.
    static let askMilliseconds = 5000
    /// The longest answer to a question; less than the plugin waits.
    static let answerMilliseconds: Int64 = 28_000

    typealias Answering =
        @Sendable (Handover.Request, HeldNamespace?) async -> Handover.Answer

    /// A listener that several threads hold; the last one closes it.
    private final class Listening: Sendable {
        let listener: LocalListener
        /// What tells the socket's file from its successor's.
        let file: Folder.Identity?

        init(path: String) throws(SystemError) {
            listener = try LocalListener(takingOver: path)
            file = Folder.identity(of: path)
        }
    }

    private let path: String
    private let log: Log
    private let answer: Answering
    private let current = Mutex<Listening?>(nil)
    private let open = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)

    init(path: String, log: Log, answer: @escaping Answering) {
        self.path = path
        self.log = log
        self.answer = answer
    }

    /// Takes the path and begins to answer.
    func start() throws(SystemError) {
        let listening = try Listening(path: path)
        current.withLock { $0 = listening }
        try WorkerThread.start(name: "cni-accept") { [self] in accept(listening) }
        log.info(.capture, "waiting for pods from the CNI plugin", ["socket": "\(path)"])
    }

    /// Whether the path is this process's: then it is the newest of its node.
    var isOwner: Bool {
        guard !isStopped.load(ordering: .acquiring) else { return false }
        return current.withLock { held in
            guard let file = held?.file else { return false }
            return Folder.identity(of: path) == file
        }
    }

    /// Takes the path back when whoever has it does not listen; call it now and then.
    func reclaim() {
        guard !isStopped.load(ordering: .acquiring), !isOwner else { return }
        do throws(SystemError) {
            let probe = try LocalStream(path: path, timeoutMilliseconds: 1000)
            _ = consume probe
        } catch {
            log.warn(.capture, "nobody hears the CNI plugin, taking over", ["error": "\(error)"])
            do throws(SystemError) {
                let old = current.withLock { $0 }
                try start()
                old?.listener.interrupt()
            } catch {
                log.error(.capture, "cannot hear the CNI plugin", ["error": "\(error)"])
            }
        }
    }

    /// Stops to accept; what is open may end.
    func stop() {
        isStopped.store(true, ordering: .releasing)
        current.withLock { $0?.listener.interrupt() }
    }

    private func accept(_ listening: Listening) {
        let pause = Monitor(())
        while !isStopped.load(ordering: .acquiring) {
            do throws(SystemError) {
                let stream = try listening.listener.accept(
                    timeoutMilliseconds: HandoverServer.askMilliseconds
                )
                serve(stream)
            } catch {
                let isCurrent = current.withLock { $0 === listening }
                guard isCurrent, !isStopped.load(ordering: .acquiring) else { return }
                log.warn(.capture, "cannot accept from the CNI plugin", ["error": "\(error)"])
                var isOver = false
                pause.wait { _ -> Monitor<Void>.Step<Void> in
                    defer { isOver = true }
                    return isOver ? .done(()) : .wait(milliseconds: 100)
                }
            }
        }
    }

    private func serve(_ stream: consuming LocalStream) {
        guard open.load(ordering: .relaxed) < HandoverServer.openMax else {
            return log.warn(.capture, "too many pods at once, the runtime will try again")
        }
        open.add(1, ordering: .relaxed)
        let raw = stream.release()
        do throws(SystemError) {
            try WorkerThread.start(name: "cni-pod") { [self] in
                converse(LocalStream(owning: Descriptor(owning: raw)))
                open.subtract(1, ordering: .relaxed)
            }
        } catch {
            _ = Descriptor(owning: raw)
            open.subtract(1, ordering: .relaxed)
            log.error(.capture, "cannot answer the CNI plugin", ["error": "\(error)"])
        }
    }

    private func converse(_ stream: borrowing LocalStream) {
        do throws(SystemError) {
            let (text, namespace) = try hear(stream)
            let answer: Handover.Answer
            do throws(Handover.Refusal) {
                answer = wait(for: try Handover.Request(text), namespace)
            } catch {
                log.warn(.capture, "the CNI plugin was not understood", ["error": "\(error)"])
                answer = .unknown(reason: "not understood: \(error)")
            }
            try stream.send(Handover.framed(answer.text))
        } catch {
            log.debug(.capture, "the CNI plugin went away", ["error": "\(error)"])
        }
    }

    private func hear(
        _ stream: borrowing LocalStream
    ) throws(SystemError) -> ([UInt8], HeldNamespace?) {
        var first = try stream.receiveAny(room: Handover.prefixBytes)
        guard !first.bytes.isEmpty else { throw SystemError.connectionClosed }
        var prefix = first.bytes
        if prefix.count < Handover.prefixBytes {
            prefix += try stream.receive(count: Handover.prefixBytes - prefix.count)
        }
        guard let count = Handover.length(prefix) else { throw SystemError.messageTooLong }
        let text = try stream.receive(count: count)
        guard let descriptor = first.takeDescriptor() else { return (text, nil) }
        return (text, try HeldNamespace(NetworkNamespace(owning: descriptor)))
    }

    /// Bridges this thread to the keeper's tasks.
    private func wait(
        for request: Handover.Request,
        _ namespace: HeldNamespace?
    ) -> Handover.Answer {
        let result = Monitor<Handover.Answer?>(nil)
        let answer = self.answer
        let task = Task {
            let answer = await answer(request, namespace)
            result.change { $0 = answer }
        }
        defer { task.cancel() }
        let end = Process.monotonicMilliseconds + HandoverServer.answerMilliseconds
        return result.wait { answer -> Monitor<Handover.Answer?>.Step<Handover.Answer> in
            if let answer { return .done(answer) }
            let left = end - Process.monotonicMilliseconds
            guard left > 0 else { return .done(.unknown(reason: "no answer in time")) }
            return .wait(milliseconds: left)
        }
    }
}
