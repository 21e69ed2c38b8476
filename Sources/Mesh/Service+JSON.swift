package import JSON

extension Service {
    static let ipFamilyNames = EnumTable<IPFamilies>(
        ("AUTOMATIC", .automatic),
        ("IPV4_ONLY", .v4Only),
        ("IPV6_ONLY", .v6Only),
        ("DUAL", .dual)
    )
    static let visibilities = EnumTable<Visibility>(
        ("PUBLIC", .everywhere),
        ("NAMESPACE", .namespace)
    )

    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        self.init(
            name: try reader.requiredText("name"),
            namespace: try reader.requiredSegment("namespace"),
            hostname: try reader.requiredText("hostname")
        )
        addresses = try reader.map("addresses") { reader, value, field throws(MeshStateError) in
            try reader.networkAddress(value, field)
        }
        ports = try reader.ports("ports")
        subjectAltNames = try reader.map("subjectAltNames") {
            reader,
            value,
            field throws(MeshStateError) in
            let text = try reader.checkedText(value, field)
            guard SPIFFEID(uri: text) != nil else {
                throw reader.failure(field, "is not a SPIFFE id")
            }
            return text
        }
        waypoint = try reader.gateway("waypoint")
        weightedWaypoints = try reader.map("weightedWaypoints") {
            reader,
            value,
            field throws(MeshStateError) in
            try WeightedWaypoint(try reader.nested(value, field))
        }
        if let value = reader.take("loadBalancing") {
            loadBalancing = try LoadBalancing(try reader.nested(value, "loadBalancing"))
        }
        ipFamilies = try reader.enumeration("ipFamilies", Self.ipFamilyNames) ?? .automatic
        canonical = try reader.bool("canonical") ?? false
        visibility = try reader.enumeration("visibility", Self.visibilities) ?? .everywhere
        // Only an ingress gateway asks for it.
        _ = try reader.bool("ingressUseWaypoint")
        reader.ignore("extensions")
        try reader.finish()
    }

    /// The service in the form of the state file.
    package var json: JSON {
        var fields = FieldWriter()
        fields.text("name", name)
        fields.text("namespace", namespace)
        fields.text("hostname", hostname)
        fields.list("addresses", addresses.map(\.json))
        fields.list("ports", ports.map(\.json))
        fields.list("subjectAltNames", subjectAltNames.map { .string($0) })
        if let waypoint { fields.add("waypoint", waypoint.json) }
        fields.list("weightedWaypoints", weightedWaypoints.map(\.json))
        if loadBalancing != LoadBalancing() { fields.add("loadBalancing", loadBalancing.json) }
        fields.enumeration("ipFamilies", ipFamilies, .automatic, Self.ipFamilyNames)
        fields.flag("canonical", canonical)
        fields.enumeration("visibility", visibility, .everywhere, Self.visibilities)
        return .object(fields.members)
    }
}

extension Service.VirtualAddress {
    var json: JSON {
        let text = prefix.isHost ? prefix.address.description : prefix.description
        guard !network.isEmpty else { return .string(text) }
        // An object's address carries a block's length in the text as well.
        return ["network": .string(network), "address": .string(text)]
    }
}

extension Service.WeightedWaypoint {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        guard let destination = try reader.gateway("destination") else {
            throw reader.failure("destination", "is missing")
        }
        self.init(destination: destination, weight: try reader.unsigned("weight") ?? 0)
        try reader.finish()
    }

    var json: JSON {
        ["destination": destination.json, "weight": .integer(Int64(weight))]
    }
}

extension LoadBalancing {
    private static let modes = EnumTable<Mode>(
        ("UNSPECIFIED_MODE", .unspecified),
        ("STRICT", .strict),
        ("FAILOVER", .failover),
        ("PASSTHROUGH", .passthrough)
    )
    private static let healthPolicies = EnumTable<HealthPolicy>(
        ("ONLY_HEALTHY", .onlyHealthy),
        ("ALLOW_ALL", .allowAll)
    )
    /// Nil is the unspecified scope, which no preference may hold.
    private static let scopes = EnumTable<Scope?>(
        ("UNSPECIFIED_SCOPE", nil),
        ("REGION", .region),
        ("ZONE", .zone),
        ("SUBZONE", .subzone),
        ("NODE", .node),
        ("CLUSTER", .cluster),
        ("NETWORK", .network)
    )

    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        self.init()
        routingPreference = try reader.map("routingPreference") {
            reader,
            value,
            field throws(MeshStateError) in
            guard let scope = try reader.checkedEnum(value, field, Self.scopes) else {
                throw reader.failure(field, "is unspecified")
            }
            return scope
        }
        mode = try reader.enumeration("mode", Self.modes) ?? .unspecified
        healthPolicy = try reader.enumeration("healthPolicy", Self.healthPolicies) ?? .onlyHealthy
        try reader.finish()
    }

    var json: JSON {
        var fields = FieldWriter()
        fields.list("routingPreference", routingPreference.map { Self.scopes.name(of: $0) })
        fields.enumeration("mode", mode, .unspecified, Self.modes)
        fields.enumeration("healthPolicy", healthPolicy, .onlyHealthy, Self.healthPolicies)
        return .object(fields.members)
    }
}
