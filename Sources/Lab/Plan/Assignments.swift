internal import Foundation
internal import Kubernetes
internal import Mesh

/// What the lab decided for objects that left it open: nodes, addresses, uids.
///
/// Decisions last while their object does, so that applying again changes nothing.
struct Assignments: Sendable {
    /// The most nodes of a lab, by the addresses it has for them.
    static let nodesMax = 250

    private struct Placement: Sendable {
        var node: String
        var addresses: [IPAddress]
    }

    private var nodeIndexes: [String: Int] = [:]
    private var placements: [String: Placement] = [:]
    private var serviceAddresses: [ObjectKey: [IPAddress]] = [:]
    private var lastPlans: [String: PodPlan] = [:]

    /// The node of each placed pod by `namespace/name`.
    var nodeNames: [String: String] { placements.mapValues(\.node) }

    /// Fills in everything the objects leave open.
    mutating func fill(_ objects: inout ObjectSet) throws(LabError) {
        try fillNodes(&objects)
        try placePods(&objects)
        try fillServices(&objects)
    }

    /// The plans of nodes that are filled in.
    func nodes(of objects: ObjectSet) -> [NodePlan] {
        objects.nodes.map {
            NodePlan(name: $0.metadata.name, addresses: $0.addresses, podPrefixes: $0.podCIDRs)
        }
    }

    /// The uid of a pod: the one it had if it need not be made anew.
    mutating func uid(for plan: PodPlan) -> String {
        var old = plan
        old.uid = lastPlans[plan.key]?.uid ?? ""
        if old == lastPlans[plan.key] { return old.uid }
        old.uid = UUID().uuidString.lowercased()
        lastPlans[plan.key] = old
        return old.uid
    }

    /// Gives back what was assigned to objects that are gone.
    mutating func forget(allBut objects: ObjectSet) {
        let nodes = Set(objects.nodes.map(\.metadata.name))
        nodeIndexes = nodeIndexes.filter { nodes.contains($0.key) }
        let pods = Set(objects.pods.map(Self.key))
        placements = placements.filter { pods.contains($0.key) }
        lastPlans = lastPlans.filter { pods.contains($0.key) }
        let services = Set(objects.services.map(\.key))
        serviceAddresses = serviceAddresses.filter { services.contains($0.key) }
    }

    private static func key(_ pod: Pod) -> String {
        pod.metadata.namespace + "/" + pod.metadata.name
    }
}

// MARK: - Nodes

extension Assignments {
    private mutating func fillNodes(_ objects: inout ObjectSet) throws(LabError) {
        var used = Set(nodeIndexes.values)
        var blocks: [(IPPrefix, String)] = []
        var hosts: [IPAddress: String] = [:]
        for position in objects.nodes.indices {
            let name = objects.nodes[position].metadata.name
            let index = nodeIndexes[name] ?? (0..<Self.nodesMax).first { !used.contains($0) }
            guard let index else {
                throw LabError(.data, "Node \(name): a lab has at most \(Self.nodesMax) nodes")
            }
            nodeIndexes[name] = index
            used.insert(index)
            if objects.nodes[position].podCIDRs.isEmpty {
                objects.nodes[position].podCIDRs = Self.podPrefixes(index)
            }
            let prefixes = objects.nodes[position].podCIDRs
            let families = prefixes.map(\.address.family)
            guard Set(families).count == families.count else {
                throw LabError(.data, "Node \(name): spec.podCIDRs: one block of a family only")
            }
            for family in families
            where !objects.nodes[position].addresses.contains(where: { $0.family == family }) {
                objects.nodes[position].addresses.append(Self.address(index, family))
            }
            for prefix in prefixes {
                for (other, owner) in blocks where overlaps(prefix, other) {
                    throw LabError(
                        .data,
                        "Node \(name): spec.podCIDRs: \(prefix) overlaps \(other) of Node \(owner)"
                    )
                }
                blocks.append((prefix, name))
            }
            for address in objects.nodes[position].addresses {
                if let owner = hosts.updateValue(name, forKey: address) {
                    throw LabError(
                        .data,
                        "Node \(name): status.addresses: \(address) is Node \(owner)'s, too"
                    )
                }
            }
        }
    }

