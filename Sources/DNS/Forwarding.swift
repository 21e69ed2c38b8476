package import Mesh

/// The queries that wait for an answer of a nameserver; pure, one per worker.
///
/// Each goes out under a random id of ours, and an answer is taken only from the nameserver it was
/// sent to, once, with that id and the same question: what a stranger sends blindly is not passed
/// on to a pod. Send each from a socket of its own (`PodSocket.nameQuery`), whose random port a
/// forger has to hit as well. Nothing is cached, so there is nothing to poison.
package struct Forwarding<Client: Sendable>: Sendable {
    /// Queries that may wait at once.
    package let pendingMax: Int
    /// Nanoseconds until a query counts as unanswered.
    package let timeout: UInt64

    private struct Pending {
        let client: Client
        let id: UInt16
        let question: DNSMessage.Question
        let nameserver: SocketAddress
        let query: [UInt8]
        let deadline: UInt64
    }

    private var pending: [UInt16: Pending] = [:]
    /// Our ids in the order of their deadlines; ids that were answered are passed over.
    private var order: [(id: UInt16, deadline: UInt64)] = []
    private var orderStart = 0

    /// Makes an empty one; `pendingMax` is at most 32768, so that a free id is found at once.
    package init(pendingMax: Int = 1024, timeout: UInt64 = 5_000_000_000) {
        self.pendingMax = min(max(1, pendingMax), 32768)
        self.timeout = timeout
    }

    /// How many queries wait.
    package var count: Int { pending.count }

    /// When `expire` has something to do; nil while nothing waits.
    package var nextDeadline: UInt64? {
        order[orderStart...].first { pending[$0.id]?.deadline == $0.deadline }?.deadline
    }

    /// Takes a query and returns the bytes to send; nil when it is none or too many wait.
    ///
    /// `now` is monotonic time in nanoseconds.
    package mutating func send(
        _ query: [UInt8],
        for client: Client,
        to nameserver: SocketAddress,
        now: UInt64,
        using random: inout some RandomNumberGenerator
    ) -> [UInt8]? {
        guard pending.count < pendingMax, let message = try? DNSMessage(query),
            !message.flags.isResponse, message.questions.count == 1,
            let question = message.questions.first
        else { return nil }
        var id = UInt16.random(in: 0 ... .max, using: &random)
        while pending[id] != nil { id = UInt16.random(in: 0 ... .max, using: &random) }
        let deadline = now &+ timeout
        pending[id] = Pending(
            client: client,
            id: message.id,
            question: question,
            nameserver: nameserver,
            query: query,
            deadline: deadline
        )
        order.append((id: id, deadline: deadline))
        return Self.withID(query, id)
    }

    /// Takes an answer; nil when it is not one to a query that waits, which then goes on waiting.
    package mutating func receive(
        _ reply: [UInt8],
        from nameserver: SocketAddress
    ) -> (client: Client, reply: [UInt8])? {
        guard let message = try? DNSMessage(reply), message.flags.isResponse,
            let waiting = pending[message.id], waiting.nameserver == nameserver,
            Self.answers(message, waiting.question)
        else { return nil }
        pending[message.id] = nil
        compact()
        return (waiting.client, Self.withID(reply, waiting.id))
    }

    /// Gives up on the queries whose time is over, with the failure to tell each client.
    package mutating func expire(now: UInt64) -> [(client: Client, reply: [UInt8])] {
        var expired: [(client: Client, reply: [UInt8])] = []
        while orderStart < order.count, order[orderStart].deadline <= now {
            let entry = order[orderStart]
            orderStart += 1
            guard let waiting = pending[entry.id], waiting.deadline == entry.deadline else {
                continue
            }
            pending[entry.id] = nil
            if let reply = Resolver.failure(waiting.query) {
                expired.append((waiting.client, reply))
            }
        }
        compact()
        return expired
    }

    /// Drops the done part of the order once it is most of it.
    private mutating func compact() {
        if pending.isEmpty {
            order.removeAll(keepingCapacity: true)
            orderStart = 0
        } else if order.count > 64, order.count > pending.count * 2 {
            order = order[orderStart...].filter { pending[$0.id]?.deadline == $0.deadline }
            orderStart = 0
        }
    }

    /// Whether a response is to the question; one without any is taken only as a failure.
    private static func answers(_ message: DNSMessage, _ asked: DNSMessage.Question) -> Bool {
        guard let repeated = message.questions.first else {
            return message.flags.code != 0 && message.counts[0] == 0
        }
        return message.questions.count == 1 && repeated.type == asked.type
            && repeated.queryClass == asked.queryClass && repeated.name.matches(asked.name)
    }

    private static func withID(_ message: [UInt8], _ id: UInt16) -> [UInt8] {
        [UInt8(id >> 8), UInt8(id & 0xFF)] + message.dropFirst(2)
    }
}
