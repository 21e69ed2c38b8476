internal import Mesh
internal import Netlink
package import Reactor

/// Capture of a pod: rules, routes and settings in its network namespace (DESIGN.md §3.1).
///
/// Everything is idempotent and leaves what others have in the namespace alone. Calls block for
/// about a millisecond and belong to a control thread; any thread may make them.
package enum PodCapture {
    /// The routing table that makes every destination local.
    static let table: UInt32 = 100
    /// Before the main table (32766), after whatever a network plugin put in.
    static let priority: UInt32 = 32764

    /// Puts capture into force, replacing an earlier plan without a gap.
    ///
    /// The rules come last, in one transaction: until then nothing is captured, and with them
    /// everything is, whether or not the listeners are open yet.
    package static func install(
        in namespace: borrowing NetworkNamespace,
        _ plan: CapturePlan
    ) throws(CaptureError) {
        for ports in [plan.excludedOutboundPorts, plan.excludedInboundPorts] {
            guard ports.count <= CapturePlan.excludedPortsMax else {
                throw .tooManyExcludedPorts(ports.count)
            }
        }
        try refuseOwn(namespace)
        try namespace.inside { () throws(CaptureError) in
            var settings = try settingsBefore()
            if settings == nil { settings = try currentSettings() }
            for setting in KernelSetting.all { try setting.write(setting.wanted) }
            try installRoutes(plan)
            try Nftables.run(CaptureRules(plan, memory: settings ?? "").transaction)
        }
    }

    /// Takes everything of ours away; nothing there is fine.
    ///
    /// The rules go first: from then on the pod's traffic is as if we had never been there.
    package static func remove(
        in namespace: borrowing NetworkNamespace
    ) throws(CaptureError) {
        try refuseOwn(namespace)
        try namespace.inside { () throws(CaptureError) in
            let settings = try settingsBefore()
            try Nftables.run(CaptureRules.removal)
            try removeRoutes()
            try restore(settings)
        }
    }

    /// Whether rules of ours are there, whatever they say; changes nothing.
    package static func isPresent(
        in namespace: borrowing NetworkNamespace
    ) throws(CaptureError) -> Bool {
        try namespace.inside { () throws(CaptureError) in try listing() != nil }
    }

    /// Whether all of the plan is in force: rules, routes and settings.
    package static func isIntact(
        in namespace: borrowing NetworkNamespace,
        _ plan: CapturePlan
    ) throws(CaptureError) -> Bool {
        try inspect(in: namespace, plan, since: nil) != nil
    }

    /// Looks whether all of the plan is in force; nil when it is not.
    ///
    /// With what an earlier look found, the rules are listed again only when somebody changed the
    /// ruleset since.
    package static func inspect(
        in namespace: borrowing NetworkNamespace,
        _ plan: CapturePlan,
        since earlier: CaptureProof?
    ) throws(CaptureError) -> CaptureProof? {
        try namespace.inside { () throws(CaptureError) in
            for setting in KernelSetting.all {
                let value = try setting.read()
                guard value == setting.wanted || (value == nil && setting.isOptional) else {
                    return nil
                }
            }
            if let earlier, earlier.plan == plan, try earlier.isCurrent {
                return try hasRoutes(plan) ? earlier : nil
            }
            // Asked first: a change during the listing shows the next time.
            let proof = try CaptureProof(plan)
            guard let listing = try listing(), let settings = memory(in: listing),
                CaptureRules(plan, memory: settings).match(listing)
            else { return nil }
            return try hasRoutes(plan) ? proof : nil
        }
    }

    /// Whether the namespace has IPv6: it is built in and not switched off on `lo`.
    package static func supportsIPv6(
        in namespace: borrowing NetworkNamespace
    ) throws(CaptureError) -> Bool {
        try namespace.inside { () throws(CaptureError) in
            let switchedOff = KernelSetting(
                path: "net/ipv6/conf/lo/disable_ipv6",
                wanted: "0",
                isOptional: true
            )
            return try switchedOff.read() == switchedOff.wanted
        }
    }

    private static func refuseOwn(
        _ namespace: borrowing NetworkNamespace
    ) throws(CaptureError) {
        let isOwn: Bool
        do throws(SystemError) {
            let own = try NetworkNamespace(path: "/proc/thread-self/ns/net")
            isOwn = try namespace.identity == own.identity
        } catch {
            throw .system("look at network namespaces", error)
        }
        if isOwn { throw .ownNamespace }
    }
}

