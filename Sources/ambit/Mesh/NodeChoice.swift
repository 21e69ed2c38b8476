internal import ArgumentParser
internal import Kubernetes
internal import Lab
internal import Terminal

/// Which nodes are asked, and how they are reached.
struct NodeChoice: ParsableArguments {
    @Option(help: "Ask the admin server at this address, such as http://127.0.0.1:15000.")
    var admin: [String] = []

    @Option(help: "Ask the nodes of this lab.")
    var lab: String?

    @Option(help: "Ask this node alone.")
    var node: String?

    @OptionGroup var cluster: ClusterChoice

    func validate() throws {
        guard admin.isEmpty || (lab == nil && node == nil) else {
            throw ValidationError("--admin cannot stand beside --lab or --node")
        }
    }

    /// Every node that was chosen.
    func all() async throws -> [NodeSource] {
        if !admin.isEmpty { return try admin.map(Self.source) }
        if let lab { return try labNodes(lab) }
        return try await clusterNodes(isOneEnough: false)
    }

    /// One node, for what every node knows.
    func any() async throws -> NodeSource {
        let sources: [NodeSource]
        if !admin.isEmpty {
            sources = try admin.map(Self.source)
        } else if let lab {
            sources = try labNodes(lab)
        } else {
            sources = try await clusterNodes(isOneEnough: true)
        }
        guard let first = sources.first else { throw ReachError(.unavailable, "no node") }
        return first
    }

    /// Those of some nodes that were chosen and can be reached; admin servers, whose nodes are not
    /// known before they are asked, are all among them.
    func reachable(_ names: Set<String>) async -> [NodeSource] {
        do {
            if !admin.isEmpty { return try admin.map(Self.source) }
            if let lab { return try labNodes(lab).filter { names.contains($0.name) } }
            return try await clusterNodes(isOneEnough: false, among: names)
        } catch {
            return []
        }
    }

    private static func source(_ text: String) throws(ReachError) -> NodeSource {
        guard let address = AdminAddress(text) else {
            throw ReachError(.usage, "\(text): give an address such as http://127.0.0.1:15000")
        }
        return NodeSource(name: text) { method, path throws(ReachError) in
            try await address.request(method, path)
        }
    }

    private func labNodes(_ lab: String) throws -> [NodeSource] {
        try LabLauncher.check(name: lab)
        let status = try ControlClient(lab: lab).call(.status).status
        let nodes = (status?.nodes ?? []).filter { node == nil || $0.name == node }
        let hint = "ambit lab ps --name \(lab) lists them"
        if let node, nodes.isEmpty {
            throw ReachError(.data, "there is no node \(node): \(hint)")
        }
        let names = nodes.filter { $0.state == "Running" }.map(\.name)
        guard !names.isEmpty else { throw ReachError(.unavailable, "no such node runs: \(hint)") }
        return names.map { name in
            NodeSource(name: name) { method, path throws(ReachError) in
                try Self.ask(lab, name, method, path)
            }
        }
    }

    private static func ask(
        _ lab: String,
        _ node: String,
        _ method: String,
        _ path: String
    ) throws(ReachError) -> [UInt8] {
        let response: NodeHTTP.Response
        do {
            let http = NodeHTTP(try ControlClient(lab: lab))
            response = try http.request(method, path, at: .node(node), port: 15_000)
        } catch {
            throw ReachError(.unavailable, error.message)
        }
        try ReachError.check(status: response.status, of: path, body: response.body)
        return response.body
    }

    // MARK: Clusters

    private func clusterNodes(
        isOneEnough: Bool,
        among names: Set<String>? = nil
    ) async throws -> [NodeSource] {
        var selection = ObjectSelection()
        selection.namespace = Installation.namespace
        selection.labels = "app.kubernetes.io/name=ambit-node"
        if let node { selection.fields = "spec.nodeName=\(node)" }
        let api = try cluster.connect()
        let pods = try await api.list(.pods, in: selection).filter {
            $0["status"]["phase"].stringValue == "Running"
                && $0["metadata"]["deletionTimestamp"] == .null
        }.filter { pod in
            names?.contains(pod["spec"]["nodeName"].stringValue ?? "") ?? true
        }
        guard !pods.isEmpty else {
            if let node { try await checkName(of: node, api) }
            throw ReachError(
                .unavailable,
                "no pod of ambit-node runs" + (node.map { " on \($0)" } ?? "")
                    + " in namespace \(Installation.namespace)"
            )
        }
        let asked = isOneEnough ? Array(pods.prefix(1)) : pods
        return try asked.map { pod in
            let forward = try PortForward(
                pod: pod["metadata"]["name"].stringValue ?? "",
                namespace: Installation.namespace,
                options: cluster.options
            )
            let name = pod["spec"]["nodeName"].stringValue ?? ""
            return NodeSource(name: name) { method, path throws(ReachError) in
                try await AdminAddress(port: forward.port).request(method, path)
            }
        }
    }

    // Who may not read nodes is told that none answers.
    private func checkName(of node: String, _ api: APIServer) async throws {
        let object: Value?
        do {
            object = try await api.get(ObjectReference(.nodes, name: node))
        } catch {
            return
        }
        if object == nil { throw ReachError(.data, "the cluster has no node \(node)") }
    }
}
