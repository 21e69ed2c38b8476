package import Mesh

/// A service: a name and addresses for a set of pods.
package struct Service: Object {
    package static let objectType = ObjectType(kind: "Service", apiVersions: ["v1"])

    /// One port of a service.
    package struct Port: Sendable, Equatable {
        /// Empty for the single port of a service that has but one.
        package var name: String
        package var port: UInt16
        /// The port of the pods behind it.
        package var targetPort: PortReference
        package var transport: TransportProtocol
    }

    /// How many address families a service wants.
    package enum IPFamilyPolicy: String, Sendable, Hashable {
        case singleStack = "SingleStack"
        case preferDualStack = "PreferDualStack"
        case requireDualStack = "RequireDualStack"
    }

    package var metadata: ObjectMeta
    /// The labels of its pods; empty when its endpoints are given by EndpointSlices alone.
    package var selector: [String: String] = [:]
    /// Its virtual addresses; empty when headless or not yet allocated.
    package var clusterIPs: [IPAddress] = []
    /// Whether it has no virtual address on purpose (`clusterIP: None`).
    package var isHeadless: Bool = false
    /// Whether it is but another name for a host outside (`type: ExternalName`).
    package var isExternalName: Bool = false
    package var ipFamilies: [IPAddress.Family] = []
    package var ipFamilyPolicy: IPFamilyPolicy?
    package var ports: [Port] = []
    /// Whether pods that are not ready are endpoints too.
    package var publishesNotReadyAddresses: Bool = false
    /// Whether only endpoints on the client's node are used (`internalTrafficPolicy: Local`).
    package var isNodeLocal: Bool = false
    /// Such as PreferSameZone; empty when absent.
    package var trafficDistribution: String = ""

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .label)
        let spec = try root.required("spec")
        selector = try spec.stringMap("selector")
        isExternalName = try spec.string("type") == "ExternalName"
        try readClusterIPs(spec)
        ipFamilies = try spec.strings("ipFamilies").compactMap(Service.family)
        ipFamilyPolicy = try spec.string("ipFamilyPolicy").flatMap(IPFamilyPolicy.init(rawValue:))
        ports = try spec.list("ports", Port.init)
        if let field = try spec.field("ports") { try checkPorts(field) }
        publishesNotReadyAddresses = try spec.bool("publishNotReadyAddresses") ?? false
        isNodeLocal = try spec.string("internalTrafficPolicy") == "Local"
        trafficDistribution = try spec.string("trafficDistribution") ?? ""
    }

    // `clusterIPs` repeats `clusterIP` in its first element; either may stand alone.
    private mutating func readClusterIPs(_ spec: Field) throws(FieldError) {
        var fields = try spec.field("clusterIPs")?.elements() ?? []
        if fields.isEmpty, let single = try spec.field("clusterIP") { fields = [single] }
        for field in fields {
            switch try field.string() {
            case "None": isHeadless = true
            case "": continue
            default: clusterIPs.append(try field.address())
            }
        }
    }

    private struct PortNumber: Hashable {
        let port: UInt16
        let transport: TransportProtocol

        init(_ port: Port) { (self.port, transport) = (port.port, port.transport) }
    }

    // As the API server does: a port is found by its number, or by its name.
    private func checkPorts(_ field: Field) throws(FieldError) {
        var names: Set<String> = []
        var numbers: Set<PortNumber> = []
        for (port, element) in zip(ports, try field.elements()) {
            if ports.count > 1, port.name.isEmpty {
                throw element.refused("must have a name, since the service has several ports")
            }
            guard names.insert(port.name).inserted else {
                throw try element.required("name").refused("is repeated", found: port.name)
            }
            guard numbers.insert(PortNumber(port)).inserted else {
                throw try element.required("port").refused("is repeated")
            }
        }
    }

    private static func family(_ text: String) -> IPAddress.Family? {
        switch text {
        case "IPv4": .v4
        case "IPv6": .v6
        default: nil
        }
    }
}

extension Service.Port {
    fileprivate init(_ field: Field) throws(FieldError) {
        name = try field.string("name") ?? ""
        port = try field.required("port").port()
        transport = try TransportProtocol(field)
        if let target = try field.field("targetPort") {
            targetPort = try PortReference(target)
        } else {
            targetPort = .number(port)
        }
    }
}
