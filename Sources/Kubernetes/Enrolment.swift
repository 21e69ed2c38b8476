/// Whether a pod is in the mesh, and what it asks of its capture.
///
/// The pod's label beats the namespace's, our label beats Istio's; a pod on its node's network is
/// never in the mesh (DESIGN.md §3.7).
package struct Enrolment: Sendable, Equatable {
    /// Our label, then the alias.
    private static let labels = ["ambit.dev/dataplane-mode", "istio.io/dataplane-mode"]

    package let isEnrolled: Bool
    /// Destination ports whose outgoing connections are not captured.
    package private(set) var excludedOutboundPorts: [UInt16] = []
    /// Listening ports whose incoming connections are not captured.
    package private(set) var excludedInboundPorts: [UInt16] = []
    /// Whether the proxy answers the pod's DNS queries.
    package private(set) var capturesDNS: Bool = true
    /// What was written but has no effect.
    package private(set) var warnings: [Finding] = []

    /// Decides for one pod; `namespace` is nil when the object is not there.
    package init(of pod: Pod, in namespace: Namespace?) {
        let own = Self.mode(pod.metadata.labels)
        let inherited = Self.mode(namespace?.metadata.labels ?? [:])
        let isWanted = (own ?? inherited)?.value == "ambient"
        isEnrolled = isWanted && !pod.usesHostNetwork
        if let own, own.value != "ambient", own.value != "none" {
            warn(pod, "metadata.labels.\(own.label)", "must be ambient or none; it means none here")
        }
        if own?.value == "ambient", pod.usesHostNetwork {
            warn(pod, "spec.hostNetwork", "a pod on its node's network cannot be enrolled")
        }
        guard isEnrolled else { return }
        readAnnotations(pod)
    }

    /// What is wrong with a namespace's own label.
    package static func warnings(for namespace: Namespace) -> [Finding] {
        guard let mode = mode(namespace.metadata.labels),
            mode.value != "ambient", mode.value != "none"
        else { return [] }
        return [
            Finding(
                object: namespace.key,
                field: "metadata.labels.\(mode.label)",
                reason: "must be ambient or none; it means none here"
            )
        ]
    }

    /// Whether a namespace enrols the pods in it that do not say otherwise.
    package static func enrols(_ namespace: Namespace) -> Bool {
        mode(namespace.metadata.labels)?.value == "ambient"
    }

    /// What a pod says of itself; nil when its namespace decides.
    package static func ownChoice(of pod: Pod) -> Bool? {
        mode(pod.metadata.labels).map { $0.value == "ambient" }
    }

    private static func mode(_ labels: [String: String]) -> (label: String, value: String)? {
        for label in Self.labels {
            if let value = labels[label] { return (label, value) }
        }
        return nil
    }

    private mutating func readAnnotations(_ pod: Pod) {
        excludedOutboundPorts = ports("ambit.dev/exclude-outbound-ports", of: pod)
        excludedInboundPorts = ports("ambit.dev/exclude-inbound-ports", of: pod)
        let annotations = pod.metadata.annotations
        for name in ["ambit.dev/dns-capture", "ambient.istio.io/dns-capture"] {
            guard let text = annotations[name] else { continue }
            switch text.lowercased() {
            case "false": capturesDNS = false
            case "true": break
            default: warn(pod, "metadata.annotations.\(name)", "must be \"true\" or \"false\"")
            }
            break
        }
    }

    // A port that cannot be read stays captured: the safe side.
    private mutating func ports(_ name: String, of pod: Pod) -> [UInt16] {
        guard let text = pod.metadata.annotations[name] else { return [] }
        var ports: Set<UInt16> = []
        for part in text.split(separator: ",") {
            let digits = part.trimmed
            if let port = Self.port(digits) {
                ports.insert(port)
            } else {
                warn(
                    pod,
                    "metadata.annotations.\(name)",
                    "\(FieldError.quoted(digits)) is not a port from 1 to 65535"
                )
            }
        }
        return ports.sorted()
    }

    private static func port(_ text: String) -> UInt16? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text),
            port > 0
        else { return nil }
        return port
    }

    private mutating func warn(_ pod: Pod, _ field: String, _ reason: String) {
        warnings.append(Finding(object: pod.key, field: field, reason: reason))
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
