package import Kubernetes

/// Whether a cluster can take Ambit: `ambit check --pre`.
package struct PreflightCheck: Sendable {
    /// AppArmor by field and the surge of DaemonSets are there from this version on.
    private static let minorMin = 30
    /// Every sysctl that capture sets is there from these versions on; without the second, the
    /// hand-over of an update may reset connections that are being made.
    private static let kernels = (needed: [4, 18], good: [5, 14])

    private let cluster: any Cluster

    package init(_ cluster: any Cluster) { self.cluster = cluster }

    /// Looks at everything; fails only when the cluster does not answer.
    package func run() async throws(ClusterError) -> CheckReport {
        var report = CheckReport()
        report.begin("Cluster")
        let nodes = try await cluster.list(.nodes, in: ObjectSelection())
        report.pass("the API server answers and has \(nodes.count) nodes")
        checkNodes(nodes, in: &report)
        report.begin("Rights")
        await checkRights(in: &report)
        report.begin("Neighbours")
        await checkNeighbours(in: &report)
        return report
    }

    private func checkNodes(_ nodes: [Value], in report: inout CheckReport) {
        for node in nodes {
            let name = node["metadata"]["name"].stringValue ?? ""
            let info = node["status"]["nodeInfo"]
            func text(_ field: String) -> String { info[field].stringValue ?? "" }
            guard text("operatingSystem") == "linux" else { continue }
            let kubelet = Self.numbers(text("kubeletVersion"))
            let kernel = Self.numbers(text("kernelVersion"))
            let what = "\(name): kubelet \(text("kubeletVersion")), kernel \(text("kernelVersion"))"
            if kubelet.lexicographicallyPrecedes([1, Self.minorMin]) {
                report.fail(
                    what,
                    cause: "Ambit needs Kubernetes 1.\(Self.minorMin) or later",
                    remedy: "upgrade the node"
                )
            } else if kernel.lexicographicallyPrecedes(Self.kernels.needed) {
                report.fail(
                    what,
                    cause: "Ambit needs Linux 4.18 or later",
                    remedy: "upgrade the node"
                )
            } else if kernel.lexicographicallyPrecedes(Self.kernels.good) {
                report.warn(
                    what,
                    cause: "before Linux 5.14 an update of ambit-node may reset connections that"
                        + " are just being made",
                    remedy: "upgrade the node's kernel when that matters"
                )
            } else {
                report.pass(what)
            }
        }
    }

    /// The numbers a version begins with: `v1.36.2-gke` is 1, 36, 2.
    static func numbers(_ version: String) -> [Int] {
        let digits = version.hasPrefix("v") ? version.dropFirst() : version[...]
        return digits.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap {
            Int($0)
        }
    }

    // MARK: Rights

    private static let rights: [(group: String, resource: String, namespace: String)] = [
        ("", "namespaces", ""),
        ("apiextensions.k8s.io", "customresourcedefinitions", ""),
        ("rbac.authorization.k8s.io", "clusterroles", ""),
        ("rbac.authorization.k8s.io", "clusterrolebindings", ""),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", ""),
        ("apps", "daemonsets", Installation.namespace),
        ("apps", "deployments", Installation.namespace),
    ]

    private func checkRights(in report: inout CheckReport) async {
        for right in Self.rights {
            let title = "you may create \(right.resource)"
            let review: Value = [
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": [
                    "resourceAttributes": [
                        "group": .string(right.group),
                        "resource": .string(right.resource),
                        "namespace": .string(right.namespace),
                        "verb": "create",
                    ]
                ],
            ]
            do {
                let answer = try await cluster.create(review)
                if answer["status"]["allowed"].boolValue == true {
                    report.pass(title)
                } else {
                    report.fail(
                        title,
                        cause: "RBAC does not allow it",
                        remedy: "install as a cluster administrator"
                    )
                }
            } catch {
                report.warn(title, cause: error.reason, remedy: "kubectl auth can-i --list")
            }
        }
    }

    // MARK: Neighbours

    private func checkNeighbours(in report: inout CheckReport) async {
        let sets = Rollout.node.reference.resource
        let all = (try? await cluster.list(sets, in: ObjectSelection())) ?? []
        let names = all.map { $0["metadata"]["name"].stringValue ?? "" }
        if names.contains("ztunnel") {
            report.warn(
                "another ambient mesh runs (DaemonSet ztunnel)",
                cause: "both honour istio.io/dataplane-mode: a namespace must be in one of them",
                remedy: "enrol with ambit.dev/dataplane-mode only, or remove the other mesh"
            )
        } else {
            report.pass("no other ambient mesh runs")
        }
        let namespace = ObjectReference(.namespaces, name: Installation.namespace)
        guard let found = try? await cluster.get(namespace) else {
            return report.pass("Ambit is new here")
        }
        if found["metadata"]["deletionTimestamp"] != .null {
            report.fail(
                "the namespace \(Installation.namespace) is free",
                cause: "it is being deleted, and takes nothing new until its last pod has ended,"
                    + " an hour at most",
                remedy: "kubectl -n \(Installation.namespace) get pods"
            )
        } else if found["metadata"]["labels"]["app.kubernetes.io/name"] == "ambit" {
            report.pass("Ambit is there already: install upgrades it")
        } else {
            report.fail(
                "the namespace \(Installation.namespace) is free",
                cause: "it exists and is not Ambit's",
                remedy: "kubectl get namespace \(Installation.namespace) -o yaml"
            )
        }
    }
}