// MARK: - Routes

extension PodCapture {
    /// Sends captured packets and the answers to deliveries to `lo`.
    private static func rules(_ family: IPAddress.Family) -> [MarkRule] {
        [Mark.captured, .delivery].map { mark in
            MarkRule(
                family: family,
                mark: mark.rawValue,
                mask: Mark.mask,
                table: table,
                priority: priority
            )
        }
    }

    private static func installRoutes(_ plan: CapturePlan) throws(CaptureError) {
        do throws(NetlinkError) {
            var socket = try RouteSocket()
            // Runtimes may still be at it when a pod is handed over: without `lo` no route goes in.
            try socket.setLink("lo", up: true)
            for family in families(plan) {
                try socket.addLocalDefaultRoute(table: table, family: family)
                for rule in rules(family) { try socket.addRule(rule) }
            }
        } catch {
            throw .netlink(error)
        }
    }

    private static func removeRoutes() throws(CaptureError) {
        do throws(NetlinkError) {
            var socket = try RouteSocket()
            for family in [IPAddress.Family.v4, .v6] {
                let present = try socket.markRules(family)
                for rule in rules(family) where present.contains(rule) {
                    try socket.deleteRule(rule)
                }
                if try socket.hasLocalDefaultRoute(table: table, family: family) {
                    try socket.deleteLocalDefaultRoute(table: table, family: family)
                }
            }
        } catch {
            throw .netlink(error)
        }
    }

    private static func hasRoutes(_ plan: CapturePlan) throws(CaptureError) -> Bool {
        do throws(NetlinkError) {
            var socket = try RouteSocket()
            for family in families(plan) {
                let present = try socket.markRules(family)
                guard rules(family).allSatisfy(present.contains),
                    try socket.hasLocalDefaultRoute(table: table, family: family)
                else { return false }
            }
            return true
        } catch {
            throw .netlink(error)
        }
    }

    private static func families(_ plan: CapturePlan) -> [IPAddress.Family] {
        plan.ipv6 ? [.v4, .v6] : [.v4]
    }
}

// MARK: - Settings

extension PodCapture {
    /// What the first rule remembers of the settings before capture: `was V V V V`, a `-` for a
    /// setting the kernel lacks.
    private static func currentSettings() throws(CaptureError) -> String {
        var values = ["was"]
        for setting in KernelSetting.all { values.append(try setting.read() ?? "-") }
        return values.joined(separator: " ")
    }

    /// The memory of an installed table; nil when there is none.
    private static func settingsBefore() throws(CaptureError) -> String? {
        try listing().flatMap(memory)
    }

    private static func memory(in listing: String) -> String? {
        guard let first = CaptureRules.comments(in: listing).first else { return nil }
        let words = first.split(separator: " ")
        guard words.count == 4 + KernelSetting.all.count, words[0] == "ambit", words[3] == "was"
        else { return nil }
        return words.dropFirst(3).joined(separator: " ")
    }

    /// The table as text; nil when it is not there.
    private static func listing() throws(CaptureError) -> String? {
        let tables = try Nftables.list("list tables")
        guard tables.split(separator: "\n").contains("table \(CaptureRules.table)") else {
            return nil
        }
        return try Nftables.list("list table \(CaptureRules.table)")
    }

    private static func restore(_ memory: String?) throws(CaptureError) {
        guard let memory else { return }
        for (setting, value) in zip(KernelSetting.all, memory.split(separator: " ").dropFirst())
        where value != "-" {
            try setting.write(String(value))
        }
    }
}
