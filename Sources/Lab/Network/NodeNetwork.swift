internal import Mesh
internal import Netlink
internal import Reactor

/// The network namespace of a node: one link to the other nodes and one to each of its pods.
final class NodeNetwork {
    /// The node's interface towards the others.
    static let uplink = "eth0"
    /// A pod's only interface.
    static let podInterface = "eth0"

    let plan: NodePlan
    let namespace: NetworkNamespace
    private var routes: RouteSocket
    /// The rules for virtual addresses that are in force.
    var serviceRules = ""
    /// Whether the link to the other nodes is down.
    var isCut = false

    /// Makes the namespace with forwarding on and `lo` up.
    init(_ plan: NodePlan) throws {
        self.plan = plan
        let namespace = try NetworkNamespace.create()
        try namespace.run { () throws(SystemError) in
            try NetworkParameters.setCommon(ipv6: true)
            try NetworkParameters.setForwarding()
        }
        routes = try RouteSocket(in: namespace)
        self.namespace = namespace
        try routes.setLink("lo", up: true)
    }

    /// Brings the uplink up with the node's addresses and the way to the cluster's resolver.
    func connect(resolvers: [IPAddress]) throws(NetlinkError) {
        try routes.setLink(
            Self.uplink,
            hardwareAddress: InterfaceName.hardwareAddress(ofNode: plan.name)
        )
        for address in plan.addresses {
            try routes.addAddress(
                address,
                prefixLength: address.family.length,
                to: Self.uplink
            )
        }
        try routes.setLink(Self.uplink, up: true)
        for resolver in resolvers where plan.address(resolver.family) != nil {
            try routes.addRoute(NetworkRoute(to: .host(resolver), device: Self.uplink))
        }
    }

    /// Adds the routes to another node and its pods.
    func addNeighbour(_ other: NodePlan) throws(NetlinkError) {
        try routes.addWays(to: shared(with: other), over: Self.uplink)
    }

    /// Removes the routes to a node that is gone.
    func removeNeighbour(_ other: NodePlan) throws(NetlinkError) {
        try routes.deleteWays(to: shared(with: other), over: Self.uplink)
    }

    /// Connects a pod: its interface, its addresses, the node as its way out.
    func attach(_ pod: PodPlan, _ podNamespace: borrowing NetworkNamespace) throws {
        let hasIPv6 = pod.addresses.contains { $0.family == .v6 }
        try podNamespace.run { () throws(SystemError) in
            try NetworkParameters.setCommon(ipv6: hasIPv6)
        }
        var inside = try RouteSocket(in: podNamespace)
        try inside.setLink("lo", up: true)
        let link = InterfaceName.link(ofPod: pod.key)
        try routes.addVeth(link, peer: Self.podInterface, in: podNamespace)
        for address in pod.addresses {
            try inside.addAddress(
                address,
                prefixLength: address.family.length,
                to: Self.podInterface
            )
        }
        try inside.setLink(Self.podInterface, up: true)
        let gateways = plan.gateways.filter { gateway in
            pod.addresses.contains { $0.family == gateway.family }
        }
        for gateway in gateways {
            try routes.addAddress(gateway, prefixLength: gateway.family.length, to: link)
        }
        try routes.setLink(link, up: true)
        for address in pod.addresses {
            try routes.addRoute(NetworkRoute(to: .host(address), device: link))
        }
        for gateway in gateways {
            try inside.addRoute(NetworkRoute(to: .host(gateway), device: Self.podInterface))
            try inside.addRoute(
                NetworkRoute(to: .all(gateway.family), via: gateway, device: Self.podInterface)
            )
        }
    }

    /// Disconnects a pod; its routes go with the interface.
    func detach(_ key: String) throws(NetlinkError) {
        try routes.deleteLink(InterfaceName.link(ofPod: key))
    }

    // What of another node can be reached: the families both have.
    private func shared(with other: NodePlan) -> NodePlan {
        var other = other
        other.addresses.removeAll { plan.address($0.family) == nil }
        other.podPrefixes.removeAll { plan.address($0.address.family) == nil }
        return other
    }
}
