internal import CNetfilter
internal import Glibc
package import Mesh

/// A policy rule that sends packets with a mark to a routing table.
package struct MarkRule: Sendable, Hashable {
    package let family: IPAddress.Family
    /// The value of the packet's mark under `mask`.
    package let mark: UInt32
    package let mask: UInt32
    package let table: UInt32
    /// Smaller is tried first.
    package let priority: UInt32

    package init(
        family: IPAddress.Family,
        mark: UInt32,
        mask: UInt32,
        table: UInt32,
        priority: UInt32
    ) {
        self.family = family
        self.mark = mark
        self.mask = mask
        self.table = table
        self.priority = priority
    }
}

extension RouteSocket {
    /// Adds a rule; present is fine, and never makes a second one.
    package mutating func addRule(_ rule: MarkRule) throws(NetlinkError) {
        let message = message(ambit_RTM_NEWRULE, flags: createFlags, rule)
        try tolerating(EEXIST, "add rule for mark \(rule.mark)", message)
    }

    /// Takes a rule away; absent is fine.
    package mutating func deleteRule(_ rule: MarkRule) throws(NetlinkError) {
        let message = message(ambit_RTM_DELRULE, flags: NLM_F_ACK, rule)
        try tolerating(ENOENT, "delete rule for mark \(rule.mark)", message)
    }

    /// The rules of a family that look at marks.
    package mutating func markRules(
        _ family: IPAddress.Family
    ) throws(NetlinkError) -> [MarkRule] {
        var wanted = fib_rule_hdr()
        wanted.family = family.protocolFamily
        let message = RouteMessage(
            ambit_RTM_GETRULE,
            flags: Int32(NLM_F_ROOT | NLM_F_MATCH),
            wanted
        )
        var found: [MarkRule] = []
        for reply in try list("list rules", message) where reply.type == ambit_RTM_NEWRULE {
            guard let header = reply.family(fib_rule_hdr.self) else { continue }
            let attributes = reply.attributes(after: fib_rule_hdr.self)
            guard let mark = RouteReply.number(attributes[ambit_FRA_FWMARK]) else { continue }
            found.append(
                MarkRule(
                    family: family,
                    mark: mark,
                    mask: RouteReply.number(attributes[ambit_FRA_FWMASK]) ?? .max,
                    table: RouteReply.number(attributes[ambit_FRA_TABLE]) ?? UInt32(header.table),
                    priority: RouteReply.number(attributes[ambit_FRA_PRIORITY]) ?? 0
                )
            )
        }
        return found
    }

    private func message(_ type: UInt16, flags: Int32, _ rule: MarkRule) -> RouteMessage {
        var family = fib_rule_hdr()
        family.family = rule.family.protocolFamily
        family.action = UInt8(FR_ACT_TO_TBL)
        var message = RouteMessage(type, flags: flags, family)
        message.put(ambit_FRA_PRIORITY, rule.priority)
        message.put(ambit_FRA_FWMARK, rule.mark)
        message.put(ambit_FRA_FWMASK, rule.mask)
        message.put(ambit_FRA_TABLE, rule.table)
        return message
    }
}
