/// All objects of the kinds that are read here, by kind, in the order they came.
///
/// Fields are mutable so that the lab can fill in what a cluster's other programs would.
package struct ObjectSet: Sendable, Equatable {
    package var namespaces: [Namespace] = []
    package var nodes: [Node] = []
    package var serviceAccounts: [ServiceAccount] = []
    package var pods: [Pod] = []
    package var services: [Service] = []
    package var endpointSlices: [EndpointSlice] = []
    package var authorizationPolicies: [AuthorizationPolicy] = []
    package var peerAuthentications: [PeerAuthentication] = []
    package var gateways: [Gateway] = []

    /// Makes an empty set.
    package init() {}

    /// The keys of all objects.
    package var keys: [ObjectKey] {
        namespaces.map(\.key) + nodes.map(\.key) + serviceAccounts.map(\.key) + pods.map(\.key)
            + services.map(\.key) + endpointSlices.map(\.key) + authorizationPolicies.map(\.key)
            + peerAuthentications.map(\.key) + gateways.map(\.key)
    }

    /// Adds the objects of `other`, each in place of the one with the same key if there is one.
    package mutating func apply(_ other: ObjectSet) {
        Self.merge(other.namespaces, into: &namespaces)
        Self.merge(other.nodes, into: &nodes)
        Self.merge(other.serviceAccounts, into: &serviceAccounts)
        Self.merge(other.pods, into: &pods)
        Self.merge(other.services, into: &services)
        Self.merge(other.endpointSlices, into: &endpointSlices)
        Self.merge(other.authorizationPolicies, into: &authorizationPolicies)
        Self.merge(other.peerAuthentications, into: &peerAuthentications)
        Self.merge(other.gateways, into: &gateways)
    }

    /// Removes the objects with these keys; keys of objects that are not there are ignored.
    package mutating func delete(_ keys: some Sequence<ObjectKey>) {
        let keys = Set(keys)
        namespaces.removeAll { keys.contains($0.key) }
        nodes.removeAll { keys.contains($0.key) }
        serviceAccounts.removeAll { keys.contains($0.key) }
        pods.removeAll { keys.contains($0.key) }
        services.removeAll { keys.contains($0.key) }
        endpointSlices.removeAll { keys.contains($0.key) }
        authorizationPolicies.removeAll { keys.contains($0.key) }
        peerAuthentications.removeAll { keys.contains($0.key) }
        gateways.removeAll { keys.contains($0.key) }
    }

    private static func merge<Element: Object>(_ new: [Element], into old: inout [Element]) {
        guard !new.isEmpty else { return }
        var places: [ObjectKey: Int] = [:]
        for (index, object) in old.enumerated() { places[object.key] = index }
        for object in new {
            if let index = places[object.key] {
                old[index] = object
            } else {
                places[object.key] = old.count
                old.append(object)
            }
        }
    }
}
