package import AmbientProtocol
internal import FoundationEssentials
package import Mesh
internal import SwiftProtobuf

extension Workload {
    /// Decodes a workload; an unknown enum value or a malformed field refuses it whole.
    package init(
        _ wire: Istio_Workload_Workload,
        resource: String
    ) throws(ResourceRejection) {
        let fields = WireFields(resource: resource)
        self.init(
            uid: try fields.requiredText(wire.uid, "uid"),
            name: try fields.requiredText(wire.name, "name"),
            namespace: try fields.segment(wire.namespace, "namespace")
        )
        addresses.reserveCapacity(wire.addresses.count)
        for (index, bytes) in wire.addresses.enumerated() {
            addresses.append(try fields.address(bytes, "addresses[\(index)]"))
        }
        hostname = try fields.text(wire.hostname, "hostname")
        network = try fields.text(wire.network, "network")
        try readIdentity(wire, fields)
        node = try fields.text(wire.node, "node")
        canonicalName = try fields.text(wire.canonicalName, "canonical_name")
        canonicalRevision = try fields.text(wire.canonicalRevision, "canonical_revision")
        workloadName = try fields.text(wire.workloadName, "workload_name")
        nativeTunnel = wire.nativeTunnel
        if !wire.clusterID.isEmpty { clusterID = try fields.text(wire.clusterID, "cluster_id") }
        try readEnumerations(wire, fields)
        capacity = wire.hasCapacity ? wire.capacity.value : 1
        locality.region = try fields.text(wire.locality.region, "locality.region")
        locality.zone = try fields.text(wire.locality.zone, "locality.zone")
        locality.subzone = try fields.text(wire.locality.subzone, "locality.subzone")
        if wire.hasWaypoint {
            waypoint = try GatewayAddress(wire.waypoint, fields, "waypoint")
        }
        if wire.hasNetworkGateway {
            networkGateway = try GatewayAddress(wire.networkGateway, fields, "network_gateway")
        }
        try readServices(wire, fields)
        var policies: [String] = []
        for (index, name) in wire.authorizationPolicies.enumerated() {
            let field = "authorization_policies[\(index)]"
            policies.append(try fields.requiredText(name, field))
        }
        authorizationPolicies = policies
        // A workload behind a PROXY protocol tunnel cannot be reached by plain HBONE: say so.
        guard wire.applicationTunnel.protocol == .none else {
            throw fields.failure("application_tunnel", "PROXY is not supported")
        }
    }

    private mutating func readIdentity(
        _ wire: Istio_Workload_Workload,
        _ fields: WireFields
    ) throws(ResourceRejection) {
        if !wire.trustDomain.isEmpty { trustDomain = wire.trustDomain }
        if !wire.serviceAccount.isEmpty { serviceAccount = wire.serviceAccount }
        guard
            SPIFFEID(
                checkedTrustDomain: trustDomain,
                namespace: namespace,
                serviceAccount: serviceAccount
            ) != nil
        else {
            throw fields.failure(
                "service_account",
                "makes no SPIFFE id with the trust domain and namespace"
            )
        }
    }

    private mutating func readEnumerations(
        _ wire: Istio_Workload_Workload,
        _ fields: WireFields
    ) throws(ResourceRejection) {
        switch wire.tunnelProtocol {
        case .none: tunnelProtocol = .none
        case .hbone: tunnelProtocol = .hbone
        case .legacyIstioMtls:
            throw fields.failure("tunnel_protocol", "LEGACY_ISTIO_MTLS is not supported")
        case .UNRECOGNIZED(let number): throw fields.unknown("tunnel_protocol", number)
        }
        switch wire.workloadType {
        case .deployment: kind = .deployment
        case .cronjob: kind = .cronJob
        case .pod: kind = .pod
        case .job: kind = .job
        case .UNRECOGNIZED(let number): throw fields.unknown("workload_type", number)
        }
        switch wire.status {
        case .healthy: status = .healthy
        case .unhealthy: status = .unhealthy
        case .UNRECOGNIZED(let number): throw fields.unknown("status", number)
        }
        switch wire.networkMode {
        case .standard: networkMode = .standard
        case .hostNetwork: networkMode = .hostNetwork
        case .UNRECOGNIZED(let number): throw fields.unknown("network_mode", number)
        }
    }

    private mutating func readServices(
        _ wire: Istio_Workload_Workload,
        _ fields: WireFields
    ) throws(ResourceRejection) {
        var services: [String: [ServicePort]] = [:]
        for (key, list) in wire.services {
            let field = "services[\(key.clipped(bytes: 128))]"
            guard key.utf8.contains(UInt8(ascii: "/")) else {
                throw fields.failure(field, "is not keyed by namespace/hostname")
            }
            services[try fields.text(key, field)] = try fields.ports(
                list.ports,
                field + ".ports"
            )
        }
        self.services = services
    }

    /// The workload as it goes on the wire; what the protocol takes for absent is left out.
    package var wire: Istio_Workload_Workload {
        var wire = Istio_Workload_Workload()
        wire.uid = uid
        wire.name = name
        wire.namespace = namespace
        wire.addresses = addresses.map { Data($0.bytes) }
        wire.hostname = hostname
        wire.network = network
        wire.tunnelProtocol = tunnelProtocol == .hbone ? .hbone : .none
        if trustDomain != "cluster.local" { wire.trustDomain = trustDomain }
        if serviceAccount != "default" { wire.serviceAccount = serviceAccount }
        wire.node = node
        wire.canonicalName = canonicalName
        wire.canonicalRevision = canonicalRevision
        wire.workloadType =
            switch kind {
            case .deployment: .deployment
            case .cronJob: .cronjob
            case .pod: .pod
            case .job: .job
            }
        wire.workloadName = workloadName
        wire.nativeTunnel = nativeTunnel
        if clusterID != "Kubernetes" { wire.clusterID = clusterID }
        wire.status = status == .healthy ? .healthy : .unhealthy
        wire.networkMode = networkMode == .standard ? .standard : .hostNetwork
        if capacity != 1 { wire.capacity = Google_Protobuf_UInt32Value(capacity) }
        if locality != Locality() {
            wire.locality.region = locality.region
            wire.locality.zone = locality.zone
            wire.locality.subzone = locality.subzone
        }
        if let waypoint { wire.waypoint = waypoint.wire }
        if let networkGateway { wire.networkGateway = networkGateway.wire }
        wire.services = services.mapValues { ports in
            var list = Istio_Workload_PortList()
            list.ports = ports.map(\.wire)
            return list
        }
        wire.authorizationPolicies = authorizationPolicies
        return wire
    }
}
