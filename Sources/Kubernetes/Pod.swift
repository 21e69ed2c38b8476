package import Mesh

/// A pod: one or more containers that share a network namespace.
package struct Pod: Object {
    package static let objectType = ObjectType(kind: "Pod", apiVersions: ["v1"])

    /// Where the pod is in its life.
    package enum Phase: String, Sendable, Hashable {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        /// Not reported, or not known to this version.
        case unknown = "Unknown"
    }

    /// When a container that ended is started again.
    package enum RestartPolicy: String, Sendable, Hashable {
        case always = "Always"
        case onFailure = "OnFailure"
        case never = "Never"
    }

    package static let unread: Omission = [
        "metadata": ["managedFields": .whole],
        "spec": [
            "volumes": .whole, "tolerations": .whole, "affinity": .whole, "nodeSelector": .whole,
            "topologySpreadConstraints": .whole, "securityContext": .whole,
            "imagePullSecrets": .whole, "ephemeralContainers": .whole,
            "containers": unreadOfContainers, "initContainers": unreadOfContainers,
        ],
        "status": [
            "containerStatuses": .whole, "initContainerStatuses": .whole,
            "ephemeralContainerStatuses": .whole,
        ],
    ]
    private static let unreadOfContainers: Omission = [
        "image": .whole, "command": .whole, "args": .whole, "env": .whole, "workingDir": .whole,
        "envFrom": .whole, "resources": .whole, "volumeMounts": .whole, "volumeDevices": .whole,
        "securityContext": .whole, "lifecycle": .whole,
    ]

    package var metadata: ObjectMeta
    /// Empty when the pod is not scheduled.
    package var nodeName: String = ""
    /// Whether it uses the node's network namespace; such a pod is never in the mesh.
    package var usesHostNetwork: Bool = false
    package var serviceAccountName: String = "default"
    /// Containers that run to the end before the others start.
    package var initContainers: [Container] = []
    /// Containers that live as long as the pod, init containers that keep running included.
    package var containers: [Container] = []
    package var restartPolicy: RestartPolicy = .always
    package var dnsPolicy: DNSPolicy = .clusterFirst
    package var dnsConfig = DNSConfig()
    /// Empty when the pod's name is its host name.
    package var hostname: String = ""
    /// The headless service that gives the pod a name in DNS.
    package var subdomain: String = ""
    package var terminationGracePeriodSeconds: Int64 = 30
    /// Both families, as reported; empty while the pod has no sandbox.
    package var addresses: [IPAddress] = []
    package var hostAddresses: [IPAddress] = []
    package var phase: Phase = .unknown
    /// The Ready condition; nil when no condition is reported.
    package var isReady: Bool?

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
        try readSpec(try root.required("spec"))
        if let status = try root.field("status") { try readStatus(status) }
    }

    private mutating func readSpec(_ spec: Field) throws(FieldError) {
        nodeName = try spec.name("nodeName", .subdomain)
        usesHostNetwork = try spec.bool("hostNetwork") ?? false
        // `serviceAccount` is the older name of the same field.
        let isOld = try spec.field("serviceAccountName") == nil
        let account = try spec.name(isOld ? "serviceAccount" : "serviceAccountName", .subdomain)
        serviceAccountName = account.isEmpty ? "default" : account
        let initial = try spec.list("initContainers", Container.init)
        initContainers = initial.filter { !$0.restartsAlways }
        containers = try spec.list("containers", Container.init)
        guard !containers.isEmpty else {
            throw FieldError(path: "spec.containers", reason: "must have at least one container")
        }
        containers += initial.filter(\.restartsAlways)
        restartPolicy = try spec.string("restartPolicy").flatMap(RestartPolicy.init) ?? .always
        dnsPolicy = try spec.string("dnsPolicy").flatMap(DNSPolicy.init) ?? .clusterFirst
        if let config = try spec.field("dnsConfig") { dnsConfig = try DNSConfig(config) }
        hostname = try spec.name("hostname", .label)
        subdomain = try spec.name("subdomain", .label)
        if let grace = try spec.field("terminationGracePeriodSeconds") {
            terminationGracePeriodSeconds = try grace.integer(in: 0...Int64(Int32.max))
        }
    }

    private mutating func readStatus(_ status: Field) throws(FieldError) {
        phase = try status.string("phase").flatMap(Phase.init) ?? .unknown
        addresses = try Pod.addresses(status, list: "podIPs", single: "podIP")
        hostAddresses = try Pod.addresses(status, list: "hostIPs", single: "hostIP")
        let ready = try status.list("conditions") { condition throws(FieldError) in
            try condition.string("type") == "Ready" ? try condition.string("status") == "True" : nil
        }
        isReady = ready.compactMap { $0 }.last
    }

    private static func addresses(
        _ status: Field,
        list: String,
        single: String
    ) throws(FieldError) -> [IPAddress] {
        let addresses = try status.list(list) { entry throws(FieldError) in
            try entry.required("ip").address()
        }
        if addresses.isEmpty, let text = try status.string(single), !text.isEmpty {
            return [try status.required(single).address()]
        }
        return addresses
    }

    /// The numbers of the TCP ports that containers name; of two with one name the first.
    package var portNames: [String: UInt16] {
        var numbers: [String: UInt16] = [:]
        for port in containers.lazy.flatMap(\.ports)
        where port.transport == .tcp && !port.name.isEmpty && numbers[port.name] == nil {
            numbers[port.name] = port.port
        }
        return numbers
    }

    /// The ports kubelet probes from the node, each once, in order.
    package var probePorts: [UInt16] {
        var seen: Set<UInt16> = []
        return containers.flatMap { container in
            container.probePorts.compactMap { reference in
                switch reference {
                case .number(let number): number
                // A probe's port name is looked up in its own container only.
                case .name(let name): container.ports.first { $0.name == name }?.port
                }
            }
        }.filter { seen.insert($0).inserted }
    }
}