    private func overlaps(_ one: IPPrefix, _ other: IPPrefix) -> Bool {
        one.contains(other.address) || other.contains(one.address)
    }

    // 10.244.INDEX.0/24 and fd00:10:244:INDEX::/64.
    private static func podPrefixes(_ index: Int) -> [IPPrefix] {
        let number = UInt32(index)
        return [
            IPPrefix(IPAddress(v4: 0x0AF4_0000 | number << 8), length: 24),
            IPPrefix(
                IPAddress(v6High: 0xFD00_0010_0244_0000 | UInt64(number), low: 0),
                length: 64
            ),
        ].compactMap { $0 }
    }

    // 172.18.0.2 on and fd00:172:18::2 on.
    private static func address(_ index: Int, _ family: IPAddress.Family) -> IPAddress {
        let number = UInt32(index) + 2
        return switch family {
        case .v4: IPAddress(v4: 0xAC12_0000 | number)
        case .v6: IPAddress(v6High: 0xFD00_0172_0018_0000, low: UInt64(number))
        }
    }
}

// MARK: - Pods

extension Assignments {
    private mutating func placePods(_ objects: inout ObjectSet) throws(LabError) {
        var nodes: [String: Node] = [:]
        for node in objects.nodes { nodes[node.metadata.name] = node }
        var load: [String: Int] = [:]
        for pod in objects.pods {
            load[placements[Self.key(pod)]?.node ?? pod.nodeName, default: 0] += 1
        }
        for position in objects.pods.indices {
            let key = Self.key(objects.pods[position])
            if objects.pods[position].nodeName.isEmpty {
                let chosen =
                    placements[key].map(\.node)
                    ?? objects.nodes.map(\.metadata.name).min {
                        load[$0, default: 0] < load[$1, default: 0]
                    }
                guard let chosen else {
                    throw LabError(.data, "Pod \(key): there is no Node to run it")
                }
                load[chosen, default: 0] += 1
                objects.pods[position].nodeName = chosen
            }
            let name = objects.pods[position].nodeName
            guard nodes[name] != nil else {
                throw LabError(.data, "Pod \(key): spec.nodeName: there is no Node \(name)")
            }
        }
        let taken = try givenAddresses(objects, nodes)
        try addressPods(&objects, nodes, taken)
    }

    // Addresses that the objects themselves give to pods.
    private func givenAddresses(
        _ objects: ObjectSet,
        _ nodes: [String: Node]
    ) throws(LabError) -> Set<IPAddress> {
        var owners: [IPAddress: String] = [:]
        for pod in objects.pods where !pod.usesHostNetwork {
            let key = Self.key(pod)
            for address in pod.addresses {
                if let owner = owners.updateValue(key, forKey: address) {
                    throw LabError(
                        .data,
                        "Pod \(key): status.podIPs: \(address) is Pod \(owner)'s, too"
                    )
                }
                let blocks = nodes[pod.nodeName]?.podCIDRs ?? []
                guard blocks.contains(where: { $0.contains(address) }),
                    !blocks.contains(where: { $0.address(at: 1) == address })
                else {
                    throw LabError(
                        .data,
                        "Pod \(key): status.podIPs: \(address) is not an address for pods of "
                            + "Node \(pod.nodeName)"
                    )
                }
            }
        }
        return Set(owners.keys)
    }

