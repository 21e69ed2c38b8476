package import Mesh
internal import Synchronization

/// All resources that discovery serves; any thread may change it.
///
/// Each resource is encoded once per change, before the lock is taken. What a change costs does
/// not depend on how much the store holds.
package final class ResourceStore: Sendable {
    /// How it works.
    package struct Settings: Sendable {
        /// The namespace whose policies every node gets.
        package var rootNamespace = "ambit-system"
        /// A change goes out after this much silence.
        package var quietMilliseconds = 10
        /// A change goes out after this long, however many follow it.
        package var debounceMilliseconds = 100
        /// Changes kept for clients that are behind, beyond those that make up the resources; who
        /// falls behind further is cut off and resumes.
        package var lagMax = 1_000_000

        /// The defaults.
        package init() {}
    }

    /// How much is in it.
    package struct Statistics: Sendable, Equatable {
        /// Resources by type URL.
        package var resources: [String: Int] = [:]
        /// Changes kept, superseded ones not swept yet included.
        package var changesKept = 0
        /// Clients registered.
        package var clients = 0
    }

    struct State {
        var logs = [ResourceLog](repeating: ResourceLog(), count: ResourceType.allCases.count)
        /// The last sequence number given.
        var sequence: UInt64 = 0
        var presence = NodePresence()
        var lookup = ResourceLookup()
        var clients: [ObjectIdentifier: Position] = [:]
        /// When the first change happened that clients were not told of yet.
        var dirtySince: ContinuousClock.Instant?
        var lastChange = ContinuousClock.now
        /// When the first change of those last told happened.
        var toldSince = ContinuousClock.now
    }

    /// Where a client stands.
    struct Position {
        let wake: @Sendable () -> Void
        /// By type; nil while the client does not follow it.
        var cursors = [UInt64?](repeating: nil, count: ResourceType.allCases.count)
        var isLost = false
    }

    let settings: Settings
    let state = Mutex(State())
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    /// Starts empty.
    package init(settings: Settings = Settings()) {
        self.settings = settings
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Sets and removes what a change names; clients hear of it after the debounce.
    ///
    /// A resource set to what it was already is no change.
    package func apply(_ change: MeshChange) {
        let workloads = change.workloads.map { (EncodedResource($0), WorkloadPlace($0)) }
        let others =
            change.services.map { (ResourceType.address, EncodedResource($0)) }
            + change.policies.map {
                (
                    ResourceType.authorization,
                    EncodedResource($0, rootNamespace: settings.rootNamespace)
                )
            }
        let hasChanged = state.withLock { state in
            let before = state.sequence
            for name in change.removedPolicies { state.remove(.authorization, name) }
            for name in change.removedServices { state.remove(.address, name) }
            for uid in change.removedWorkloads {
                state.remove(.address, uid)
                state.move(uid, to: nil)
            }
            for (type, resource) in others { state.set(type, resource) }
            for (resource, place) in workloads {
                // The namespace comes to the node first: its policies go out before the workload.
                state.move(resource.name, to: place)
                state.set(.address, resource)
            }
            return noteChange(&state, since: before)
        }
        if hasChanged { changed.yield() }
    }

    /// Sets the revocation lists that are in force, with the certificates of their authorities;
    /// nil for none.
    package func setRevocations(_ text: String?) {
        let resource = text.map { EncodedResource(revocationLists: $0) }
        let hasChanged = state.withLock { state in
            let before = state.sequence
            if let resource {
                state.set(.revocation, resource)
            } else {
                state.remove(.revocation, EncodedResource.revocationName)
            }
            return noteChange(&state, since: before)
        }
        if hasChanged { changed.yield() }
    }

    private func noteChange(_ state: inout State, since before: UInt64) -> Bool {
        guard state.sequence != before else { return false }
        let now = ContinuousClock.now
        state.dirtySince = state.dirtySince ?? now
        state.lastChange = now
        state.sweep(lagMax: settings.lagMax)
        return true
    }

    /// How much is in it now.
    package var statistics: Statistics {
        state.withLock { state in
            var statistics = Statistics()
            for type in ResourceType.allCases {
                statistics.resources[type.typeURL] = state.logs[type.rawValue].count
                statistics.changesKept += state.logs[type.rawValue].slots.count
            }
            statistics.clients = state.clients.count
            return statistics
        }
    }

    /// Tells clients of changes once these pause; runs until its task is cancelled.
    func tellClients(_ timers: ControlLoop) async {
        for await _ in changes {
            while let wait = state.withLock({ debounce(&$0) }) {
                do { try await timers.wait(for: wait) } catch { return }
            }
        }
    }

    /// How long still to wait for more changes; nil when there is nothing to wait for any more.
    private func debounce(_ state: inout State) -> Duration? {
        guard let since = state.dirtySince else { return nil }
        let now = ContinuousClock.now
        let quietEnd = state.lastChange + .milliseconds(settings.quietMilliseconds)
        let end = min(quietEnd, since + .milliseconds(settings.debounceMilliseconds))
        if now < end { return end - now }
        state.dirtySince = nil
        state.toldSince = since
        for client in state.clients.values { client.wake() }
        return nil
    }
}

extension ResourceStore.State {
    mutating func set(_ type: ResourceType, _ resource: EncodedResource) {
        let old = logs[type.rawValue][resource.name]
        guard logs[type.rawValue].set(resource, sequence: sequence + 1) else { return }
        sequence += 1
        if let old { lookup.remove(old) }
        lookup.add(resource)
    }

    mutating func remove(_ type: ResourceType, _ name: String) {
        guard let old = logs[type.rawValue].remove(name, sequence: sequence + 1) else { return }
        sequence += 1
        lookup.remove(old)
    }

    /// Keeps account of which namespaces a node needs the policies of.
    mutating func move(_ uid: String, to place: WorkloadPlace?) {
        for (node, namespace) in presence.move(uid, to: place) {
            sequence += 1
            logs[ResourceType.authorization.rawValue]
                .note(node: node, namespace: namespace, sequence: sequence)
        }
    }

    mutating func sweep(lagMax: Int) {
        for type in ResourceType.allCases where logs[type.rawValue].isSweepDue {
            sweep(type)
            let log = logs[type.rawValue]
            guard log.slots.count - log.count > lagMax else { continue }
            // What the slowest half-way back has not seen is given up for those behind it.
            for (id, client) in clients {
                guard let cursor = client.cursors[type.rawValue] else { continue }
                if log.index(after: cursor) < log.slots.count / 2 {
                    clients[id]?.isLost = true
                    client.wake()
                }
            }
            sweep(type)
        }
    }

    private mutating func sweep(_ type: ResourceType) {
        var seen = sequence
        for client in clients.values where !client.isLost {
            if let cursor = client.cursors[type.rawValue] { seen = min(seen, cursor) }
        }
        logs[type.rawValue].sweep(seenByAll: seen)
    }
}
