/// What one client follows of one type, and how far it has come.
struct Subscription: Sendable {
    /// Everything, not just what is named.
    var isWildcard: Bool
    /// What it asked for by name.
    var names: Set<String> = []
    /// Services it asked for by address: their workloads come with them.
    var followed: Set<String> = []
    /// Names it waits for an answer about, known or not.
    var due: Set<String> = []
    /// Names to tell it are gone.
    var gone: [String] = []
    /// Where it stands in the log.
    var cursor: UInt64
    /// The end of the log when it subscribed: until there it catches up.
    let start: UInt64
    /// Versions it held when it subscribed and that were not met in the log yet.
    var held: [String: String]
    /// Names it was sent; kept only for those who do not get everything.
    var sent: Set<String> = []
    /// Whether a response must go out even with nothing in it.
    var owesResponse = true
    /// Responses not acknowledged yet, oldest first.
    var inFlight: [Flight] = []

    /// A response under way.
    struct Flight: Sendable {
        let nonce: String
        /// When the oldest change in it happened; nil for what was asked for.
        let since: ContinuousClock.Instant?
    }

    init(isWildcard: Bool, names: Set<String>, held: [String: String], head: UInt64) {
        self.isWildcard = isWildcard
        self.names = names
        self.due = names
        self.held = held
        self.start = head
        self.cursor = isWildcard ? 0 : head
    }

    /// Whether it catches up still.
    var isCatchingUp: Bool { cursor < start || !held.isEmpty }

    /// Whether a resource is among what was asked for by name, address or service.
    func wants(_ resource: EncodedResource) -> Bool {
        names.contains(resource.name) || sent.contains(resource.name)
            || resource.aliases.contains(where: names.contains)
            || resource.services.contains { names.contains($0) || followed.contains($0) }
    }

    /// Takes an acknowledgement; nil for a nonce that is not awaited.
    ///
    /// Answers to older responses count with it.
    mutating func acknowledge(_ nonce: String) -> [Flight]? {
        guard let index = inFlight.firstIndex(where: { $0.nonce == nonce }) else { return nil }
        let answered = Array(inFlight[...index])
        inFlight.removeFirst(index + 1)
        return answered
    }

    mutating func subscribe(_ new: [String]) {
        for name in new {
            if name == "*" {
                if !isWildcard { (isWildcard, cursor) = (true, 0) }
            } else {
                names.insert(name)
                due.insert(name)
            }
        }
    }

    mutating func unsubscribe(_ old: [String]) {
        for name in old {
            if name == "*" {
                isWildcard = false
            } else {
                names.remove(name)
                followed.remove(name)
                due.remove(name)
            }
        }
    }
}
