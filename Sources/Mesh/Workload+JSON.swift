package import JSON

extension Workload {
    static let tunnelProtocols = EnumTable<TunnelProtocol>(("NONE", .none), ("HBONE", .hbone))
    static let kinds = EnumTable<Kind>(
        ("DEPLOYMENT", .deployment),
        ("CRONJOB", .cronJob),
        ("POD", .pod),
        ("JOB", .job)
    )
    static let statuses = EnumTable<Status>(("HEALTHY", .healthy), ("UNHEALTHY", .unhealthy))
    static let networkModes = EnumTable<NetworkMode>(
        ("STANDARD", .standard),
        ("HOST_NETWORK", .hostNetwork)
    )

    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        self.init(
            uid: try reader.requiredText("uid"),
            name: try reader.requiredText("name"),
            namespace: try reader.requiredSegment("namespace")
        )
        addresses = try reader.map("addresses") { reader, value, field throws(MeshStateError) in
            try reader.checkedAddress(value, field)
        }
        hostname = try reader.text("hostname") ?? ""
        network = try reader.text("network") ?? ""
        tunnelProtocol =
            try reader.enumeration("tunnelProtocol", Self.tunnelProtocols) ?? .none
        try readIdentity(&reader)
        node = try reader.text("node") ?? ""
        canonicalName = try reader.text("canonicalName") ?? ""
        canonicalRevision = try reader.text("canonicalRevision") ?? ""
        // The proto's first value is DEPLOYMENT; a file that says nothing means a plain pod.
        kind = try reader.enumeration("workloadType", Self.kinds) ?? .pod
        workloadName = try reader.text("workloadName") ?? ""
        nativeTunnel = try reader.bool("nativeTunnel") ?? false
        clusterID = try reader.nonEmptyText("clusterId") ?? clusterID
        status = try reader.enumeration("status", Self.statuses) ?? .healthy
        networkMode = try reader.enumeration("networkMode", Self.networkModes) ?? .standard
        capacity = try reader.unsigned("capacity") ?? 1
        if let value = reader.take("locality") {
            locality = try Locality(try reader.nested(value, "locality"))
        }
        waypoint = try reader.gateway("waypoint")
        networkGateway = try reader.gateway("networkGateway")
        services = try reader.portLists("services")
        authorizationPolicies = try reader.map("authorizationPolicies") {
            reader,
            value,
            field throws(MeshStateError) in
            try reader.checkedText(value, field)
        }
        try Self.refuseApplicationTunnel(&reader)
        reader.ignore("extensions")
        try reader.finish()
    }

    private mutating func readIdentity(_ reader: inout FieldReader) throws(MeshStateError) {
        trustDomain = try reader.nonEmptyText("trustDomain") ?? trustDomain
        serviceAccount = try reader.nonEmptyText("serviceAccount") ?? serviceAccount
        guard SPIFFEID.isTrustDomain(trustDomain) else {
            throw reader.failure("trustDomain", "cannot stand in a SPIFFE id")
        }
        guard SPIFFEID.isSegment(serviceAccount) else {
            throw reader.failure("serviceAccount", "cannot stand in a SPIFFE id")
        }
        guard identity.description.utf8.count <= SPIFFEID.uriBytesMax else {
            throw reader.failure("serviceAccount", "makes a SPIFFE id that is too long")
        }
    }

    /// A workload behind a PROXY protocol tunnel cannot be reached by plain HBONE: say so.
    private static func refuseApplicationTunnel(
        _ reader: inout FieldReader
    ) throws(MeshStateError) {
        guard let value = reader.take("applicationTunnel") else { return }
        var tunnel = try reader.nested(value, "applicationTunnel")
        let kind = try tunnel.enumeration("protocol", EnumTable(("NONE", false), ("PROXY", true)))
        if kind == true { throw reader.failure("applicationTunnel", "PROXY is not supported") }
        _ = try tunnel.port("port")
        try tunnel.finish()
    }

    /// The workload in the form of the state file.
    package var json: JSON {
        var fields = FieldWriter()
        fields.text("uid", uid)
        fields.text("name", name)
        fields.text("namespace", namespace)
        fields.list("addresses", addresses.map { .string($0.description) })
        fields.text("hostname", hostname)
        fields.text("network", network)
        fields.enumeration("tunnelProtocol", tunnelProtocol, .none, Self.tunnelProtocols)
        fields.text("trustDomain", trustDomain)
        fields.text("serviceAccount", serviceAccount)
        fields.text("node", node)
        fields.text("canonicalName", canonicalName)
        fields.text("canonicalRevision", canonicalRevision)
        fields.add("workloadType", Self.kinds.name(of: kind))
        fields.text("workloadName", workloadName)
        fields.flag("nativeTunnel", nativeTunnel)
        fields.text("clusterId", clusterID)
        fields.enumeration("status", status, .healthy, Self.statuses)
        fields.enumeration("networkMode", networkMode, .standard, Self.networkModes)
        if capacity != 1 { fields.add("capacity", .integer(Int64(capacity))) }
        if locality != Locality() { fields.add("locality", locality.json) }
        if let waypoint { fields.add("waypoint", waypoint.json) }
        if let networkGateway { fields.add("networkGateway", networkGateway.json) }
        if !services.isEmpty {
            let lists = services.sorted { $0.key < $1.key }.map { key, ports in
                (key, JSON.object([("ports", .array(ports.map(\.json)))]))
            }
            fields.add("services", .object(lists))
        }
        fields.list("authorizationPolicies", authorizationPolicies.map { .string($0) })
        return .object(fields.members)
    }
}

