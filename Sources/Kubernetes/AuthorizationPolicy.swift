/// Who may talk to which workloads, as written.
///
/// Everything in the spec is kept, the unknown included: what a policy means is decided where it
/// is converted, which refuses what it does not understand rather than reading past it.
package struct AuthorizationPolicy: Object {
    package static let objectType = ObjectType(
        kind: "AuthorizationPolicy",
        apiVersions: [
            "security.ambit.dev/v1alpha1", "security.istio.io/v1", "security.istio.io/v1beta1",
        ]
    )

    /// One alternative; all of its three parts that are given must hold.
    package struct Rule: Sendable, Equatable {
        /// Nil when absent; an empty list is another thing, and is refused.
        package var from: [Source]?
        package var to: [Operation]?
        package var when: [Condition]?
    }

    /// Where a connection comes from; every list is nil when absent.
    package struct Source: Sendable, Equatable {
        package var principals: [String]?
        package var notPrincipals: [String]?
        package var namespaces: [String]?
        package var notNamespaces: [String]?
        package var ipBlocks: [String]?
        package var notIPBlocks: [String]?
        package var serviceAccounts: [String]?
        package var notServiceAccounts: [String]?
        /// The HTTP-only fields that are given, by name.
        package var layer7Fields: [String]
    }

    /// What a connection is for.
    package struct Operation: Sendable, Equatable {
        package var ports: [String]?
        package var notPorts: [String]?
        /// The HTTP-only fields that are given, by name.
        package var layer7Fields: [String]
    }

    /// A test of one attribute.
    package struct Condition: Sendable, Equatable {
        package var key: String
        package var values: [String]?
        package var notValues: [String]?
    }

    package var metadata: ObjectMeta
    /// Empty for our own API, `security.istio.io` for the one it is compatible with.
    package var group: String = ""
    /// Whether its status says that a version of it was in force.
    package var wasEnforced: Bool = false
    package var selector: LabelSelector?
    /// Whether it is attached to a gateway or service, and so is the waypoint's to enforce.
    package var hasTargetReferences: Bool = false
    /// As written; `ALLOW` when absent.
    package var action: String = "ALLOW"
    package var rules: [Rule] = []
    /// Paths of fields in the spec that are not known, sorted.
    package var unknownFields: [String] = []

    /// What names the object; objects of the two groups are never the same.
    package var key: ObjectKey {
        ObjectKey(
            kind: Self.objectType.kind,
            namespace: metadata.namespace,
            name: metadata.name,
            group: group
        )
    }

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
        group = try SecurityGroup.foreign(root)
        wasEnforced = SecurityGroup.wasEnforced(root)
        // An object without spec denies everything, as an empty spec does.
        guard let spec = try root.field("spec") else { return }
        var unknown = try spec.unknownChildren(
            besides: ["selector", "targetRef", "targetRefs", "action", "rules"]
        )
        if let field = try spec.field("selector") {
            selector = try LabelSelector(field, unknown: &unknown)
        }
        var targets = try spec.field("targetRefs")?.elements() ?? []
        if let single = try spec.field("targetRef") { targets.append(single) }
        for target in targets { try checkTarget(target, unknown: &unknown) }
        hasTargetReferences = !targets.isEmpty
        action = try spec.string("action") ?? "ALLOW"
        for rule in try spec.field("rules")?.elements() ?? [] {
            rules.append(try Rule(rule, unknown: &unknown))
        }
        unknownFields = unknown
    }

    // What a waypoint can stand for: kinds by their group.
    private static let targetKinds = [
        "Gateway": "gateway.networking.k8s.io", "GatewayClass": "gateway.networking.k8s.io",
        "Service": "", "ServiceEntry": "networking.istio.io",
    ]

    private func checkTarget(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(
            besides: ["group", "kind", "name", "namespace", "sectionName"]
        )
        let kind = try field.required("kind")
        let name = try kind.string()
        guard let group = Self.targetKinds[name] else {
            let kinds = Self.targetKinds.keys.sorted().joined(separator: ", ")
            throw kind.refused("must be one of \(kinds)", found: name)
        }
        let given = try field.string("group") ?? ""
        // The core group is sometimes written out, another one sometimes left out.
        guard given.isEmpty || given == group || group.isEmpty && given == "core" else {
            throw FieldError(
                path: field.path + ".group",
                reason: "must be \(FieldError.quoted(group)) for a \(name)"
            )
        }
        guard try !field.required("name").string().isEmpty else {
            throw try field.required("name").refused("must not be empty")
        }
        let namespace = try field.string("namespace") ?? ""
        guard namespace.isEmpty || namespace == metadata.namespace else {
            throw FieldError(
                path: field.path + ".namespace",
                reason: "must be the policy's own, or left out"
            )
        }
    }
}

