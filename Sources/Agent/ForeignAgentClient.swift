internal import Mesh
internal import Node
internal import Reactor
internal import Synchronization
internal import Telemetry

/// Takes pods from a foreign agent (PROTOCOL.md §2.5) in place of finding them.
///
/// One thread speaks; every packet is answered by exactly one, well before the agent's 5 s are
/// over. What was captured goes on while the connection is lost.
final class ForeignAgentClient: Sendable {
    /// How long a pod may take until the agent hears that it is pending.
    private static let answerMilliseconds: Int64 = 4000
    private static let sendMilliseconds = 5000
    static let backoffMilliseconds: ClosedRange<Int64> = 10...15_000

    private struct Stopping {
        var isOver = false
    }

    private let path: String
    private let feed: NodeFeed
    private let log: Log
    private let stopping = Monitor(Stopping())
    private let live = Mutex<Connection?>(nil)

    private final class Connection: Sendable {
        let packets: LocalPackets
        init(path: String) throws(SystemError) {
            packets = try LocalPackets(
                path: path,
                sendTimeoutMilliseconds: ForeignAgentClient.sendMilliseconds
            )
        }
    }

    init(path: String, feed: NodeFeed, log: Log) {
        self.path = path
        self.feed = feed
        self.log = log
    }

    /// Starts the thread.
    func start() throws(SystemError) {
        feed.send(.waiting(["the agent at \(path)"]))
        try WorkerThread.start(name: "agent") { [self] in run() }
    }

    /// Ends the connection; pods stay captured.
    func stop() {
        stopping.change { $0.isOver = true }
        live.withLock { $0?.packets.interrupt() }
    }

    private func run() {
        var pods = ForeignPods()
        var backoff = ForeignAgentClient.backoffMilliseconds.lowerBound
        while true {
            do {
                let connection = try Connection(path: path)
                live.withLock { $0 = connection }
                defer { live.withLock { $0 = nil } }
                try connection.packets.send(ForeignAgentMessage.hello)
                log.info(.capture, "connected to the agent", ["socket": "\(path)"])
                pods.beginSnapshot()
                while true {
                    try converse(connection, &pods)
                    if pods.hasSnapshot {
                        backoff = ForeignAgentClient.backoffMilliseconds.lowerBound
                    }
                }
            } catch {
                guard !stopping.read({ $0.isOver }) else { return }
                log.warn(.capture, "no agent", ["socket": "\(path)", "error": "\(error)"])
            }
            guard wait(milliseconds: backoff) else { return }
            backoff = min(backoff * 2, ForeignAgentClient.backoffMilliseconds.upperBound)
        }
    }

    /// False when it is over.
    private func wait(milliseconds: Int64) -> Bool {
        let end = Process.monotonicMilliseconds + milliseconds
        return stopping.wait { state -> Monitor<Stopping>.Step<Bool> in
            if state.isOver { return .done(false) }
            let left = end - Process.monotonicMilliseconds
            return left > 0 ? .wait(milliseconds: left) : .done(true)
        }
    }

    /// One packet and its answer.
    private func converse(_ connection: Connection, _ pods: inout ForeignPods) throws {
        var packet = try connection.packets.receive(room: ForeignAgentMessage.bytesMax)
        guard !packet.bytes.isEmpty || packet.descriptorCount > 0 else {
            throw SystemError.connectionClosed
        }
        let message = try ForeignAgentMessage(packet.bytes, descriptors: packet.descriptorCount)
        let failure: String?
        switch message {
        case .add(let uid, let name, let namespace, let serviceAccount):
            guard let descriptor = packet.takeDescriptor() else {
                throw SystemError.connectionClosed
            }
            let held = try HeldNamespace(NetworkNamespace(owning: descriptor))
            var local = LocalPod(
                uid: uid,
                name: name,
                namespace: namespace,
                serviceAccount: serviceAccount,
                networkNamespacePath: held.path
            )
            failure = pods.add(&local, held) ? capture(local) : nil
        case .keep(let uid):
            failure = try pods.keep(uid)
        case .remove(let uid):
            if let released = pods.remove(uid) { release(uid, released) }
            failure = nil
        case .snapshotSent:
            let gone = try pods.endSnapshot()
            feed.send(.pods(pods.all))
            feed.send(.waiting([]))
            withExtendedLifetime(gone) {}
            log.info(.capture, "all pods told by the agent", ["pods": LogValue(pods.all.count)])
            failure = nil
        }
        try connection.packets.send(ForeignAgentMessage.acknowledgement(failure))
    }

