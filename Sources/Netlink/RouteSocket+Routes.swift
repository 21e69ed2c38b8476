internal import CNetfilter
internal import Glibc
package import Mesh

/// A route to add: where to, over what, in which table.
package struct NetworkRoute: Sendable, Hashable {
    /// What the route does with a packet.
    package enum Kind: Sendable, Hashable { case unicast, local, blackhole }

    package var destination: IPPrefix
    package var gateway: IPAddress?
    /// The name of the interface; needed unless the gateway is on a known link.
    package var device: String?
    package var table: UInt32
    package var kind: Kind
    /// The address that packets leave with; nil lets the kernel choose.
    package var preferredSource: IPAddress?

    /// Makes a unicast route of the main table.
    package init(
        to destination: IPPrefix,
        via gateway: IPAddress? = nil,
        device: String? = nil,
        table: UInt32 = 254,
        kind: Kind = .unicast,
        preferredSource: IPAddress? = nil
    ) {
        self.destination = destination
        self.gateway = gateway
        self.device = device
        self.table = table
        self.kind = kind
        self.preferredSource = preferredSource
    }
}

extension RouteSocket {
    /// Adds a route, replacing one to the same destination in the same table.
    package mutating func addRoute(_ route: NetworkRoute) throws(NetlinkError) {
        let flags = Int32(NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK)
        let message = try message(ambit_RTM_NEWROUTE, flags: flags, route)
        try request("add route to \(text(route))", message)
    }

    /// Takes a route away; absent is fine.
    package mutating func deleteRoute(_ route: NetworkRoute) throws(NetlinkError) {
        let message = try message(ambit_RTM_DELROUTE, flags: NLM_F_ACK, route)
        try tolerating(ESRCH, "delete route to \(text(route))", message)
    }

    /// Makes a table treat every destination as this host's own (`local default dev lo`).
    package mutating func addLocalDefaultRoute(
        table: UInt32,
        family: IPAddress.Family
    ) throws(NetlinkError) {
        try addRoute(localDefault(table, family))
    }

    /// Takes back what `addLocalDefaultRoute` added; absent is fine.
    package mutating func deleteLocalDefaultRoute(
        table: UInt32,
        family: IPAddress.Family
    ) throws(NetlinkError) {
        try deleteRoute(localDefault(table, family))
    }

    /// Whether a table holds the route that `addLocalDefaultRoute` adds.
    package mutating func hasLocalDefaultRoute(
        table: UInt32,
        family: IPAddress.Family
    ) throws(NetlinkError) -> Bool {
        var wanted = rtmsg()
        wanted.rtm_family = family.protocolFamily
        let message = RouteMessage(
            ambit_RTM_GETROUTE,
            flags: Int32(NLM_F_ROOT | NLM_F_MATCH),
            wanted
        )
        for reply in try list("list routes", message) where reply.type == ambit_RTM_NEWROUTE {
            guard let found = reply.family(rtmsg.self) else { continue }
            let attributes = reply.attributes(after: rtmsg.self)
            let inTable = RouteReply.number(attributes[ambit_RTA_TABLE]) ?? UInt32(found.rtm_table)
            if inTable == table, found.rtm_family == family.protocolFamily,
                found.rtm_dst_len == 0, UInt32(found.rtm_type) == UInt32(RTN_LOCAL)
            {
                return true
            }
        }
        return false
    }

    private func localDefault(_ table: UInt32, _ family: IPAddress.Family) -> NetworkRoute {
        NetworkRoute(to: .everything(family), device: "lo", table: table, kind: .local)
    }

    private mutating func message(
        _ type: UInt16,
        flags: Int32,
        _ route: NetworkRoute
    ) throws(NetlinkError) -> RouteMessage {
        var family = rtmsg()
        family.rtm_family = route.destination.address.family.protocolFamily
        family.rtm_dst_len = route.destination.length
        family.rtm_protocol = UInt8(RTPROT_STATIC)
        switch route.kind {
        case .unicast:
            family.rtm_type = UInt8(RTN_UNICAST)
            let scope = route.gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
            family.rtm_scope = UInt8(scope.rawValue)
        case .local:
            family.rtm_type = UInt8(RTN_LOCAL)
            family.rtm_scope = UInt8(RT_SCOPE_HOST.rawValue)
        case .blackhole:
            family.rtm_type = UInt8(RTN_BLACKHOLE)
        }
        var index: UInt32?
        if let device = route.device { index = try self.index(of: device) }
        var message = RouteMessage(type, flags: flags, family)
        if route.destination.length > 0 {
            message.put(ambit_RTA_DST, route.destination.address.bytes)
        }
        if let gateway = route.gateway { message.put(ambit_RTA_GATEWAY, gateway.bytes) }
        if let source = route.preferredSource { message.put(ambit_RTA_PREFSRC, source.bytes) }
        if let index { message.put(ambit_RTA_OIF, index) }
        message.put(ambit_RTA_TABLE, route.table)
        return message
    }

    private func text(_ route: NetworkRoute) -> String {
        let prefix = Netlink.text(route.destination.address) + "/\(route.destination.length)"
        return "\(prefix) in table \(route.table)"
    }
}

extension IPPrefix {
    /// The block of all addresses of a family.
    package static func everything(_ family: IPAddress.Family) -> IPPrefix {
        let zero = family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0)
        guard let prefix = IPPrefix(zero, length: 0) else {
            preconditionFailure("a prefix of length 0 is always valid")
        }
        return prefix
    }
}
