/// What a client is, as far as it decides what it is sent.
struct ClientScope: Sendable {
    /// Gets only the policies of namespaces on this node; nil for all policies.
    var policiesOfNode: String?
    /// Understands that a response is part of a sync.
    var takesPartial: Bool
}

/// How much is done in one go.
private enum Batch {
    /// Slots looked at while the store is locked.
    static let slotsMax = 4096
    /// Names answered while the store is locked.
    static let namesMax = 512
    static let resourcesMax = 1000
    static let bytesMax = 2 << 20
    /// For a client that takes no parts: all its sync in one message, below its limit of 200 MiB.
    static let wholeBytesMax = 160 << 20
}

extension Subscription {
    /// Moves on in the log and fills a response; false when there is nothing more for now.
    ///
    /// The caller holds the store's lock and calls again while it says true. `limit` is where
    /// reading ends.
    mutating func read(
        _ state: ResourceStore.State,
        _ type: ResourceType,
        _ scope: ClientScope,
        limit: UInt64,
        into response: inout EncodedResponse
    ) -> Bool {
        let node = type == .authorization ? scope.policiesOfNode : nil
        answer(state, type, node: node, into: &response)
        let log = state.logs[type.rawValue]
        var index = log.index(after: cursor)
        let end = min(log.slots.count, index + Batch.slotsMax)
        while index < end, log.slots[index].sequence <= limit {
            guard !isFull(response, scope) else { return false }
            let slot = log.slots[index]
            read(slot, state, node: node, into: &response)
            cursor = slot.sequence
            index += 1
        }
        if index < log.slots.count, log.slots[index].sequence <= limit { return true }
        cursor = max(cursor, limit)
        if cursor >= start, !held.isEmpty { forgetHeld(log) }
        while let name = gone.popLast() {
            response.remove(name)
            if isFull(response, scope) { return false }
        }
        return !due.isEmpty
    }

    /// Whether a response is to go out before more is put into it.
    func isFull(_ response: EncodedResponse, _ scope: ClientScope) -> Bool {
        if scope.takesPartial || !isCatchingUp {
            return response.count >= Batch.resourcesMax || response.bytes >= Batch.bytesMax
        }
        return response.bytes >= Batch.wholeBytesMax
    }

    /// Whether anything is left to send up to a place.
    func hasMore(limit: UInt64) -> Bool {
        cursor < limit || !due.isEmpty || !gone.isEmpty || !held.isEmpty
    }

    private mutating func read(
        _ slot: ResourceLog.Slot,
        _ state: ResourceStore.State,
        node: String?,
        into response: inout EncodedResponse
    ) {
        switch slot.content {
        case .resource(let resource):
            let version = held.removeValue(forKey: resource.name)
            guard isWildcard else {
                if wants(resource) { send(resource, into: &response) }
                return
            }
            if let node {
                guard Self.isVisible(resource, state, node) else {
                    let knew = sent.remove(resource.name) != nil || version != nil
                    if knew { response.remove(resource.name) }
                    return
                }
                sent.insert(resource.name)
            }
            if version != resource.version { response.add(resource, withAliases: false) }
        case .removed(let name):
            guard slot.sequence > start || held.removeValue(forKey: name) != nil else { return }
            let knows = isWildcard && node == nil || names.contains(name)
            if sent.remove(name) != nil || knows { response.remove(name) }
        case .scope(let changed, let namespace):
            guard isWildcard, changed == node else { return }
            if state.presence.contains(node: changed, namespace: namespace) {
                for name in state.lookup.policies(ofNamespace: namespace)
                where !sent.contains(name) { due.insert(name) }
            } else {
                let left = sent.filter { $0.utf8.starts(with: (namespace + "/").utf8) }
                let log = state.logs[ResourceType.authorization.rawValue]
                for name in left where log[name]?.scope != nil {
                    sent.remove(name)
                    response.remove(name)
                }
            }
        case .empty: break
        }
    }

    private static func isVisible(
        _ policy: EncodedResource,
        _ state: ResourceStore.State,
        _ node: String
    ) -> Bool {
        guard let namespace = policy.scope else { return true }
        return state.presence.contains(node: node, namespace: namespace)
    }

    private mutating func send(_ resource: EncodedResource, into response: inout EncodedResponse) {
        sent.insert(resource.name)
        response.add(resource, withAliases: !isWildcard)
    }

    /// Answers names the client asked for, with what it is or with their absence.
    private mutating func answer(
        _ state: ResourceStore.State,
        _ type: ResourceType,
        node: String?,
        into response: inout EncodedResponse
    ) {
        var answered = 0
        while answered < Batch.namesMax, let name = due.popFirst() {
            answered += 1
            let log = state.logs[type.rawValue]
            var found: Set<String> = []
            if let known = log[name], node.map({ Self.isVisible(known, state, $0) }) ?? true {
                found = [name]
            }
            if type == .address {
                if found.isEmpty { found = state.lookup.names(alias: name) }
                for key in found {
                    let members = state.lookup.workloads(ofService: key)
                    if !members.isEmpty, key != name { followed.insert(key) }
                    found.formUnion(members)
                }
            }
            if found.isEmpty { response.remove(name) }
            for one in found {
                if let resource = log[one] { send(resource, into: &response) }
            }
        }
    }

    /// What it held and the log does not know any more is gone.
    private mutating func forgetHeld(_ log: ResourceLog) {
        for name in held.keys where log[name] == nil { gone.append(name) }
        held = [:]
    }
}
