package import Kubernetes

/// Whether an installed Ambit works: `ambit check`.
package struct MeshCheck: Sendable {
    private static let logs = "kubectl -n \(Installation.namespace) logs"

    private let cluster: any Cluster

    package init(_ cluster: any Cluster) { self.cluster = cluster }

    /// Looks at the objects in the cluster.
    package func run() async throws(ClusterError) -> CheckReport {
        var report = CheckReport()
        report.begin("Control plane")
        try await checkKinds(in: &report)
        try await checkRollout(Rollout.controller, in: &report)
        try await checkRoots(in: &report)
        report.begin("Nodes")
        try await checkRollout(Rollout.node, in: &report)
        report.begin("Pods")
        try await checkPods(in: &report)
        report.begin("Policies")
        try await checkPolicies(in: &report)
        try await checkNetworkPolicies(in: &report)
        return report
    }

    /// Adds what the nodes tell of themselves.
    package static func addNodes(
        _ nodes: [(dump: NodeDump, pending: String)],
        to report: inout CheckReport
    ) {
        report.begin("What nodes tell")
        let versions = Set(nodes.map(\.dump.version))
        if versions.count > 1 {
            report.warn(
                "all nodes run one version",
                cause: "there are \(versions.sorted().joined(separator: ", "))",
                remedy: "kubectl -n \(Installation.namespace) rollout status ds/ambit-node"
            )
        }
        for (node, pending) in nodes {
            let waiting = node.pods.filter { $0.state == "Pending" }
            let invalid = node.certificates.filter { $0.state != "Available" }
            if !pending.isEmpty {
                report.fail(
                    "\(node.node) is ready",
                    cause: "it waits for: \(pending)",
                    remedy: "\(logs) ds/ambit-node"
                )
            } else if let first = invalid.first {
                report.fail(
                    "\(node.node) has every certificate",
                    cause: "\(first.identity): \(first.state)",
                    remedy: "ambit certs --node \(node.node); \(logs) deploy/ambit-controller"
                )
            } else if let first = waiting.first {
                report.fail(
                    "\(node.node) captured its pods",
                    cause: "\(first.namespace)/\(first.name) waits",
                    remedy: "\(logs) ds/ambit-node | grep \(first.name)"
                )
            } else {
                report.pass(
                    "\(node.node): \(node.pods.count) pods,"
                        + " \(node.certificates.count) certificates"
                )
            }
        }
    }

    // MARK: Control plane

    private func checkKinds(in report: inout CheckReport) async throws(ClusterError) {
        let kinds = Resource(
            apiVersion: "apiextensions.k8s.io/v1",
            kind: "CustomResourceDefinition",
            plural: "customresourcedefinitions",
            isNamespaced: false
        )
        var missing: [String] = []
        for name in ["authorizationpolicies", "peerauthentications", "requestauthentications"] {
            let full = name + ".security.ambit.dev"
            let found = try await cluster.get(ObjectReference(kinds, name: full))
            if found == nil { missing.append(full) }
        }
        if missing.isEmpty {
            report.pass("the kinds of security.ambit.dev are there")
        } else {
            report.fail(
                "the kinds of security.ambit.dev are there",
                cause: "missing: \(missing.joined(separator: ", "))",
                remedy: "ambit install"
            )
        }
    }

    private func checkRollout(
        _ program: Rollout.Program,
        in report: inout CheckReport
    ) async throws(ClusterError) {
        let object = try await cluster.get(program.reference)
        let rollout = Rollout(object)
        let title = "\(program.kind) \(program.name): \(rollout.text)"
        guard !rollout.isComplete else { return report.pass(title) }
        guard object != nil else {
            return report.fail(title, cause: "Ambit is not installed", remedy: "ambit install")
        }
        var selection = ObjectSelection()
        selection.namespace = Installation.namespace
        selection.labels = "app.kubernetes.io/name=\(program.name)"
        let pods = try await cluster.list(.pods, in: selection)
        let reasons = pods.compactMap(Self.trouble)
        report.fail(
            title,
            cause: reasons.isEmpty
                ? "its pods are not ready yet" : reasons.prefix(3).joined(separator: "; "),
            remedy: "kubectl -n \(Installation.namespace) describe pods -l"
                + " app.kubernetes.io/name=\(program.name)"
        )
    }

    /// Why a pod does not run, in the words of kubelet or the scheduler; nil when it does.
    static func trouble(of pod: Value) -> String? {
        let name = pod["metadata"]["name"].stringValue ?? ""
        for container in pod["status"]["containerStatuses"].listValue ?? [] {
            let waiting = container["state"]["waiting"]
            if let reason = waiting["reason"].stringValue, reason != "ContainerCreating" {
                let message = waiting["message"].stringValue.map { ": " + $0 } ?? ""
                return "\(name) \(reason)\(message)"
            }
        }
        for condition in pod["status"]["conditions"].listValue ?? []
        where condition["type"] == "PodScheduled" && condition["status"] == "False" {
            return "\(name) \(condition["message"].stringValue ?? "cannot be scheduled")"
        }
        return nil
    }

    private func checkRoots(in report: inout CheckReport) async throws(ClusterError) {
        let reference = ObjectReference(
            .configMaps,
            namespace: Installation.namespace,
            name: "ambit-ca-root"
        )
        let text = try await cluster.get(reference)?["data"]["root-cert.pem"].stringValue ?? ""
        if text.contains("-----BEGIN CERTIFICATE-----") {
            report.pass("nodes are told the roots they trust")
        } else {
            report.fail(
                "nodes are told the roots they trust",
                cause: "the ConfigMap ambit-ca-root has none; the leading controller writes it",
                remedy: "\(Self.logs) deploy/ambit-controller"
            )
        }
    }

    // MARK: Pods

    private func checkPods(in report: inout CheckReport) async throws(ClusterError) {
        let spaces = try await cluster.list(.namespaces, in: ObjectSelection())
        let pods = try await cluster.list(.pods, in: ObjectSelection())
        var byNamespace: [String: [Value]] = [:]
        for pod in pods {
            byNamespace[pod["metadata"]["namespace"].stringValue ?? "", default: []].append(pod)
        }
        var enrolled = 0
        for space in spaces {
            let name = space["metadata"]["name"].stringValue ?? ""
            let progress = EnrolmentProgress(namespace: space, pods: byNamespace[name] ?? [])
            if !progress.waiting.isEmpty {
                report.fail(
                    "pods of \(name): \(progress.text)",
                    cause: "not as labelled: \(progress.waiting.prefix(3).joined(separator: ", "))",
                    remedy: "kubectl -n \(name) get events;"
                        + " \(Self.logs) ds/ambit-node | grep \(progress.waiting.first ?? name)"
                )
            } else if progress.text != EnrolmentProgress.none {
                enrolled += 1
                report.pass("pods of \(name): \(progress.text)")
            }
        }
        if enrolled == 0, report.items.last?.group != "Pods" {
            report.warn(
                "a namespace is enrolled",
                cause: "no pod is in the mesh",
                remedy: "ambit enrol NAMESPACE"
            )
        }
    }

    // MARK: Policies

    private func checkPolicies(in report: inout CheckReport) async throws(ClusterError) {
        var count = 0
        for type in [AuthorizationPolicy.objectType, PeerAuthentication.objectType] {
            let resource = Resource(type, version: "security.ambit.dev/v1alpha1")
            for policy in try await optionalList(resource) {
                count += 1
                let conditions = policy["status"]["conditions"].listValue ?? []
                let refused = conditions.first {
                    $0["type"] == "Accepted" && $0["status"] == "False"
                }
                guard let refused else { continue }
                let space = policy["metadata"]["namespace"].stringValue ?? ""
                let name = policy["metadata"]["name"].stringValue ?? ""
                report.fail(
                    "\(type.kind) \(space)/\(name) is accepted",
                    cause: refused["message"].stringValue ?? "no reason is given",
                    remedy: "kubectl -n \(space) edit"
                        + " \(resource.plural).security.ambit.dev \(name)"
                )
            }
        }
        if report.items.last?.group != "Policies" { report.pass("\(count) policies, none refused") }
    }

    // A NetworkPolicy that does not let port 15008 in keeps the mesh's tunnels out.
    private func checkNetworkPolicies(in report: inout CheckReport) async throws(ClusterError) {
        let resource = Resource(
            apiVersion: "networking.k8s.io/v1",
            kind: "NetworkPolicy",
            plural: "networkpolicies",
            isNamespaced: true
        )
        let spaces = try await cluster.list(.namespaces, in: ObjectSelection()).filter {
            $0["metadata"]["labels"][Enrolling.label] == "ambient"
        }
        let enrolled = Set(spaces.compactMap { $0["metadata"]["name"].stringValue })
        for policy in try await optionalList(resource) {
            let space = policy["metadata"]["namespace"].stringValue ?? ""
            guard enrolled.contains(space), Self.keepsTunnelsOut(policy) else { continue }
            let name = policy["metadata"]["name"].stringValue ?? ""
            report.warn(
                "NetworkPolicy \(space)/\(name) lets port 15008 in",
                cause: "it lists ports and 15008 is not among them: tunnels to its pods time out",
                remedy: "kubectl -n \(space) edit networkpolicy \(name)"
            )
        }
    }

    /// Whether a NetworkPolicy has rules for coming in and none of them is for port 15008.
    static func keepsTunnelsOut(_ policy: Value) -> Bool {
        let types = policy["spec"]["policyTypes"].listValue ?? ["Ingress"]
        guard types.contains("Ingress") else { return false }
        return !(policy["spec"]["ingress"].listValue ?? []).contains { rule in
            guard let ports = rule["ports"].listValue, !ports.isEmpty else { return true }
            return ports.contains { port in
                guard port["protocol"] == .null || port["protocol"] == "TCP" else { return false }
                guard let first = port["port"].integerValue else { return port["port"] == .null }
                let last = port["endPort"].integerValue ?? first
                return first <= 15_008 && 15_008 <= last
            }
        }
    }

    // A kind that is not installed has no objects.
    private func optionalList(_ resource: Resource) async throws(ClusterError) -> [Value] {
        do {
            return try await cluster.list(resource, in: ObjectSelection())
        } catch {
            guard error.code == .notFound else { throw error }
            return []
        }
    }
}
