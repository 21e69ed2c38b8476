internal import JSON
internal import Mesh

// Where the state file and `istioctl ztunnel-config` name a thing differently, the dump has the
// latter's name; values that the state file leaves out as defaults are written out.
extension AdminDump {
    /// A workload of the mesh.
    static func workload(_ workload: Workload) -> JSON {
        var members = (workload.json.objectValue ?? []).filter { $0.0 != "addresses" }
        let known = Set(members.map(\.0))
        let shown: [(String, JSON)] = [
            ("workloadIps", .array(workload.addresses.map { .string($0.description) })),
            ("protocol", workload.tunnelProtocol == .hbone ? "HBONE" : "TCP"),
            ("trustDomain", .string(workload.trustDomain)),
            ("serviceAccount", .string(workload.serviceAccount)),
            ("clusterId", .string(workload.clusterID)),
            ("capacity", .integer(Int64(workload.capacity))),
        ]
        members += shown.filter { !known.contains($0.0) }
        members.removeAll { $0.0 == "status" || $0.0 == "waypoint" || $0.0 == "networkGateway" }
        members.append(("status", workload.status == .healthy ? "Healthy" : "Unhealthy"))
        if let waypoint = workload.waypoint { members.append(("waypoint", gateway(waypoint))) }
        if let remote = workload.networkGateway {
            members.append(("networkGateway", gateway(remote)))
        }
        return .object(members)
    }

    /// A service of the mesh with its endpoints.
    static func service(_ record: ServiceRecord) -> JSON {
        let service = record.service
        var members: [(String, JSON)] = [
            ("name", .string(service.name)),
            ("namespace", .string(service.namespace)),
            ("hostname", .string(service.hostname)),
            ("vips", .array(service.addresses.map(virtualAddress))),
            ("ports", ports(service.ports)),
            ("endpoints", endpoints(record)),
            ("subjectAltNames", .array(service.subjectAltNames.map { .string($0) })),
            ("canonical", .bool(service.canonical)),
        ]
        if let waypoint = service.waypoint { members.append(("waypoint", gateway(waypoint))) }
        let kept = ["loadBalancing", "ipFamilies", "visibility", "weightedWaypoints"]
        let all = service.json.objectValue ?? []
        for name in kept {
            guard let value = all.first(where: { $0.0 == name })?.1 else { continue }
            members.append((name == "loadBalancing" ? "loadBalancer" : name, value))
        }
        return .object(members)
    }

    private static func virtualAddress(_ address: Service.VirtualAddress) -> JSON {
        let prefix = address.prefix
        let text = prefix.isHost ? prefix.address.description : prefix.description
        return .string(address.network + "/" + text)
    }

    private static func ports(_ ports: [ServicePort]) -> JSON {
        var seen: Set<UInt16> = []
        return .object(
            ports.filter { seen.insert($0.servicePort).inserted }.map { port in
                (String(port.servicePort), .integer(Int64(port.targetPort)))
            }
        )
    }

    private static func endpoints(_ record: ServiceRecord) -> JSON {
        .object(
            record.endpoints.map { endpoint in
                let workload = endpoint.workload.workload
                return (
                    workload.uid,
                    [
                        "workloadUid": .string(workload.uid),
                        "status": workload.status == .healthy ? "Healthy" : "Unhealthy",
                        "port": ports(endpoint.ports),
                    ]
                )
            }
        )
    }

    private static func gateway(_ gateway: GatewayAddress) -> JSON {
        let destination =
            switch gateway.destination {
            case .hostname(let namespace, let hostname): namespace + "/" + hostname
            case .address(let network, let address): network + "/" + address.description
            }
        return [
            "destination": .string(destination),
            "hboneMtlsPort": .integer(Int64(gateway.hboneMTLSPort)),
        ]
    }

    /// A policy: rules as lists of clauses as lists of matches.
    static func policy(_ policy: Policy) -> JSON {
        let scope =
            switch policy.scope {
            case .global: "Global"
            case .namespace: "Namespace"
            case .workloadSelector: "WorkloadSelector"
            }
        let rules = policy.json["rules"]?.arrayValue ?? []
        return [
            "name": .string(policy.name),
            "namespace": .string(policy.namespace),
            "scope": .string(scope),
            "action": policy.action == .allow ? "Allow" : "Deny",
            "dryRun": .bool(policy.dryRun),
            "rules": .array(
                rules.map { rule in
                    .array((rule["clauses"]?.arrayValue ?? []).map { $0["matches"] ?? [] })
                }
            ),
        ]
    }
}
