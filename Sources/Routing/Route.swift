package import Mesh

/// Where an outgoing connection goes.
package enum Route: Sendable {
    /// Nobody the mesh knows: in the clear from the pod to where the application dialled.
    case passthrough(SocketAddress)
    case endpoint(Choice)
    /// Nowhere: the connection is closed, never sent another way.
    case refused(Refusal)
}

/// The workload that was chosen and how to reach it.
package struct Choice: Sendable {
    package let workload: WorkloadRecord
    /// The service it was chosen for; nil when the application dialled the workload itself.
    package let service: ServiceRecord?
    /// The workload's address and target port: the authority of the tunnel, or whom to dial.
    package let address: SocketAddress
    /// Whether to tunnel to the workload's HBONE port, instead of dialling `address` in the clear.
    package let viaHBONE: Bool
    /// Whether the source is its own destination.
    package let isSelf: Bool

    /// The identities the far end may present, the workload's own first.
    package var expectedIdentities: [SPIFFEID] {
        guard let service else { return [workload.identity] }
        return [workload.identity] + service.subjectIdentities.filter { $0 != workload.identity }
    }
}

/// Why a connection goes nowhere, and what is known of where it was meant to go.
package struct Refusal: Sendable {
    /// The branch of the decision tree that ended it.
    package enum Reason: Sendable, Hashable {
        /// The pod's own workload is not known, so neither is its identity.
        case unknownSource
        /// A port of the proxy itself: the connection would loop.
        case selfCall
        case noHealthyEndpoint
        /// The service has no such port, or no endpoint that says where it leads.
        case noTargetPort
        /// Every endpoint that is left is in a network that no gateway of ours leads to.
        case networkNotReachable
        /// The destination asks for a waypoint, and none can be used.
        case waypointNotReachable
    }

    package let reason: Reason
    package let service: ServiceRecord?
    package let workload: WorkloadRecord?

    init(_ reason: Reason, service: ServiceRecord? = nil, workload: WorkloadRecord? = nil) {
        self.reason = reason
        self.service = service
        self.workload = workload
    }
}

extension Refusal: CustomStringConvertible {
    /// What the access log says.
    package var description: String {
        let subject = service?.key ?? workload?.workload.uid ?? "destination"
        return switch reason {
        case .unknownSource: "the source workload is not known (yet)"
        case .selfCall: "the destination is a port of the proxy itself"
        case .noHealthyEndpoint: "\(subject) has no healthy endpoint"
        case .noTargetPort: "\(subject) does not serve this port"
        case .networkNotReachable: "\(subject) is in another network only"
        case .waypointNotReachable: "\(subject) asks for a waypoint, which cannot be used"
        }
    }
}