    private mutating func addressPods(
        _ objects: inout ObjectSet,
        _ nodes: [String: Node],
        _ given: Set<IPAddress>
    ) throws(LabError) {
        var used = given
        var kept: [String: [IPAddress]] = [:]
        for pod in objects.pods where pod.addresses.isEmpty && !pod.usesHostNetwork {
            guard let old = placements[Self.key(pod)], old.node == pod.nodeName,
                used.isDisjoint(with: old.addresses)
            else { continue }
            kept[Self.key(pod)] = old.addresses
            used.formUnion(old.addresses)
        }
        var pools: [IPPrefix: AddressPool] = [:]
        for node in objects.nodes {
            for prefix in node.podCIDRs {
                pools[prefix] = AddressPool(prefix, from: 2, used: used)
            }
        }
        for position in objects.pods.indices {
            let pod = objects.pods[position]
            let key = Self.key(pod)
            guard let node = nodes[pod.nodeName] else { continue }
            if pod.usesHostNetwork {
                objects.pods[position].addresses = node.addresses
            } else if pod.addresses.isEmpty {
                if let addresses = kept[key] {
                    objects.pods[position].addresses = addresses
                } else {
                    let addresses = try newAddresses(for: key, on: node, from: &pools)
                    objects.pods[position].addresses = addresses
                }
            }
            objects.pods[position].hostAddresses = node.addresses
            if pod.phase == .unknown { objects.pods[position].phase = .running }
            placements[key] = Placement(
                node: pod.nodeName,
                addresses: objects.pods[position].addresses
            )
        }
    }

    private func newAddresses(
        for key: String,
        on node: Node,
        from pools: inout [IPPrefix: AddressPool]
    ) throws(LabError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for prefix in node.podCIDRs {
            guard let address = pools[prefix]?.take() else {
                throw LabError(
                    .data,
                    "Pod \(key): \(prefix) of Node \(node.metadata.name) is full"
                )
            }
            addresses.append(address)
        }
        return addresses
    }
}

// MARK: - Services

extension Assignments {
    /// Blocks of the virtual addresses; the first hundred are left to those who choose theirs.
    private static let serviceBlocks: [IPAddress.Family: IPPrefix] = [
        .v4: IPPrefix(IPAddress(v4: 0x0A60_0000), length: 16),
        .v6: IPPrefix(IPAddress(v6High: 0xFD00_0010_0096_0000, low: 0), length: 112),
    ].compactMapValues { $0 }

    private mutating func fillServices(_ objects: inout ObjectSet) throws(LabError) {
        var owners: [IPAddress: ObjectKey] = [:]
        for service in objects.services {
            for address in service.clusterIPs {
                if let owner = owners.updateValue(service.key, forKey: address) {
                    throw LabError(
                        .data,
                        "\(service.key): spec.clusterIPs: \(address) is \(owner)'s, too"
                    )
                }
            }
        }
        let needing = objects.services.filter(Self.needsAddress)
        let kept = serviceAddresses.filter { key, _ in needing.contains { $0.key == key } }
        let used = Set(owners.keys).union(kept.values.joined()).union(Cluster.resolvers)
        var pools = Self.serviceBlocks.mapValues { AddressPool($0, from: 100, used: used) }
        let available = objects.nodes.first?.podCIDRs.map(\.address.family) ?? [.v4]
        for position in objects.services.indices where Self.needsAddress(objects.services[position])
        {
            let service = objects.services[position]
            let families = Self.families(of: service, available: available)
            if let old = serviceAddresses[service.key], old.map(\.family) == families {
                objects.services[position].clusterIPs = old
                continue
            }
            var addresses: [IPAddress] = []
            for family in families {
                guard let address = pools[family]?.take() else {
                    throw LabError(.data, "\(service.key): there is no virtual address left")
                }
                addresses.append(address)
            }
            serviceAddresses[service.key] = addresses
            objects.services[position].clusterIPs = addresses
        }
    }

    private static func needsAddress(_ service: Kubernetes.Service) -> Bool {
        service.clusterIPs.isEmpty && !service.isHeadless && !service.isExternalName
    }

    // As Kubernetes: one family, the cluster's first, unless the service asks for more.
    private static func families(
        of service: Kubernetes.Service,
        available: [IPAddress.Family]
    ) -> [IPAddress.Family] {
        let wanted = service.ipFamilies.isEmpty ? available : service.ipFamilies
        switch service.ipFamilyPolicy {
        case .preferDualStack, .requireDualStack:
            return wanted + available.filter { !wanted.contains($0) }
        case .singleStack:
            return Array(wanted.prefix(1))
        case nil:
            return service.ipFamilies.isEmpty ? Array(wanted.prefix(1)) : wanted
        }
    }
}
