internal import Authorization
package import Kubernetes
internal import Mesh
internal import Routing

/// What would become of a connection, decided by the node's own code over the mesh it holds.
package struct Explanation: Sendable, Equatable {
    /// What becomes of the connection, or of some of the endpoints it may go to.
    package enum Outcome: String, Sendable {
        case allowed, denied, refused
        /// Allowed at some endpoints and denied at others.
        case mixed
        /// It stays in the pod, where the mesh has no say.
        case local
    }

    /// One pod that the connection may go to.
    package struct Hop: Sendable, Equatable {
        /// `NAMESPACE/NAME`, or the address of who is no part of the mesh.
        package var destination: String
        package var address: String
        package var node = ""
        /// How the bytes travel.
        package var transport: String
        /// The identity the far end must prove; empty in the clear.
        package var identity = ""
        package var isAllowed: Bool
        /// The key of the policy that decided; empty when none did.
        package var policy = ""
        /// Why, one reason a line.
        package var reasons: [String]
    }

    package var source = ""
    /// The client's identity; empty when it has none.
    package var identity = ""
    package var destination: String
    /// The service, and how it was found.
    package var route: [String] = []
    package var hops: [Hop] = []
    /// Nodes that would know which ports of their pods are excluded, but were not asked.
    package var nodesNotAsked: [String] = []
    package var outcome = Outcome.refused

    /// The most endpoints that are looked at.
    package static let hopsMax = 32

    /// The answer in lines for a person.
    package func text(_ style: Style = .plain) -> String {
        var lines = ["\(style.bold("Source"))       \(source)"]
        lines.append("  identity     " + (identity.isEmpty ? "none" : identity))
        lines.append("\(style.bold("Destination"))  \(destination)")
        lines += route.map { "  " + $0 }
        for hop in hops {
            let verdict = hop.isAllowed ? style.good("allowed") : style.bad("denied")
            let node = hop.node.isEmpty ? "" : " on \(hop.node)"
            lines.append("")
            lines.append("  → \(hop.destination) at \(hop.address)\(node): \(verdict)")
            lines.append("    \(hop.transport)")
            if !hop.identity.isEmpty { lines.append("    it must prove \(hop.identity)") }
            lines += hop.reasons.map { "    " + $0 }
        }
        if !nodesNotAsked.isEmpty {
            let nodes = nodesNotAsked.joined(separator: ", ")
            lines.append("")
            lines.append("Ports that annotations exclude from the mesh are not known of \(nodes).")
        }
        let end =
            switch outcome {
            case .allowed: style.good("The connection is allowed.")
            case .denied: style.bad("The connection is denied by policy.")
            case .refused: style.bad("The connection is refused before policy is asked.")
            case .mixed: style.warning("Some endpoints allow the connection, others deny it.")
            case .local: "The connection stays in the pod and never enters the mesh."
            }
        return (lines + ["", end]).map(Self.cleaned).joined(separator: "\n") + "\n"
    }

    // The colours are ours; everything else that moves a cursor is not.
    private static func cleaned(_ line: String) -> String {
        line.contains("\u{1B}") ? line : Terminal.printable(line)
    }

    /// The answer for a program.
    package var value: Value {
        [
            "source": .string(source),
            "identity": .string(identity),
            "destination": .string(destination),
            "outcome": .string(outcome.rawValue),
            "route": .list(route.map { .string($0) }),
            "nodesNotAsked": .list(nodesNotAsked.map { .string($0) }),
            "endpoints": .list(
                hops.map { hop in
                    [
                        "destination": .string(hop.destination),
                        "address": .string(hop.address),
                        "node": .string(hop.node),
                        "transport": .string(hop.transport),
                        "identity": .string(hop.identity),
                        "allowed": .bool(hop.isAllowed),
                        "policy": .string(hop.policy),
                        "reasons": .list(hop.reasons.map { .string($0) }),
                    ]
                }
            ),
        ]
    }
}
