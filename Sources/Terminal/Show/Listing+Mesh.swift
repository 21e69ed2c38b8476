internal import Kubernetes
internal import Mesh
internal import Routing

extension Listing {
    /// The workloads of the mesh, of one namespace or all.
    package static func workloads(_ view: MeshView, namespace: String? = nil) -> Listing {
        var table = Table([
            "NAMESPACE", "NAME", "ADDRESS", "NODE", "SERVICE ACCOUNT", "PROTOCOL", "STATUS",
        ])
        var values: [Value] = []
        let sorted = view.snapshot.workloads.map(\.workload)
            .filter { namespace == nil || $0.namespace == namespace }
            .sorted { ($0.namespace, $0.name, $0.uid) < ($1.namespace, $1.name, $1.uid) }
        for workload in sorted {
            let addresses = workload.addresses.map(\.description)
            let protocolName = workload.tunnelProtocol == .hbone ? "HBONE" : "TCP"
            let staysOut = isOnNode(workload)
            let status = workload.status == .healthy ? "Healthy" : "Unhealthy"
            table.add([
                workload.namespace, workload.name, addresses.joined(separator: ","), workload.node,
                workload.serviceAccount, protocolName + (staysOut ? " (host network)" : ""), status,
            ])
            values.append([
                "uid": .string(workload.uid),
                "namespace": .string(workload.namespace),
                "name": .string(workload.name),
                "addresses": .list(addresses.map { .string($0) }),
                "node": .string(workload.node),
                "identity": .string(workload.identity.description),
                "protocol": .string(protocolName),
                "notEnrolledBecause": .string(staysOut ? hostNetworkReason : ""),
                "status": .string(status),
                "services": .list(workload.services.keys.sorted().map { .string($0) }),
                "policies": .list(workload.authorizationPolicies.map { .string($0) }),
            ])
        }
        let note = sorted.contains(where: isOnNode) ? "(host network): \(hostNetworkReason)" : ""
        return Listing(
            table: table,
            value: .list(values),
            note: values.isEmpty ? none(values, "workloads") : note
        )
    }

    private static func isOnNode(_ workload: Workload) -> Bool {
        workload.networkMode == .hostNetwork && workload.tunnelProtocol != .hbone
    }

    private static let hostNetworkReason =
        "a pod on its node's network cannot be enrolled, whatever its labels say"

    /// The services of the mesh with how many of their endpoints can be used.
    ///
    /// An endpoint that is not ready can be where the service publishes those, and one that is
    /// ready cannot be where no port of the service leads to it.
    package static func services(_ view: MeshView, namespace: String? = nil) -> Listing {
        var table = Table([
            "NAMESPACE", "NAME", "ADDRESSES", "PORTS", "ENDPOINTS", "WAYPOINT",
        ])
        var values: [Value] = []
        let sorted = view.snapshot.services
            .filter { namespace == nil || $0.service.namespace == namespace }
            .sorted { $0.key < $1.key }
        for record in sorted {
            let service = record.service
            let addresses = service.addresses.map { address in
                let prefix = address.prefix
                return prefix.isHost ? prefix.address.description : prefix.description
            }
            let ports = service.ports.map { port in
                port.targetPort == port.servicePort || port.targetPort == 0
                    ? "\(port.servicePort)" : "\(port.servicePort)→\(port.targetPort)"
            }
            let usable = record.endpoints.filter { record.leads(to: $0) }.count
            let waypoint = service.waypoint.map(text) ?? ""
            table.add([
                service.namespace, service.name, addresses.joined(separator: ","),
                ports.joined(separator: ","), "\(usable)/\(record.endpoints.count)",
                waypoint,
            ])
            values.append([
                "namespace": .string(service.namespace),
                "name": .string(service.name),
                "hostname": .string(service.hostname),
                "addresses": .list(addresses.map { .string($0) }),
                "ports": .list(
                    service.ports.map {
                        [
                            "port": .integer(Int64($0.servicePort)),
                            "targetPort": .integer(Int64($0.targetPort)),
                        ]
                    }
                ),
                "endpoints": .list(
                    record.endpoints.map {
                        [
                            "workload": .string($0.workload.workload.uid),
                            "healthy": .bool($0.workload.workload.status == .healthy),
                            "usable": .bool(record.leads(to: $0)),
                        ]
                    }
                ),
                "waypoint": .string(waypoint),
            ])
        }
        return Listing(table: table, value: .list(values), note: none(values, "services"))
    }

    static func text(_ gateway: GatewayAddress) -> String {
        switch gateway.destination {
        case .hostname(let namespace, let hostname): "\(namespace)/\(hostname)"
        case .address(_, let address): address.description
        }
    }

    /// The L4 policies that nodes hold and to how many workloads each applies.
    package static func policies(_ view: MeshView, namespace: String? = nil) -> Listing {
        var uses: [String: Int] = [:]
        for record in view.snapshot.workloads {
            let groups = record.policies.groups
            let keys = groups.flatMap { $0.deny + $0.allow + $0.dryRunDeny + $0.dryRunAllow }
                .map(\.key)
            for key in Set(keys) { uses[key, default: 0] += 1 }
        }
        var table = Table([
            "NAMESPACE", "NAME", "ACTION", "SCOPE", "RULES", "DRY RUN", "WORKLOADS",
        ])
        var values: [Value] = []
        let sorted = view.snapshot.policies.map(\.policy)
            .filter { namespace == nil || $0.namespace == namespace }
            .sorted { $0.key < $1.key }
        for policy in sorted {
            let action = policy.action == .allow ? "ALLOW" : "DENY"
            let scope =
                switch policy.scope {
                case .global: "mesh"
                case .namespace: "namespace"
                case .workloadSelector: "selector"
                }
            let count = uses[policy.key] ?? 0
            table.add([
                policy.namespace, policy.name, action, scope, "\(policy.rules.count)",
                policy.dryRun ? "yes" : "no", "\(count)",
            ])
            values.append([
                "namespace": .string(policy.namespace),
                "name": .string(policy.name),
                "action": .string(action),
                "scope": .string(scope),
                "dryRun": .bool(policy.dryRun),
                "rules": .list(policy.rules.map { .string(RuleText.text(of: $0)) }),
                "workloads": .integer(Int64(count)),
            ])
        }
        return Listing(table: table, value: .list(values), note: none(values, "policies"))
    }

    private static func none(_ values: [Value], _ what: String) -> String {
        values.isEmpty ? "No \(what)." : ""
    }
}

extension ServiceRecord {
    // The clients of a headless service dial whatever port of the pod they like.
    fileprivate func leads(to endpoint: Endpoint) -> Bool {
        guard endpoint.workload.isUsable(under: service.loadBalancing.healthPolicy) else {
            return false
        }
        return service.addresses.isEmpty
            || servicePorts.contains { targetPort(of: $0, at: endpoint) != nil }
    }
}
