import Kubernetes

/// A kind that the double serves.
package struct ServedKind: Sendable, Hashable {
    /// Empty for the core group.
    package let group: String
    /// The versions it is served in; objects are the same in all of them.
    package let versions: [String]
    package let kind: String
    package let plural: String
    package var shortNames: [String] = []
    package let isNamespaced: Bool
    /// Whether status is written by its subresource only.
    package var hasStatus = false

    /// What stores the objects, whatever version they come in.
    var storage: String { group + "/" + plural }

    /// A kind whose plural follows the usual rule.
    package init(
        _ group: String,
        _ versions: [String],
        _ kind: String,
        plural: String? = nil,
        short: [String] = [],
        namespaced: Bool = true,
        status: Bool = false
    ) {
        self.group = group
        self.versions = versions
        self.kind = kind
        self.plural = plural ?? ObjectType(kind: kind, apiVersions: []).plural
        shortNames = short
        isNamespaced = namespaced
        hasStatus = status
    }

    /// What a cluster has before anything is installed.
    package static let builtIn: [ServedKind] =
        [
            ServedKind("", ["v1"], "Namespace", short: ["ns"], namespaced: false, status: true),
            ServedKind("", ["v1"], "Node", short: ["no"], namespaced: false, status: true),
            ServedKind("", ["v1"], "Pod", short: ["po"], status: true),
            ServedKind("", ["v1"], "Service", short: ["svc"], status: true),
            ServedKind("", ["v1"], "ServiceAccount", short: ["sa"]),
            ServedKind("", ["v1"], "Secret"),
            ServedKind("", ["v1"], "ConfigMap", short: ["cm"]),
            ServedKind("", ["v1"], "Event", short: ["ev"]),
            ServedKind("", ["v1"], "Endpoints", plural: "endpoints", short: ["ep"]),
            ServedKind("", ["v1"], "ResourceQuota", short: ["quota"], status: true),
            ServedKind("apps", ["v1"], "Deployment", short: ["deploy"], status: true),
            ServedKind("apps", ["v1"], "DaemonSet", short: ["ds"], status: true),
            ServedKind("apps", ["v1"], "ReplicaSet", short: ["rs"], status: true),
            ServedKind("apps", ["v1"], "StatefulSet", short: ["sts"], status: true),
            ServedKind("batch", ["v1"], "Job", status: true),
            ServedKind("policy", ["v1"], "PodDisruptionBudget", short: ["pdb"], status: true),
            ServedKind("events.k8s.io", ["v1"], "Event", short: ["ev"]),
            ServedKind("coordination.k8s.io", ["v1"], "Lease"),
            ServedKind("discovery.k8s.io", ["v1"], "EndpointSlice"),
            ServedKind("networking.k8s.io", ["v1"], "NetworkPolicy", short: ["netpol"]),
            ServedKind(
                "scheduling.k8s.io",
                ["v1"],
                "PriorityClass",
                short: ["pc"],
                namespaced: false
            ),
            ServedKind("rbac.authorization.k8s.io", ["v1"], "Role"),
            ServedKind("rbac.authorization.k8s.io", ["v1"], "RoleBinding"),
            ServedKind("rbac.authorization.k8s.io", ["v1"], "ClusterRole", namespaced: false),
            ServedKind(
                "rbac.authorization.k8s.io",
                ["v1"],
                "ClusterRoleBinding",
                namespaced: false
            ),
            definitions,
        ] + reviews
        + ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"].map {
            ServedKind("admissionregistration.k8s.io", ["v1"], $0, namespaced: false)
        }

    static let definitions = ServedKind(
        "apiextensions.k8s.io",
        ["v1"],
        "CustomResourceDefinition",
        short: ["crd"],
        namespaced: false,
        status: true
    )

    /// Kinds that are questions: they are answered and not kept.
    static let reviews: [ServedKind] = [
        ServedKind("authentication.k8s.io", ["v1"], "TokenReview", namespaced: false),
        ServedKind("authorization.k8s.io", ["v1"], "SubjectAccessReview", namespaced: false),
        ServedKind("authorization.k8s.io", ["v1"], "SelfSubjectAccessReview", namespaced: false),
    ]

    /// The policies of both groups, which tests rarely want to install first.
    package static let policies: [ServedKind] = ["security.ambit.dev", "security.istio.io"]
        .flatMap { group in
            ["AuthorizationPolicy", "PeerAuthentication"].map { kind in
                ServedKind(
                    group,
                    group == "security.ambit.dev" ? ["v1alpha1"] : ["v1", "v1beta1"],
                    kind,
                    status: true
                )
            }
        }

    /// The kind that a CustomResourceDefinition defines; nil when it is not understood.
    init?(definition: Value) {
        let spec = definition["spec"]
        let names = spec["names"]
        guard let group = spec["group"].stringValue, let kind = names["kind"].stringValue,
            let plural = names["plural"].stringValue, let versions = spec["versions"].listValue
        else { return nil }
        let served = versions.filter { $0["served"].boolValue ?? false }
        self.init(
            group,
            served.compactMap { $0["name"].stringValue },
            kind,
            plural: plural,
            short: (names["shortNames"].listValue ?? []).compactMap(\.stringValue),
            namespaced: spec["scope"].stringValue == "Namespaced",
            status: served.contains { $0["subresources"]["status"] != .null }
        )
    }
}
