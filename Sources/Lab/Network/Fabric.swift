internal import Mesh
internal import Netlink
internal import Reactor

/// The network between the nodes: a bridge in the supervisor's own namespace.
///
/// Nodes reach each other and the cluster's resolver as neighbours; everything else is
/// unreachable, so that nothing a lab does leaves the machine.
final class Fabric {
    private var routes: RouteSocket
    private let resolvers: [IPAddress]
    private var nodes: [String: NodeNetwork] = [:]

    /// Builds the bridge in the calling thread's network namespace, which is a new one.
    init(resolvers: [IPAddress]) throws(LabError) {
        self.resolvers = resolvers
        do {
            try NetworkParameters.setCommon(ipv6: true)
        } catch {
            throw LabError("cannot set up the network between nodes", error)
        }
        do {
            routes = try RouteSocket()
            try routes.setLink("lo", up: true)
            try routes.addBridge(InterfaceName.bridge)
            for address in resolvers where address.family == .v4 || NetworkParameters.hasIPv6 {
                try routes.addAddress(
                    address,
                    prefixLength: address.family.length,
                    to: InterfaceName.bridge
                )
            }
            try routes.setLink(InterfaceName.bridge, up: true)
        } catch {
            throw LabError(.failed, "cannot set up the network between nodes: \(error)")
        }
    }

    /// A node's network.
    func node(_ name: String) -> NodeNetwork? { nodes[name] }

    /// The bridge's index.
    func bridgeIndex() throws(LabError) -> UInt32 { try linkIndex(InterfaceName.bridge) }

    /// The index of a node's port on the bridge.
    func portIndex(ofNode name: String) throws(LabError) -> UInt32 {
        try linkIndex(InterfaceName.port(ofNode: name))
    }

    /// Makes a node's namespace, connects it, and tells all nodes the way to its pods.
    func addNode(_ plan: NodePlan) throws(LabError) {
        let port = InterfaceName.port(ofNode: plan.name)
        do {
            let node = try NodeNetwork(plan)
            try routes.addVeth(port, peer: NodeNetwork.uplink, in: node.namespace)
            try routes.setLink(port, master: InterfaceName.bridge)
            try routes.setLink(port, up: true)
            try node.connect(resolvers: resolvers)
            for other in nodes.values {
                try other.addNeighbour(plan)
                try node.addNeighbour(other.plan)
            }
            try routes.addWays(to: plan, over: InterfaceName.bridge)
            nodes[plan.name] = node
        } catch {
            throw LabError(.failed, "cannot make the network of Node \(plan.name): \(error)")
        }
    }

    /// Takes a node off the network; its namespace ends with the last that uses it.
    func removeNode(_ name: String) throws(LabError) {
        guard let node = nodes.removeValue(forKey: name) else { return }
        do {
            try routes.deleteLink(InterfaceName.port(ofNode: name))
            try routes.deleteWays(to: node.plan, over: InterfaceName.bridge)
            for other in nodes.values { try other.removeNeighbour(node.plan) }
        } catch {
            throw LabError(.failed, "cannot remove the network of Node \(name): \(error)")
        }
    }

    /// Takes a node's link to all others down or up.
    func setLink(ofNode name: String, up: Bool) throws(LabError) {
        do {
            try routes.setLink(InterfaceName.port(ofNode: name), up: up)
            nodes[name]?.isCut = !up
        } catch {
            throw LabError(.failed, "cannot switch the link of Node \(name): \(error)")
        }
    }

    private func linkIndex(_ name: String) throws(LabError) -> UInt32 {
        do {
            if let link = try routes.links().first(where: { $0.name == name }) {
                return link.index
            }
        } catch {
            throw LabError(.failed, "cannot list the links between nodes: \(error)")
        }
        throw LabError(.failed, "there is no link \(name)")
    }
}

extension RouteSocket {
    /// Adds the routes to a node that is a neighbour on a link, and through it to its pods.
    mutating func addWays(to node: NodePlan, over device: String) throws(NetlinkError) {
        for address in node.addresses {
            try addRoute(NetworkRoute(to: .host(address), device: device))
        }
        for prefix in node.podPrefixes {
            guard let gateway = node.address(prefix.address.family) else { continue }
            try addRoute(NetworkRoute(to: prefix, via: gateway, device: device))
        }
    }

    /// Takes back what `addWays` added.
    mutating func deleteWays(to node: NodePlan, over device: String) throws(NetlinkError) {
        for prefix in node.podPrefixes {
            guard let gateway = node.address(prefix.address.family) else { continue }
            try deleteRoute(NetworkRoute(to: prefix, via: gateway, device: device))
        }
        for address in node.addresses {
            try deleteRoute(NetworkRoute(to: .host(address), device: device))
        }
    }
}

extension IPAddress.Family {
    /// The length of an address in bits.
    var length: UInt8 { self == .v4 ? 32 : 128 }
}

extension IPPrefix {
    /// The block of one address.
    static func host(_ address: IPAddress) -> IPPrefix {
        guard let prefix = IPPrefix(address, length: address.family.length) else {
            preconditionFailure("a full length fits its family")
        }
        return prefix
    }

    /// The block of all addresses of a family.
    static func all(_ family: IPAddress.Family) -> IPPrefix {
        let zero = family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0)
        guard let prefix = IPPrefix(zero, length: 0) else {
            preconditionFailure("no length fits every family")
        }
        return prefix
    }
}
