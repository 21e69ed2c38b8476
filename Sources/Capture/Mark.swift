/// The packet marks of a captured pod, in the low twelve bits of a mark.
///
/// Only a process with CAP_NET_ADMIN or CAP_NET_RAW can set a mark, and no mark crosses into or
/// out of the pod: the kernel clears it between network namespaces.
package enum Mark: UInt32, Sendable, CaseIterable {
    /// The pod's own packets, on their way to our listeners.
    case captured = 0x111
    /// Every packet of the proxy itself; never captured.
    case proxy = 0x539
    /// Deliveries that carry the client's address, and what the application answers to them: its
    /// accepted socket inherits the mark (`tcp_fwmark_accept`), and rule and route keep the
    /// answers in the pod, where our socket waits for them.
    case delivery = 0x53A
    /// Connections from outside that are not captured, and resets the pod sends to outside:
    /// the inherited or reflected mark keeps their answers from being captured.
    case released = 0x53B

    /// The bits of a packet's mark that are ours; the others are left as the pod set them.
    package static let mask: UInt32 = 0xFFF
}

/// The ports in the pod's network namespace (DESIGN.md §5).
package enum CapturePort {
    /// Outgoing connections of the pod.
    package static let outbound: UInt16 = 15001
    /// Incoming connections in the clear.
    package static let inbound: UInt16 = 15006
    /// Incoming tunnels.
    package static let hbone: UInt16 = 15008
    /// Name queries of the pod, UDP and TCP.
    package static let dns: UInt16 = 15053
}
