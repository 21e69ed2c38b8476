internal import AmbientProtocol
internal import Mesh

/// What a client knows from one connection to the next; no input or output.
struct ClientState: Sendable {
    /// What one response led to.
    struct Step: Sendable {
        var events: [DiscoveryClient.Event] = []
        var rejections: [ResourceRejection] = []
    }

    private(set) var held = HeldResources()
    /// Gathered until the first sync of all types is through; nil from then on.
    private var gathered: MeshChange? = MeshChange()
    private var synced: Set<ResourceType> = []

    /// A new connection: a sync that was under way begins anew, as to its end.
    mutating func beginConnection() {
        if gathered != nil { synced = [] }
    }

    mutating func take(
        _ response: Envoy_Service_Discovery_V3_DeltaDiscoveryResponse,
        _ type: ResourceType
    ) -> Step {
        let outcome = held.take(response, type)
        var step = Step(rejections: outcome.rejections)
        switch outcome.revocation {
        case .lists(let text): step.events = [.revocations(text)]
        case .nothing: step.events = [.revocations(nil)]
        case nil: break
        }
        guard gathered != nil else {
            if !outcome.change.isEmpty { step.events.append(.change(outcome.change)) }
            return step
        }
        gathered?.append(outcome.change, replacing: outcome.replaces)
        if response.systemVersionInfo != EncodedResponse.partial { synced.insert(type) }
        if synced.isSuperset(of: ResourceType.ofMesh), let all = gathered {
            gathered = nil
            step.events += [.change(all), .synced]
        }
        return step
    }
}

extension MeshChange {
    /// Adds what came after: what is set is not removed any more, and the other way round.
    ///
    /// `replacing` says that it may touch what is here already.
    fileprivate mutating func append(_ later: MeshChange, replacing: Bool) {
        if replacing {
            let uids = Set(later.workloads.map(\.uid) + later.removedWorkloads)
            if !uids.isEmpty { workloads.removeAll { uids.contains($0.uid) } }
            let keys = Set(later.services.map(\.key) + later.removedServices)
            if !keys.isEmpty { services.removeAll { keys.contains($0.key) } }
            let names = Set(later.policies.map(\.key) + later.removedPolicies)
            if !names.isEmpty { policies.removeAll { names.contains($0.key) } }
        }
        workloads += later.workloads
        services += later.services
        policies += later.policies
    }
}
