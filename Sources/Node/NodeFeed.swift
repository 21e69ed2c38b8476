package import Mesh
package import Reactor

/// The way into a node from its other threads: what the mesh is, and which pods to capture.
///
/// Any thread may send; the control thread takes. Nothing is answered before the control thread
/// has done it.
package final class NodeFeed: Sendable {
    /// One piece of news.
    package enum Message: Sendable {
        /// The whole mesh, in place of what was known.
        case mesh(MeshState)
        /// What changed since; ignored for keys it does not name.
        case change(MeshChange)
        /// The revocation lists there are now, PEM; nil for none.
        case revocations(String?)
        /// All pods of the node that are enrolled, in place of those before.
        case pods([LocalPod])
        /// One more pod, or another state of one; answered when it is captured, or with the reason
        /// why it is not, which stays pending and is tried again.
        case add(LocalPod, answer: @Sendable (_ failure: String?) -> Void)
        /// A pod that left, by uid; answered when its capture is gone.
        case remove(uid: String, answer: @Sendable () -> Void)
        /// The control plane is there again, as whoever signs certificates will be.
        case controlPlaneFound
        /// What readiness waits for beside what the node knows itself; empty for nothing.
        case waiting([String])
        /// The agent has done what it had to do at the end; until then the node goes on.
        case finished
    }

    /// What became of a pod's capture.
    package enum Outcome: Sendable, Equatable {
        case captured
        case pending(reason: String)
        case released
    }

    let mailbox: Mailbox<Message>
    /// Called on the control thread for each change of a pod's capture: hand it on and return.
    package let onOutcome: @Sendable (LocalPod, Outcome) -> Void
    /// Called on the control thread when the node begins to drain: hand it on and return.
    ///
    /// Whoever takes it sends `finished` within seconds; nil when nobody does.
    package let onDrain: (@Sendable () -> Void)?

    /// Makes a feed nobody reads yet; what is sent waits.
    package init(
        onOutcome: @escaping @Sendable (LocalPod, Outcome) -> Void = { _, _ in },
        onDrain: (@Sendable () -> Void)? = nil
    ) throws(SystemError) {
        self.mailbox = try Mailbox()
        self.onOutcome = onOutcome
        self.onDrain = onDrain
    }

    /// Leaves a message.
    package func send(_ message: Message) {
        mailbox.send(message)
    }
}