    /// Waits until the pod is captured; the reason why it is not yet.
    private func capture(_ local: LocalPod) -> String? {
        let answer = Monitor<String??>(nil)
        feed.send(.add(local) { failure in answer.change { $0 = .some(failure) } })
        let end = Process.monotonicMilliseconds + ForeignAgentClient.answerMilliseconds
        return answer.wait { state -> Monitor<String??>.Step<String?> in
            if let failure = state { return .done(failure) }
            let left = end - Process.monotonicMilliseconds
            guard left > 0 else { return .done("the data path did not answer in time") }
            return .wait(milliseconds: left)
        }
    }

    private func release(_ uid: String, _ held: HeldNamespace) {
        let isDone = Monitor(false)
        feed.send(
            .remove(uid: uid) {
                withExtendedLifetime(held) {}
                isDone.change { $0 = true }
            }
        )
        let end = Process.monotonicMilliseconds + ForeignAgentClient.answerMilliseconds
        isDone.wait { done -> Monitor<Bool>.Step<Void> in
            let left = end - Process.monotonicMilliseconds
            return done || left <= 0 ? .done(()) : .wait(milliseconds: left)
        }
    }
}

/// The pods a foreign agent told, over all its connections.
struct ForeignPods {
    private struct Entry {
        var local: LocalPod
        var namespace: HeldNamespace
    }

    private var entries: [String: Entry] = [:]
    /// What the snapshot under way has named.
    private var named: Set<String> = []
    private(set) var hasSnapshot = false

    /// What the node should have captured.
    var all: [LocalPod] {
        entries.values.map(\.local).sorted { $0.uid < $1.uid }
    }

    /// A connection began: the agent tells everything anew.
    mutating func beginSnapshot() {
        named = []
        hasSnapshot = false
    }

    /// Takes a pod; false when it is known as it is.
    ///
    /// One known in the same namespace keeps the descriptor it has.
    mutating func add(_ local: inout LocalPod, _ namespace: HeldNamespace) -> Bool {
        named.insert(local.uid)
        if let known = entries[local.uid], known.namespace.identity == namespace.identity {
            local.networkNamespacePath = known.namespace.path
            if known.local == local { return false }
            entries[local.uid]?.local = local
            return true
        }
        entries[local.uid] = Entry(local: local, namespace: namespace)
        return true
    }

    /// A pod stays; the reason when it is not known here.
    mutating func keep(_ uid: String) throws(ForeignAgentMessage.Violation) -> String? {
        guard !hasSnapshot else {
            throw ForeignAgentMessage.Violation(reason: "KeepWorkload after the snapshot")
        }
        named.insert(uid)
        return entries[uid] == nil ? "pod \(uid) is not known here" : nil
    }

    /// A pod leaves; its namespace when it must be released now, not at the snapshot's end.
    mutating func remove(_ uid: String) -> HeldNamespace? {
        named.remove(uid)
        guard hasSnapshot else { return nil }
        return entries.removeValue(forKey: uid)?.namespace
    }

    /// The snapshot is complete: forgets what it has not named, and gives that back to be held
    /// until the node has let go.
    mutating func endSnapshot() throws(ForeignAgentMessage.Violation) -> [HeldNamespace] {
        guard !hasSnapshot else {
            throw ForeignAgentMessage.Violation(reason: "a second snapshot")
        }
        hasSnapshot = true
        let gone = entries.filter { !named.contains($0.key) }
        for uid in gone.keys { entries[uid] = nil }
        return gone.values.map(\.namespace)
    }
}
