internal import Authorization
internal import Mesh
internal import Routing

/// Follows one connection through the stages that the node would take it through.
package struct Explainer {
    private let view: MeshView
    private let clusterDomain: String
    private let excluded: ExcludedPorts

    /// `excluded` is what nodes told of annotations, which are no part of the mesh they share.
    package init(
        _ view: MeshView,
        clusterDomain: String = "cluster.local",
        excluded: ExcludedPorts = ExcludedPorts()
    ) {
        self.view = view
        self.clusterDomain = clusterDomain
        self.excluded = excluded
    }

    /// Explains a connection from a workload to what its application dials.
    package func explain(
        from sourceText: String,
        to destinationText: String,
        namespace: String = "default"
    ) throws(ReachError) -> Explanation {
        let source = try Party.workload(sourceText, in: view, namespace: namespace)
        let target = try Party.Target(destinationText)
        var explanation = Explanation(destination: destinationText)
        let workload = source.workload
        let node = workload.node.isEmpty ? "" : " on \(workload.node)"
        explanation.source = "\(workload.namespace)/\(workload.name)\(node)"
        if target.isLoopback {
            stayInside(target, source, &explanation)
            return explanation
        }
        let reason = reasonToPassBy(source, target.port, &explanation)
        for address in try addresses(target, source, &explanation) {
            let dialled = OriginalDestination(SocketAddress(address, target.port))
            // What a pod sends to itself never leaves it.
            if let reason, !workload.addresses.contains(address) {
                passBy(dialled, from: source, because: reason, into: &explanation)
            } else {
                route(dialled, from: source, into: &explanation)
            }
        }
        explanation.conclude()
        return explanation
    }

    // No rule takes from a pod what it sends to itself over loopback; only the proxy's own ports
    // are closed there, and 15008 answers nothing but tunnels.
    private func stayInside(
        _ target: Party.Target,
        _ source: WorkloadRecord,
        _ explanation: inout Explanation
    ) {
        let isEnrolled = source.workload.tunnelProtocol == .hbone
        if isEnrolled, Router.illegalPorts.contains(target.port) {
            explanation.route.append(
                "loopback stays in the pod, but port \(target.port) there is the proxy's own"
            )
            return
        }
        explanation.route.append(
            "loopback stays in the pod and never enters the mesh; whether something answers"
                + " there only the pod can say"
        )
        explanation.outcome = .local
    }

    // Why the connection leaves the pod in the clear, past the mesh; nil when it does not.
    private func reasonToPassBy(
        _ source: WorkloadRecord,
        _ port: UInt16,
        _ explanation: inout Explanation
    ) -> String? {
        let workload = source.workload
        let name = "\(workload.namespace)/\(workload.name)"
        guard workload.tunnelProtocol == .hbone else {
            explanation.route.append("\(name) is not in the mesh: its traffic leaves as it is")
            return "the client is not in the mesh"
        }
        guard excluded.isExcluded(outboundTo: port, from: workload) else {
            explanation.identity = source.identity.description
            explanation.note(workload, unlessIn: excluded)
            return nil
        }
        explanation.route.append(
            "\(name) excludes port \(port) from the mesh by the annotation"
                + " ambit.dev/exclude-outbound-ports: it leaves as it is, without an identity"
        )
        return "the client excludes port \(port) from the mesh"
    }

    // The addresses a resolver would answer with; for a headless service those of its pods.
    private func addresses(
        _ target: Party.Target,
        _ source: WorkloadRecord,
        _ explanation: inout Explanation
    ) throws(ReachError) -> [IPAddress] {
        if let address = IPAddress(target.host) { return [address] }
        let namespace = source.workload.namespace
        let service = Party.service(
            target.host,
            in: view,
            namespace: namespace,
            clusterDomain: clusterDomain
        )
        if let service {
            explanation.route.append("service \(service.key)")
            let virtual = service.service.addresses.map(\.prefix.address)
            if let first = virtual.first { return [first] }
            let publishesAll = service.service.loadBalancing.healthPolicy == .allowAll
            let pods = service.endpoints.filter {
                publishesAll || $0.workload.workload.status == .healthy
            }
            explanation.route.append(
                pods.isEmpty
                    ? "it is headless and has no ready pod: the name does not resolve"
                    : "it is headless: the client dials a pod itself"
            )
            return pods.prefix(Explanation.hopsMax).compactMap {
                $0.workload.workload.addresses.first
            }
        }
        let pod = try? Party.workload(target.host, in: view, namespace: namespace)
        if let address = pod?.workload.addresses.first { return [address] }
        throw ReachError(
            .data,
            "the mesh knows no service or pod \(target.host); a name outside the cluster is"
                + " resolved by the cluster's DNS, explain its address instead"
        )
    }

    // MARK: From the mesh

    private func route(
        _ dialled: OriginalDestination,
        from source: WorkloadRecord,
        into explanation: inout Explanation
    ) {
        var router = Router(snapshot: view.snapshot)
        var random = SystemRandomNumberGenerator()
        var excluded: Set<String> = []
        for _ in 0..<Explanation.hopsMax {
            let route = router.route(
                from: source,
                to: dialled,
                excluding: excluded,
                load: { _ in 0 },
                random: &random
            )
            switch route {
            case .passthrough(let address):
                explanation.hops.append(outside(address))
                return
            case .refused(let refusal):
                if excluded.isEmpty { explanation.route.append("refused: \(refusal)") }
                return
            case .endpoint(let choice):
                explanation.hops.append(hop(choice, from: source, dialled))
                guard choice.service != nil, !choice.isSelf else { return }
                guard excluded.insert(choice.workload.workload.uid).inserted else { return }
            }
        }
        explanation.route.append("more endpoints than \(Explanation.hopsMax) are left out")
    }

    private func outside(_ address: SocketAddress) -> Explanation.Hop {
        Explanation.Hop(
            destination: "outside",
            address: "\(address)",
            transport: "in the clear: the mesh does not know this address",
            isAllowed: true,
            reasons: ["no policy of the mesh applies to what is not in it"]
        )
    }

    private func hop(
        _ choice: Choice,
        from source: WorkloadRecord,
        _ dialled: OriginalDestination
    ) -> Explanation.Hop {
        let (here, there) = (source.workload, choice.workload.workload)
        let isLocal = !here.node.isEmpty && here.node == there.node
        let transport: String
        if choice.isSelf {
            transport = "to itself: the mesh leaves it alone"
        } else if !choice.viaHBONE {
            transport = "in the clear: the destination is not in the mesh"
        } else if isLocal {
            transport = "inside \(there.node), from socket to socket, under the pods' identities"
        } else {
            transport = "HTTP CONNECT in mutual TLS to port 15008"
        }
        var hop = Explanation.Hop(
            destination: "\(there.namespace)/\(there.name)",
            address: "\(choice.address)",
            node: there.node,
            transport: transport,
            identity: choice.viaHBONE
                ? choice.expectedIdentities.map(\.description).joined(separator: " or ") : "",
            isAllowed: true,
            reasons: []
        )
        guard !choice.isSelf else {
            hop.reasons = ["no policy is asked"]
            return hop
        }
        // What goes to a pod of the mesh goes through a tunnel, whatever ports that excludes.
        judge(
            &hop,
            flow(source, to: choice.address, identity: choice.viaHBONE ? source.identity : nil),
            choice.workload
        )
        return hop
    }

    // MARK: Past the mesh

    // The cluster's own balancing takes the connection to any endpoint.
    private func passBy(
        _ dialled: OriginalDestination,
        from source: WorkloadRecord,
        because reason: String,
        into explanation: inout Explanation
    ) {
        let (address, network) = (dialled.address, source.workload.network)
        let service = view.snapshot.service(
            address: address.ip,
            network: network,
            clientNamespace: source.workload.namespace
        )
        var ends: [(WorkloadRecord, SocketAddress)] = []
        if let service {
            let policy = service.service.loadBalancing.healthPolicy
            for endpoint in service.endpoints where endpoint.workload.isUsable(under: policy) {
                guard let port = service.targetPort(of: address.port, at: endpoint),
                    let ip = endpoint.workload.workload.addresses.first
                else { continue }
                ends.append((endpoint.workload, SocketAddress(ip, port)))
            }
            if ends.isEmpty { explanation.route.append("no usable endpoint serves this port") }
        } else if let pod = view.snapshot.workload(address: address.ip, network: network) {
            ends = [(pod, address)]
        } else {
            explanation.hops.append(outside(address))
        }
        for (record, end) in ends.prefix(Explanation.hopsMax) {
            let workload = record.workload
            var hop = Explanation.Hop(
                destination: "\(workload.namespace)/\(workload.name)",
                address: "\(end)",
                node: workload.node,
                transport: "in the clear: \(reason)",
                isAllowed: true,
                reasons: []
            )
            if workload.tunnelProtocol == .hbone,
                excluded.isExcluded(inboundTo: end.port, at: workload)
            {
                hop.reasons = [
                    "port \(end.port) is excluded from the mesh by the annotation"
                        + " ambit.dev/exclude-inbound-ports: no policy is asked"
                ]
            } else {
                judge(&hop, flow(source, to: end, identity: nil), record)
                explanation.note(workload, unlessIn: excluded)
            }
            explanation.hops.append(hop)
        }
    }

    private func flow(
        _ source: WorkloadRecord,
        to destination: SocketAddress,
        identity: SPIFFEID?
    ) -> Flow {
        let addresses = source.workload.addresses
        let alike = addresses.first { $0.family == destination.ip.family }
        return Flow(
            source: alike ?? addresses.first ?? IPAddress(v4: 0),
            identity: identity,
            destination: destination
        )
    }

    // MARK: Policy

    private func judge(
        _ hop: inout Explanation.Hop,
        _ flow: Flow,
        _ record: WorkloadRecord
    ) {
        guard record.workload.tunnelProtocol == .hbone else {
            hop.reasons = ["no policy is asked: the destination is not in the mesh"]
            return
        }
        let trace = PolicyTrace(flow, record)
        hop.isAllowed = trace.isAllowed
        hop.policy = trace.policy
        hop.reasons = trace.reasons
    }
}

extension Explanation {
    // The node that knows which ports a workload of the mesh excludes, if it was not asked.
    fileprivate mutating func note(_ workload: Workload, unlessIn excluded: ExcludedPorts) {
        guard workload.tunnelProtocol == .hbone, !workload.node.isEmpty,
            !excluded.isKnown(for: workload), !nodesNotAsked.contains(workload.node)
        else { return }
        nodesNotAsked.append(workload.node)
    }

    fileprivate mutating func conclude() {
        let allowed = hops.count(where: \.isAllowed)
        outcome =
            if hops.isEmpty {
                .refused
            } else if allowed == hops.count {
                .allowed
            } else {
                allowed == 0 ? .denied : .mixed
            }
    }
}
