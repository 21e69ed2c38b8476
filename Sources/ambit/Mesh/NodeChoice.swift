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
        let names = (status?.nodes ?? []).filter { $0.state == "Running" }.map(\.name)
            .filter { node == nil || $0 == node }
        guard !names.isEmpty else {
            throw ReachError(
                .unavailable,
                "no such node runs: ambit lab ps --name \(lab) lists them"
            )
        }
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
        guard (200..<300).contains(response.status) else {
            let text = String(decoding: response.body.prefix(500), as: UTF8.self)
            throw ReachError(.failed, "\(path) answered \(response.status): \(text)")
        }
        return response.body
    }

    // MARK: Clusters

    private func clusterNodes(isOneEnough: Bool) async throws -> [NodeSource] {
        var selection = ObjectSelection()
        selection.namespace = Installation.namespace
        selection.labels = "app.kubernetes.io/name=ambit-node"
        if let node { selection.fields = "spec.nodeName=\(node)" }
        let pods = try await cluster.connect().list(.pods, in: selection).filter {
            $0["status"]["phase"].stringValue == "Running"
                && $0["metadata"]["deletionTimestamp"] == .null
        }
        guard !pods.isEmpty else {
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
}
