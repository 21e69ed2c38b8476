internal import Glibc
internal import Reactor

/// The kernel parameters of a network namespace of the lab.
///
/// `/proc/sys/net` shows the namespace of the thread that opens a file in it, so these calls are
/// made inside `NetworkNamespace.run`.
enum NetworkParameters {
    /// Sets what every namespace of the lab has in common, before it has interfaces.
    ///
    /// A new namespace inherits the host's congestion control, and BBR paces by a link speed that
    /// a veth does not have.
    static func setCommon(ipv6: Bool) throws(SystemError) {
        do {
            try set("ipv4/tcp_congestion_control", "cubic")
        } catch {
            try set("ipv4/tcp_congestion_control", "reno")
        }
        // Let containers that are not root in spirit bind low ports and ping, as Kubernetes does.
        try set("ipv4/ip_unprivileged_port_start", "0")
        guard hasIPv6 else { return }
        if ipv6 {
            // The host may have it disabled by default.
            try set("ipv6/conf/all/disable_ipv6", "0")
            try set("ipv6/conf/default/disable_ipv6", "0")
            try set("ipv6/conf/lo/disable_ipv6", "0")
            try set("ipv6/conf/default/accept_dad", "0")
            try set("ipv6/conf/default/accept_ra", "0")
        } else {
            try set("ipv6/conf/all/disable_ipv6", "1")
            try set("ipv6/conf/default/disable_ipv6", "1")
        }
    }

    /// Makes a node forward packets between its pods and the other nodes.
    static func setForwarding() throws(SystemError) {
        try set("ipv4/ip_forward", "1")
        if hasIPv6 { try set("ipv6/conf/all/forwarding", "1") }
    }

    /// Whether the kernel has IPv6 at all.
    static var hasIPv6: Bool { Calls.identity(of: "/proc/sys/net/ipv6") != nil }

    private static func set(_ name: String, _ value: String) throws(SystemError) {
        try Calls.setParameter("/proc/sys/net/" + name, value)
    }
}
