package import Kubernetes
package import Mesh

/// One AuthorizationPolicy as the L4 policy that stands for it (PROTOCOL.md §3).
///
/// What L4 cannot see is decided for the safe side: an ALLOW rule that asks for HTTP fields allows
/// nothing, and a DENY rule denies whatever its remaining fields match, everything if none remain.
package struct AuthorizationPolicyConversion: Sendable, Equatable {
    /// Nil when the policy is not for L4 to enforce.
    package private(set) var policy: Policy?
    /// What the author should know; none of it keeps the policy from being enforced.
    package private(set) var warnings: [Finding] = []

    private let source: AuthorizationPolicy
    private let settings: MeshSettings

    /// Converts a policy; fails when it cannot be understood as a whole.
    package init(
        _ source: AuthorizationPolicy,
        settings: MeshSettings
    ) throws(FieldError) {
        self.source = source
        self.settings = settings
        if let field = source.unknownFields.first {
            throw FieldError(path: field, reason: "is not a known field")
        }
        if source.hasTargetReferences {
            guard source.selector == nil else {
                throw FieldError(path: "spec.targetRefs", reason: "cannot stand beside a selector")
            }
            warn("spec.targetRefs", "only a waypoint enforces the policy; it has no effect at L4")
            return
        }
        var policy = Policy(
            name: source.key.policyName,
            namespace: source.metadata.namespace,
            scope: Self.scope(of: source, settings),
            action: try action()
        )
        policy.dryRun = try DryRun.isRequested(by: source.metadata)
        if policy.action == .deny, source.rules.isEmpty {
            warn("spec.rules", "a DENY policy without rules has no effect")
        }
        for (index, rule) in source.rules.enumerated() {
            let path = "spec.rules[\(index)]"
            let converted =
                switch policy.action {
                case .allow: try allowing(rule, at: path)
                case .deny: try denying(rule, at: path)
                }
            if let converted { policy.rules.append(converted) }
        }
        self.policy = policy
    }

    /// What stands in for a policy that was in force and cannot be understood: it denies everything
    /// or, if it is one that allows, allows nothing.
    ///
    /// Nil for a policy that restricts nothing or is not for L4 to enforce.
    package static func closed(
        _ source: AuthorizationPolicy,
        settings: MeshSettings
    ) -> Policy? {
        guard !source.hasTargetReferences, source.action != "AUDIT" else { return nil }
        let denies = source.action == "DENY"
        var policy = Policy(
            name: source.key.policyName,
            namespace: source.metadata.namespace,
            scope: scope(of: source, settings),
            action: denies ? .deny : .allow
        )
        // A rule without clauses matches all.
        if denies { policy.rules = [Policy.Rule(clauses: [])] }
        return policy
    }

    private static func scope(
        of source: AuthorizationPolicy,
        _ settings: MeshSettings
    ) -> Policy.Scope {
        // An empty selector selects all, as none does.
        if let selector = source.selector, !selector.matchLabels.isEmpty {
            return .workloadSelector
        }
        return source.metadata.namespace == settings.rootNamespace ? .global : .namespace
    }

    private func action() throws(FieldError) -> Policy.Action {
        switch source.action {
        case "ALLOW": return .allow
        case "DENY": return .deny
        case "CUSTOM", "AUDIT":
            throw FieldError(path: "spec.action", reason: "\(source.action) is not supported")
        default:
            throw FieldError(path: "spec.action", reason: "must be ALLOW or DENY")
        }
    }

    private mutating func warn(_ field: String, _ reason: String) {
        warnings.append(Finding(object: source.key, field: field, reason: reason))
    }

    // MARK: Rules

    // The rule without the parts that need HTTP is wider than written, so it may not allow.
    private mutating func allowing(
        _ rule: AuthorizationPolicy.Rule,
        at path: String
    ) throws(FieldError) -> Policy.Rule? {
        let parts = try parts(of: rule, at: path)
        let layer7 = parts.flatMap(\.layer7Fields)
        for field in layer7 {
            warn(field, "HTTP is not visible at L4: the rule allows nothing here")
        }
        guard layer7.isEmpty else { return nil }
        return Policy.Rule(clauses: parts.map { Policy.Clause(matches: $0.alternatives) })
    }

    // The same width is the safe side of a denial.
    private mutating func denying(
        _ rule: AuthorizationPolicy.Rule,
        at path: String
    ) throws(FieldError) -> Policy.Rule? {
        let parts = try parts(of: rule, at: path)
        for field in parts.flatMap(\.layer7Fields) {
            warn(field, "HTTP is not visible at L4: the rule denies as if the field were absent")
        }
        // An alternative with nothing left always holds, and with it the whole part.
        let clauses = parts.filter { !$0.alternatives.contains(Policy.Match()) }
        return Policy.Rule(clauses: clauses.map { Policy.Clause(matches: $0.alternatives) })
    }

    // One of the `from`, `to` or `when` parts of a rule: any alternative must hold. An alternative
    // of HTTP fields alone is an empty match.
    private struct Part {
        var alternatives: [Policy.Match] = []
        var layer7Fields: [String] = []
    }

    private mutating func parts(
        of rule: AuthorizationPolicy.Rule,
        at path: String
    ) throws(FieldError) -> [Part] {
        var parts: [Part] = []
        if let operations = rule.to {
            try refuseEmpty(operations, at: path + ".to")
            var part = Part()
            for (index, operation) in operations.enumerated() {
                let path = path + ".to[\(index)].operation"
                part.alternatives.append(try match(operation, at: path))
                part.layer7Fields += operation.layer7Fields.map { path + "." + $0 }
            }
            parts.append(part)
        }
        if let sources = rule.from {
            try refuseEmpty(sources, at: path + ".from")
            var part = Part()
            for (index, source) in sources.enumerated() {
                let path = path + ".from[\(index)].source"
                part.alternatives.append(try match(source, at: path))
                part.layer7Fields += source.layer7Fields.map { path + "." + $0 }
            }
            parts.append(part)
        }
        if let conditions = rule.when {
            try refuseEmpty(conditions, at: path + ".when")
            for (index, condition) in conditions.enumerated() {
                let path = path + ".when[\(index)]"
                if let match = try match(condition, at: path) {
                    parts.append(Part(alternatives: [match]))
                } else {
                    parts.append(Part(alternatives: [Policy.Match()], layer7Fields: [path]))
                }
            }
        }
        return parts
    }

    private func refuseEmpty<Element>(
        _ list: [Element],
        at path: String
    ) throws(FieldError) {
        guard !list.isEmpty else {
            throw FieldError(path: path, reason: "must not be empty; leave it out to match all")
        }
    }

    // MARK: Matches

    private func match(
        _ operation: AuthorizationPolicy.Operation,
        at path: String
    ) throws(FieldError) -> Policy.Match {
        var match = Policy.Match()
        match.destinationPorts = try ports(operation.ports, at: path + ".ports")
        match.notDestinationPorts = try ports(operation.notPorts, at: path + ".notPorts")
        guard match != Policy.Match() || !operation.layer7Fields.isEmpty else {
            throw FieldError(path: path, reason: "must have at least one field")
        }
        return match
    }

    private mutating func match(
        _ from: AuthorizationPolicy.Source,
        at path: String
    ) throws(FieldError) -> Policy.Match {
        let hasAccounts = from.serviceAccounts != nil || from.notServiceAccounts != nil
        let hasNames =
            from.principals != nil || from.notPrincipals != nil || from.namespaces != nil
            || from.notNamespaces != nil
        guard !hasAccounts || !hasNames else {
            throw FieldError(
                path: path + ".serviceAccounts",
                reason: "cannot stand beside principals or namespaces"
            )
        }
        var match = Policy.Match()
        match.principals = try principals(from.principals, at: path + ".principals")
        match.notPrincipals = try principals(from.notPrincipals, at: path + ".notPrincipals")
        match.namespaces = try patterns(from.namespaces, at: path + ".namespaces")
        match.notNamespaces = try patterns(from.notNamespaces, at: path + ".notNamespaces")
        match.sourceIPs = try blocks(from.ipBlocks, at: path + ".ipBlocks")
        match.notSourceIPs = try blocks(from.notIPBlocks, at: path + ".notIpBlocks")
        match.serviceAccounts = try accounts(from.serviceAccounts, at: path + ".serviceAccounts")
        match.notServiceAccounts = try accounts(
            from.notServiceAccounts,
            at: path + ".notServiceAccounts"
        )
        guard match != Policy.Match() || !from.layer7Fields.isEmpty else {
            throw FieldError(path: path, reason: "must have at least one field")
        }
        return match
    }

    // Nil for an attribute that L4 does not have.
    private mutating func match(
        _ condition: AuthorizationPolicy.Condition,
        at path: String
    ) throws(FieldError) -> Policy.Match? {
        let (values, notValues) = (condition.values, condition.notValues)
        guard values != nil || notValues != nil else {
            throw FieldError(path: path, reason: "must have values or notValues")
        }
        let (yes, no) = (path + ".values", path + ".notValues")
        var match = Policy.Match()
        switch condition.key {
        case "source.ip":
            match.sourceIPs = try blocks(values, at: yes)
            match.notSourceIPs = try blocks(notValues, at: no)
        case "source.namespace":
            match.namespaces = try patterns(values, at: yes)
            match.notNamespaces = try patterns(notValues, at: no)
        case "source.principal":
            match.principals = try principals(values, at: yes)
            match.notPrincipals = try principals(notValues, at: no)
        case "source.serviceAccount":
            match.serviceAccounts = try accounts(values, at: yes)
            match.notServiceAccounts = try accounts(notValues, at: no)
        case "destination.ip":
            match.destinationIPs = try blocks(values, at: yes)
            match.notDestinationIPs = try blocks(notValues, at: no)
        case "destination.port":
            match.destinationPorts = try ports(values, at: yes)
            match.notDestinationPorts = try ports(notValues, at: no)
        case let key
        where key.hasPrefix("request.") || key.hasPrefix("experimental.envoy.filters.")
            || key == "remote.ip" || key == "connection.sni":
            return nil
        default:
            throw FieldError(
                path: path + ".key",
                reason: "\(FieldError.quoted(condition.key)) is not a known attribute"
            )
        }
        return match
    }

    // MARK: Values

    private func values<Result>(
        _ texts: [String]?,
        at path: String,
        _ expected: String,
        _ convert: (String) -> Result?
    ) throws(FieldError) -> [Result] {
        guard let texts else { return [] }
        try refuseEmpty(texts, at: path)
        var results: [Result] = []
        for (index, text) in texts.enumerated() {
            guard !text.isEmpty, let result = convert(text) else {
                throw FieldError(
                    path: path + "[\(index)]",
                    reason: "must be \(expected), found \(FieldError.quoted(text))"
                )
            }
            results.append(result)
        }
        return results
    }

    private func ports(_ texts: [String]?, at path: String) throws(FieldError) -> [UInt16] {
        try values(texts, at: path, "a port from 1 to 65535", PolicyText.port)
    }

    private func blocks(_ texts: [String]?, at path: String) throws(FieldError) -> [IPPrefix] {
        try values(texts, at: path, "an address or a block such as 10.0.0.0/8") { IPPrefix($0) }
    }

    private func patterns(
        _ texts: [String]?,
        at path: String
    ) throws(FieldError) -> [Policy.StringMatch] {
        try values(texts, at: path, "a name with at most one *, at an end", PolicyText.pattern)
    }

    private mutating func principals(
        _ texts: [String]?,
        at path: String
    ) throws(FieldError) -> [Policy.StringMatch] {
        let expected = "TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT with at most one *, at an end"
        let matches = try values(texts, at: path, expected, PolicyText.principal)
        for (index, match) in matches.enumerated() {
            guard case .exact(let principal) = match else { continue }
            let identity = SPIFFEID(uri: "spiffe://" + principal)
            if identity?.trustDomain != settings.trustDomain {
                warn(
                    path + "[\(index)]",
                    "never matches: identities here are \(settings.trustDomain)/ns/…/sa/…"
                )
            }
        }
        return matches
    }

    private func accounts(
        _ texts: [String]?,
        at path: String
    ) throws(FieldError) -> [Policy.ServiceAccountMatch] {
        let namespace = source.metadata.namespace
        return try values(texts, at: path, "NAMESPACE/ACCOUNT without *") { text in
            PolicyText.serviceAccount(text, namespace: namespace)
        }
    }
}
