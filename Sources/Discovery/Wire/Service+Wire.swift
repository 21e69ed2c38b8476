package import AmbientProtocol
package import Mesh

extension Service {
    /// Decodes a service; an unknown enum value or a malformed field refuses it whole.
    ///
    /// Only an unknown visibility counts as public, as its definition asks for.
    package init(_ wire: Istio_Workload_Service, resource: String) throws(ResourceRejection) {
        let fields = WireFields(resource: resource)
        self.init(
            name: try fields.requiredText(wire.name, "name"),
            namespace: try fields.segment(wire.namespace, "namespace"),
            hostname: try fields.requiredText(wire.hostname, "hostname")
        )
        for (index, address) in wire.addresses.enumerated() {
            addresses.append(try VirtualAddress(address, fields, "addresses[\(index)]"))
        }
        ports = try fields.ports(wire.ports, "ports")
        for (index, name) in wire.subjectAltNames.enumerated() {
            subjectAltNames.append(try fields.text(name, "subject_alt_names[\(index)]"))
        }
        if wire.hasWaypoint { waypoint = try GatewayAddress(wire.waypoint, fields, "waypoint") }
        for (index, choice) in wire.weightedWaypoints.enumerated() {
            let place = "weighted_waypoints[\(index)]"
            guard choice.hasDestination else { throw fields.failure(place, "has no destination") }
            let destination = try GatewayAddress(choice.destination, fields, place)
            weightedWaypoints.append(
                WeightedWaypoint(destination: destination, weight: choice.weight)
            )
        }
        loadBalancing = try LoadBalancing(wire.loadBalancing, fields)
        switch wire.ipFamilies {
        case .automatic: ipFamilies = .automatic
        case .ipv4Only: ipFamilies = .v4Only
        case .ipv6Only: ipFamilies = .v6Only
        case .dual: ipFamilies = .dual
        case .UNRECOGNIZED(let number): throw fields.unknown("ip_families", number)
        }
        canonical = wire.canonical
        visibility = wire.visibility == .namespace ? .namespace : .everywhere
    }

    /// The service as it goes on the wire.
    package var wire: Istio_Workload_Service {
        var wire = Istio_Workload_Service()
        wire.name = name
        wire.namespace = namespace
        wire.hostname = hostname
        wire.addresses = addresses.map(\.wire)
        wire.ports = ports.map(\.wire)
        wire.subjectAltNames = subjectAltNames
        if let waypoint { wire.waypoint = waypoint.wire }
        wire.weightedWaypoints = weightedWaypoints.map { choice in
            var wire = Istio_Workload_WeightedWaypoint()
            wire.destination = choice.destination.wire
            wire.weight = choice.weight
            return wire
        }
        if loadBalancing != LoadBalancing() { wire.loadBalancing = loadBalancing.wire }
        wire.ipFamilies =
            switch ipFamilies {
            case .automatic: .automatic
            case .v4Only: .ipv4Only
            case .v6Only: .ipv6Only
            case .dual: .dual
            }
        wire.canonical = canonical
        if visibility == .namespace { wire.visibility = .namespace }
        return wire
    }
}

extension LoadBalancing {
    init(
        _ wire: Istio_Workload_LoadBalancing,
        _ fields: WireFields
    ) throws(ResourceRejection) {
        self.init()
        for (index, scope) in wire.routingPreference.enumerated() {
            let field = "load_balancing.routing_preference[\(index)]"
            switch scope {
            case .region: routingPreference.append(.region)
            case .zone: routingPreference.append(.zone)
            case .subzone: routingPreference.append(.subzone)
            case .node: routingPreference.append(.node)
            case .cluster: routingPreference.append(.cluster)
            case .network: routingPreference.append(.network)
            case .unspecifiedScope: throw fields.failure(field, "is unspecified")
            case .UNRECOGNIZED(let number): throw fields.unknown(field, number)
            }
        }
        switch wire.mode {
        case .unspecifiedMode: mode = .unspecified
        case .strict: mode = .strict
        case .failover: mode = .failover
        case .passthrough: mode = .passthrough
        case .UNRECOGNIZED(let number): throw fields.unknown("load_balancing.mode", number)
        }
        switch wire.healthPolicy {
        case .onlyHealthy: healthPolicy = .onlyHealthy
        case .allowAll: healthPolicy = .allowAll
        case .UNRECOGNIZED(let number):
            throw fields.unknown("load_balancing.health_policy", number)
        }
    }

    var wire: Istio_Workload_LoadBalancing {
        var wire = Istio_Workload_LoadBalancing()
        wire.routingPreference = routingPreference.map { scope in
            switch scope {
            case .region: .region
            case .zone: .zone
            case .subzone: .subzone
            case .node: .node
            case .cluster: .cluster
            case .network: .network
            }
        }
        wire.mode =
            switch mode {
            case .unspecified: .unspecifiedMode
            case .strict: .strict
            case .failover: .failover
            case .passthrough: .passthrough
            }
        wire.healthPolicy = healthPolicy == .onlyHealthy ? .onlyHealthy : .allowAll
        return wire
    }
}