extension AuthorizationPolicy.Rule {
    fileprivate init(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(besides: ["from", "to", "when"])
        if let sources = try field.field("from")?.elements() {
            from = []
            for element in sources {
                unknown += try element.unknownChildren(besides: ["source"])
                let source = try element.required("source")
                from?.append(try AuthorizationPolicy.Source(source, unknown: &unknown))
            }
        }
        if let operations = try field.field("to")?.elements() {
            to = []
            for element in operations {
                unknown += try element.unknownChildren(besides: ["operation"])
                let operation = try element.required("operation")
                to?.append(try AuthorizationPolicy.Operation(operation, unknown: &unknown))
            }
        }
        if let conditions = try field.field("when")?.elements() {
            when = []
            for element in conditions {
                when?.append(try AuthorizationPolicy.Condition(element, unknown: &unknown))
            }
        }
    }
}

extension AuthorizationPolicy.Source {
    private static let layer4: Set<String> = [
        "principals", "notPrincipals", "namespaces", "notNamespaces", "ipBlocks", "notIpBlocks",
        "serviceAccounts", "notServiceAccounts",
    ]
    private static let layer7: Set<String> = [
        "requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks",
    ]

    fileprivate init(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(besides: Self.layer4.union(Self.layer7))
        principals = try field.optionalStrings("principals")
        notPrincipals = try field.optionalStrings("notPrincipals")
        namespaces = try field.optionalStrings("namespaces")
        notNamespaces = try field.optionalStrings("notNamespaces")
        ipBlocks = try field.optionalStrings("ipBlocks")
        notIPBlocks = try field.optionalStrings("notIpBlocks")
        serviceAccounts = try field.optionalStrings("serviceAccounts")
        notServiceAccounts = try field.optionalStrings("notServiceAccounts")
        layer7Fields = try field.names(among: Self.layer7)
    }
}

extension AuthorizationPolicy.Operation {
    private static let layer7: Set<String> = [
        "hosts", "notHosts", "methods", "notMethods", "paths", "notPaths",
    ]

    fileprivate init(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(besides: Self.layer7.union(["ports", "notPorts"]))
        ports = try field.optionalStrings("ports")
        notPorts = try field.optionalStrings("notPorts")
        layer7Fields = try field.names(among: Self.layer7)
    }
}

extension AuthorizationPolicy.Condition {
    fileprivate init(_ field: Field, unknown: inout [String]) throws(FieldError) {
        unknown += try field.unknownChildren(besides: ["key", "values", "notValues"])
        key = try field.required("key").string()
        values = try field.optionalStrings("values")
        notValues = try field.optionalStrings("notValues")
    }
}

extension Field {
    fileprivate func optionalStrings(_ name: String) throws(FieldError) -> [String]? {
        try field(name) == nil ? nil : try strings(name)
    }

    // HTTP-only lists are checked for their type, so that a typo there is found too.
    fileprivate func names(among known: Set<String>) throws(FieldError) -> [String] {
        var names: [String] = []
        for name in known.sorted() where try optionalStrings(name) != nil {
            names.append(name)
        }
        return names
    }
}