extension Locality {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        region = try reader.text("region") ?? ""
        zone = try reader.text("zone") ?? ""
        subzone = try reader.text("subzone") ?? ""
        try reader.finish()
    }

    var json: JSON {
        var fields = FieldWriter()
        fields.text("region", region)
        fields.text("zone", zone)
        fields.text("subzone", subzone)
        return .object(fields.members)
    }
}

extension ServicePort {
    private static let appProtocols = EnumTable(
        ("UNKNOWN", 0),
        ("HTTP11", 1),
        ("HTTP2", 2),
        ("GRPC", 3),
        ("TCP", 4),
        ("TLS", 5)
    )

    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        let servicePort = try reader.port("servicePort") ?? 0
        guard servicePort != 0 else { throw reader.failure("servicePort", "is missing or 0") }
        self.init(servicePort: servicePort, targetPort: try reader.port("targetPort") ?? 0)
        // Only a waypoint looks at the protocol of a port.
        _ = try reader.enumeration("appProtocol", Self.appProtocols)
        try reader.finish()
    }

    var json: JSON {
        [
            "servicePort": .integer(Int64(servicePort)),
            "targetPort": .integer(Int64(targetPort)),
        ]
    }
}

extension GatewayAddress {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        let hostname = reader.take("hostname")
        let address = reader.take("address")
        let port = try reader.port("hboneMtlsPort") ?? 15_008
        if let hostname, address == nil {
            var name = try reader.nested(hostname, "hostname")
            destination = .hostname(
                namespace: try name.requiredSegment("namespace"),
                hostname: try name.requiredText("hostname")
            )
            try name.finish()
        } else if let address, hostname == nil {
            let virtual = try reader.networkAddress(address, "address")
            guard virtual.prefix.isHost else { throw reader.failure("address", "is a block") }
            destination = .address(network: virtual.network, virtual.prefix.address)
        } else {
            throw reader.failure("", "needs one of hostname and address")
        }
        hboneMTLSPort = port
        try reader.finish()
    }

    var json: JSON {
        let named: (String, JSON) =
            switch destination {
            case .hostname(let namespace, let hostname):
                (
                    "hostname",
                    ["namespace": .string(namespace), "hostname": .string(hostname)]
                )
            case .address(let network, let address):
                (
                    "address",
                    ["network": .string(network), "address": .string(address.description)]
                )
            }
        return .object([named, ("hboneMtlsPort", .integer(Int64(hboneMTLSPort)))])
    }
}

extension FieldReader {
    /// A text; nil when absent or empty, which the protocol takes for absent.
    mutating func nonEmptyText(_ name: String) throws(MeshStateError) -> String? {
        guard let text = try text(name), !text.isEmpty else { return nil }
        return text
    }

    mutating func gateway(_ name: String) throws(MeshStateError) -> GatewayAddress? {
        guard let value = take(name) else { return nil }
        return try GatewayAddress(try nested(value, name))
    }

    mutating func ports(_ name: String) throws(MeshStateError) -> [ServicePort] {
        try map(name) { reader, value, field throws(MeshStateError) in
            try ServicePort(try reader.nested(value, field))
        }
    }

    /// A map from service key to its ports.
    mutating func portLists(_ name: String) throws(MeshStateError) -> [String: [ServicePort]] {
        guard let value = take(name) else { return [:] }
        guard case .object(let members) = value else {
            throw failure(name, "is \(value.kind), not an object")
        }
        var lists: [String: [ServicePort]] = [:]
        for (key, list) in members {
            let field = "\(name)[\(key.prefix(256))]"
            guard key.utf8.contains(UInt8(ascii: "/")) else {
                throw failure(field, "is not keyed by namespace/hostname")
            }
            var reader = try nested(list, field)
            lists[key] = try reader.ports("ports")
            try reader.finish()
        }
        return lists
    }

    /// An address or block: as text, or with its network or length in an object.
    func networkAddress(
        _ value: JSON,
        _ field: String
    ) throws(MeshStateError) -> Service.VirtualAddress {
        guard case .object = value else {
            return Service.VirtualAddress(network: "", prefix: try prefix(value, field))
        }
        var reader = try nested(value, field)
        let network = try reader.text("network") ?? ""
        let prefix = try reader.lengthenedPrefix()
        try reader.finish()
        return Service.VirtualAddress(network: network, prefix: prefix)
    }

    func prefix(_ value: JSON, _ field: String) throws(MeshStateError) -> IPPrefix {
        guard let prefix = IPPrefix(try checkedText(value, field)) else {
            throw failure(field, "is not an IP address or block")
        }
        return prefix
    }

    /// The fields `address` and `length` of this object as a block.
    mutating func lengthenedPrefix() throws(MeshStateError) -> IPPrefix {
        let text = try requiredText("address")
        let length = take("length")
        guard let length else { return try prefix(.string(text), "address") }
        guard case .integer(let bits) = length, !text.utf8.contains(UInt8(ascii: "/")),
            let prefix = IPPrefix("\(text)/\(bits)")
        else { throw failure("length", "makes no block with the address") }
        return prefix
    }
}

/// Collects the members of an object, leaving out what is at its default.
struct FieldWriter {
    private(set) var members: [(String, JSON)] = []

    mutating func add(_ name: String, _ value: JSON) { members.append((name, value)) }

    mutating func text(_ name: String, _ value: String) {
        if !value.isEmpty { add(name, .string(value)) }
    }

    mutating func flag(_ name: String, _ value: Bool) {
        if value { add(name, .bool(true)) }
    }

    mutating func list(_ name: String, _ values: [JSON]) {
        if !values.isEmpty { add(name, .array(values)) }
    }

    mutating func enumeration<Value: Equatable>(
        _ name: String,
        _ value: Value,
        _ standard: Value,
        _ table: EnumTable<Value>
    ) {
        if value != standard { add(name, table.name(of: value)) }
    }
}
