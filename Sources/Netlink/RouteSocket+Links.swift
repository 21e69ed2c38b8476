internal import CNetfilter
internal import Glibc
package import Mesh
package import Reactor

/// A network interface as the kernel lists it.
package struct Link: Sendable, Hashable {
    package let index: UInt32
    package let name: String
    /// What made it: `veth`, `bridge`; empty for a plain device such as `lo`.
    package let kind: String
    package let isUp: Bool
    /// Bytes of the largest packet.
    package let mtu: UInt32
    /// The index of the bridge it is in; nil when in none.
    package let master: UInt32?
    /// The hardware address; empty when it has none.
    package let hardwareAddress: [UInt8]
}

extension RouteSocket {
    /// Makes a pair of connected interfaces, the peer in another namespace.
    ///
    /// - Throws: `EEXIST` when either name is taken: a pair that exists may lead elsewhere.
    package mutating func addVeth(
        _ name: String,
        peer: String,
        in peerNamespace: borrowing NetworkNamespace
    ) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: createFlags, ifinfomsg())
        let raw = UInt32(bitPattern: peerNamespace.raw)
        message.put(ambit_IFLA_IFNAME, name)
        message.nest(ambit_IFLA_LINKINFO) { info in
            info.put(ambit_IFLA_INFO_KIND, "veth")
            info.nest(ambit_IFLA_INFO_DATA) { data in
                data.nest(ambit_VETH_INFO_PEER) { other in
                    other.putHeader(ifinfomsg())
                    other.put(ambit_IFLA_IFNAME, peer)
                    other.put(ambit_IFLA_NET_NS_FD, raw)
                }
            }
        }
        try request("add veth \(name) with peer \(peer)", message)
    }

    /// Makes a bridge.
    ///
    /// - Throws: `EEXIST` when the name is taken.
    package mutating func addBridge(_ name: String) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: createFlags, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        message.nest(ambit_IFLA_LINKINFO) { $0.put(ambit_IFLA_INFO_KIND, "bridge") }
        try request("add bridge \(name)", message)
    }

    /// Takes an interface out of the system, and its peer with it; absent is fine.
    package mutating func deleteLink(_ name: String) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_DELLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        try tolerating(ENODEV, "delete link \(name)", message)
    }

    /// Switches an interface on or off.
    package mutating func setLink(_ name: String, up: Bool) throws(NetlinkError) {
        var family = ifinfomsg()
        family.ifi_change = ambit_IFF_UP
        family.ifi_flags = up ? ambit_IFF_UP : 0
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: NLM_F_ACK, family)
        message.put(ambit_IFLA_IFNAME, name)
        try request("set link \(name) \(up ? "up" : "down")", message)
    }

    /// Puts an interface into a bridge; nil takes it out of the one it is in.
    package mutating func setLink(_ name: String, master: String?) throws(NetlinkError) {
        var bridge: UInt32 = 0
        if let master { bridge = try index(of: master) }
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        message.put(ambit_IFLA_MASTER, bridge)
        try request("set link \(name) master \(master ?? "none")", message)
    }

    /// Sets the largest packet of an interface, in bytes.
    package mutating func setLink(_ name: String, mtu: UInt32) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        message.put(ambit_IFLA_MTU, mtu)
        try request("set link \(name) mtu \(mtu)", message)
    }

    /// Sets the hardware address of an interface, six bytes for Ethernet.
    package mutating func setLink(
        _ name: String,
        hardwareAddress: [UInt8]
    ) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        message.put(ambit_IFLA_ADDRESS, hardwareAddress)
        try request("set link \(name) address", message)
    }

    /// Moves an interface into another namespace; it loses its addresses and goes down.
    package mutating func moveLink(
        _ name: String,
        to namespace: borrowing NetworkNamespace
    ) throws(NetlinkError) {
        var message = RouteMessage(ambit_RTM_NEWLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        message.put(ambit_IFLA_NET_NS_FD, UInt32(bitPattern: namespace.raw))
        try request("move link \(name)", message)
    }

    /// The interfaces of the namespace, in the kernel's order.
    package mutating func links() throws(NetlinkError) -> [Link] {
        let message = RouteMessage(
            ambit_RTM_GETLINK,
            flags: Int32(NLM_F_ROOT | NLM_F_MATCH),
            ifinfomsg()
        )
        var found: [Link] = []
        for reply in try list("list links", message) where reply.type == ambit_RTM_NEWLINK {
            guard let family = reply.family(ifinfomsg.self) else { continue }
            let attributes = reply.attributes(after: ifinfomsg.self)
            let info = RouteReply.attributes(in: attributes[ambit_IFLA_LINKINFO] ?? [])
            found.append(
                Link(
                    index: UInt32(bitPattern: family.ifi_index),
                    name: RouteReply.text(attributes[ambit_IFLA_IFNAME]) ?? "",
                    kind: RouteReply.text(info[ambit_IFLA_INFO_KIND]) ?? "",
                    isUp: family.ifi_flags & ambit_IFF_UP != 0,
                    mtu: RouteReply.number(attributes[ambit_IFLA_MTU]) ?? 0,
                    master: RouteReply.number(attributes[ambit_IFLA_MASTER]),
                    hardwareAddress: Array(attributes[ambit_IFLA_ADDRESS] ?? [])
                )
            )
        }
        return found
    }

    /// Gives an interface an address with the length of its on-link prefix; present is fine.
    ///
    /// IPv6 addresses are usable at once: duplicate address detection is left out, for whoever
    /// assigns addresses here knows that they are unique.
    package mutating func addAddress(
        _ address: IPAddress,
        prefixLength: UInt8,
        to link: String
    ) throws(NetlinkError) {
        var family = ifaddrmsg()
        family.ifa_family = address.family.protocolFamily
        family.ifa_prefixlen = prefixLength
        family.ifa_index = try index(of: link)
        var message = RouteMessage(ambit_RTM_NEWADDR, flags: createFlags, family)
        message.put(ambit_IFA_LOCAL, address.bytes)
        message.put(ambit_IFA_ADDRESS, address.bytes)
        if address.family == .v6 { message.put(ambit_IFA_FLAGS, ambit_IFA_F_NODAD) }
        try tolerating(EEXIST, "add address \(text(address))/\(prefixLength) to \(link)", message)
    }

    /// The addresses of the namespace with the index of their interface.
    package mutating func addresses() throws(NetlinkError) -> [(link: UInt32, address: IPAddress)] {
        let message = RouteMessage(
            ambit_RTM_GETADDR,
            flags: Int32(NLM_F_ROOT | NLM_F_MATCH),
            ifaddrmsg()
        )
        var found: [(link: UInt32, address: IPAddress)] = []
        for reply in try list("list addresses", message) where reply.type == ambit_RTM_NEWADDR {
            guard let family = reply.family(ifaddrmsg.self) else { continue }
            let attributes = reply.attributes(after: ifaddrmsg.self)
            let bytes = attributes[ambit_IFA_LOCAL] ?? attributes[ambit_IFA_ADDRESS] ?? []
            guard let address = IPAddress(bytes: bytes) else { continue }
            found.append((link: family.ifa_index, address: address))
        }
        return found
    }

    /// The index of an interface.
    mutating func index(of name: String) throws(NetlinkError) -> UInt32 {
        var message = RouteMessage(ambit_RTM_GETLINK, flags: NLM_F_ACK, ifinfomsg())
        message.put(ambit_IFLA_IFNAME, name)
        for reply in try list("find link \(name)", message) where reply.type == ambit_RTM_NEWLINK {
            guard let family = reply.family(ifinfomsg.self) else { continue }
            return UInt32(bitPattern: family.ifi_index)
        }
        throw NetlinkError(operation: "find link \(name)", code: ENODEV)
    }

    /// Sends a request for which one errno means that the wanted state is there already.
    mutating func tolerating(
        _ code: Int32,
        _ operation: String,
        _ message: consuming RouteMessage
    ) throws(NetlinkError) {
        do {
            try request(operation, message)
        } catch {
            guard error.code == code else { throw error }
        }
    }
}

/// What asks for a new object and its acknowledgement.
let createFlags = Int32(NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK)

extension IPAddress.Family {
    /// The number the kernel knows the family by.
    var protocolFamily: UInt8 {
        switch self {
        case .v4: UInt8(AF_INET)
        case .v6: UInt8(AF_INET6)
        }
    }
}

/// An address for the text of an error.
func text(_ address: IPAddress) -> String {
    let bytes = address.bytes
    switch address.family {
    case .v4:
        return bytes.map { String($0) }.joined(separator: ".")
    case .v6:
        return stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }
}
