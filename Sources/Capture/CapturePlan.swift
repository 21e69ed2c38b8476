package import Mesh

/// What of a pod's traffic is captured.
package struct CapturePlan: Sendable, Hashable {
    /// Ports per list, at most; a longer list is cut nowhere but refused by `install`.
    package static let excludedPortsMax = 256

    /// Destination ports whose outgoing connections are left alone; 53 here leaves DNS alone too.
    package var excludedOutboundPorts: [UInt16]
    /// Ports of the pod whose incoming connections are left alone.
    package var excludedInboundPorts: [UInt16]
    /// Whether queries to port 53 of any address are brought to our listener.
    package var capturesDNS: Bool
    /// Whether captured traffic is kept from connection tracking, and so from the NAT rules that a
    /// foreign agent puts into the pod (PROTOCOL.md §1.3).
    package var avoidsTracking: Bool
    /// Whether the pod has IPv6; without it, IPv6 connections out of the pod are refused.
    package var ipv6: Bool

    package init(
        excludedOutboundPorts: [UInt16] = [],
        excludedInboundPorts: [UInt16] = [],
        capturesDNS: Bool = true,
        ipv6: Bool = true,
        avoidsTracking: Bool = false
    ) {
        self.excludedOutboundPorts = excludedOutboundPorts
        self.excludedInboundPorts = excludedInboundPorts
        self.capturesDNS = capturesDNS
        self.ipv6 = ipv6
        self.avoidsTracking = avoidsTracking
    }

    /// The plan of a pod, whose namespace tells about IPv6 (`PodCapture.supportsIPv6`).
    package init(_ pod: LocalPod, ipv6: Bool) {
        self.init(
            excludedOutboundPorts: pod.excludedOutboundPorts,
            excludedInboundPorts: pod.excludedInboundPorts,
            capturesDNS: pod.capturesDNS,
            ipv6: ipv6
        )
    }

    /// Whether DNS is captured once the exclusions are looked at.
    var bringsDNS: Bool { capturesDNS && !excludedOutboundPorts.contains(53) }
}
