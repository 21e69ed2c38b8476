package import JSON

extension Policy {
    private static let scopes = EnumTable<Scope>(
        ("GLOBAL", .global),
        ("NAMESPACE", .namespace),
        ("WORKLOAD_SELECTOR", .workloadSelector)
    )
    private static let actions = EnumTable<Action>(("ALLOW", .allow), ("DENY", .deny))

    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        self.init(
            name: try reader.requiredText("name"),
            namespace: try reader.requiredSegment("namespace"),
            scope: try reader.requiredEnumeration("scope", Self.scopes),
            action: try reader.requiredEnumeration("action", Self.actions)
        )
        rules = try reader.aliasedMap("groups", "rules") {
            reader,
            value,
            field throws(MeshStateError) in
            try Rule(try reader.nested(value, field))
        }
        dryRun = try reader.bool("dryRun") ?? false
        try reader.refuseExtensions()
        try reader.finish()
    }

    /// The policy in the form of the state file.
    package var json: JSON {
        var fields = FieldWriter()
        fields.text("name", name)
        fields.text("namespace", namespace)
        fields.add("scope", Self.scopes.name(of: scope))
        fields.add("action", Self.actions.name(of: action))
        fields.list("rules", rules.map(\.json))
        fields.flag("dryRun", dryRun)
        return .object(fields.members)
    }
}

extension Policy.Rule {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        clauses = try reader.aliasedMap("rules", "clauses") {
            reader,
            value,
            field throws(MeshStateError) in
            var clause = try reader.nested(value, field)
            let matches = try clause.map("matches") { reader, value, field throws(MeshStateError) in
                try Policy.Match(try reader.nested(value, field))
            }
            try clause.finish()
            return Policy.Clause(matches: matches)
        }
        try reader.finish()
    }

    var json: JSON {
        var fields = FieldWriter()
        fields.list(
            "clauses",
            clauses.map { clause in
                var fields = FieldWriter()
                fields.list("matches", clause.matches.map(\.json))
                return .object(fields.members)
            }
        )
        return .object(fields.members)
    }
}

extension Policy.Match {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        self.init()
        let port = { (reader: FieldReader, value: JSON, field: String) throws(MeshStateError) in
            try reader.checkedPort(value, field)
        }
        namespaces = try reader.map("namespaces", Policy.StringMatch.decode)
        notNamespaces = try reader.map("notNamespaces", Policy.StringMatch.decode)
        principals = try reader.map("principals", Policy.StringMatch.decode)
        notPrincipals = try reader.map("notPrincipals", Policy.StringMatch.decode)
        sourceIPs = try reader.map("sourceIps", IPPrefix.decode)
        notSourceIPs = try reader.map("notSourceIps", IPPrefix.decode)
        destinationIPs = try reader.map("destinationIps", IPPrefix.decode)
        notDestinationIPs = try reader.map("notDestinationIps", IPPrefix.decode)
        destinationPorts = try reader.map("destinationPorts", port)
        notDestinationPorts = try reader.map("notDestinationPorts", port)
        serviceAccounts = try reader.map(
            "serviceAccounts",
            Policy.ServiceAccountMatch.decode
        )
        notServiceAccounts = try reader.map(
            "notServiceAccounts",
            Policy.ServiceAccountMatch.decode
        )
        try reader.refuseExtensions()
        try reader.finish()
    }

    var json: JSON {
        var fields = FieldWriter()
        fields.list("namespaces", namespaces.map(\.json))
        fields.list("notNamespaces", notNamespaces.map(\.json))
        fields.list("principals", principals.map(\.json))
        fields.list("notPrincipals", notPrincipals.map(\.json))
        fields.list("sourceIps", sourceIPs.map { .string($0.description) })
        fields.list("notSourceIps", notSourceIPs.map { .string($0.description) })
        fields.list("destinationIps", destinationIPs.map { .string($0.description) })
        fields.list("notDestinationIps", notDestinationIPs.map { .string($0.description) })
        fields.list("destinationPorts", destinationPorts.map { .integer(Int64($0)) })
        fields.list("notDestinationPorts", notDestinationPorts.map { .integer(Int64($0)) })
        fields.list("serviceAccounts", serviceAccounts.map(\.json))
        fields.list("notServiceAccounts", notServiceAccounts.map(\.json))
        return .object(fields.members)
    }
}

extension Policy.StringMatch {
    fileprivate static func decode(
        _ outer: FieldReader,
        _ value: JSON,
        _ field: String
    ) throws(MeshStateError) -> Self {
        var reader = try outer.nested(value, field)
        var found: [Self] = []
        if let text = try reader.text("exact") { found.append(.exact(text)) }
        if let text = try reader.text("prefix") { found.append(.prefix(text)) }
        if let text = try reader.text("suffix") { found.append(.suffix(text)) }
        if let empty = reader.take("presence") {
            try reader.nested(empty, "presence").finish()
            found.append(.presence)
        }
        try reader.finish()
        guard let match = found.first, found.count == 1 else {
            throw outer.failure(field, "needs one of exact, prefix, suffix and presence")
        }
        switch match {
        case .exact(let text), .prefix(let text), .suffix(let text):
            // Empty text is no test at all; presence says "anything" in so many words.
            guard !text.isEmpty else { throw outer.failure(field, "matches an empty text") }
        case .presence: break
        }
        return match
    }

    var json: JSON {
        switch self {
        case .exact(let text): ["exact": .string(text)]
        case .prefix(let text): ["prefix": .string(text)]
        case .suffix(let text): ["suffix": .string(text)]
        case .presence: ["presence": .object([])]
        }
    }
}

extension Policy.ServiceAccountMatch {
    fileprivate static func decode(
        _ outer: FieldReader,
        _ value: JSON,
        _ field: String
    ) throws(MeshStateError) -> Self {
        var reader = try outer.nested(value, field)
        let match = Self(
            namespace: try reader.requiredSegment("namespace"),
            serviceAccount: try reader.requiredSegment("serviceAccount")
        )
        try reader.finish()
        return match
    }

    var json: JSON {
        ["namespace": .string(namespace), "serviceAccount": .string(serviceAccount)]
    }
}

extension IPPrefix {
    /// Decodes a block: as text, or as an object with `address` and `length`.
    fileprivate static func decode(
        _ outer: FieldReader,
        _ value: JSON,
        _ field: String
    ) throws(MeshStateError) -> Self {
        guard case .object = value else { return try outer.prefix(value, field) }
        var reader = try outer.nested(value, field)
        let prefix = try reader.lengthenedPrefix()
        try reader.finish()
        return prefix
    }
}

extension FieldReader {
    /// An enum without a safe default: a policy must say it.
    fileprivate mutating func requiredEnumeration<Value>(
        _ name: String,
        _ table: EnumTable<Value>
    ) throws(MeshStateError) -> Value {
        guard let value = try enumeration(name, table) else { throw failure(name, "is missing") }
        return value
    }

    /// A list that two peers name differently.
    fileprivate mutating func aliasedMap<Value>(
        _ name: String,
        _ alias: String,
        _ decode: (FieldReader, JSON, String) throws(MeshStateError) -> Value
    ) throws(MeshStateError) -> [Value] {
        let first = try map(name, decode)
        let second = try map(alias, decode)
        guard first.isEmpty || second.isEmpty else {
            throw failure(alias, "is given beside \(name), its other name")
        }
        return first + second
    }

    /// Refuses extensions of a policy: leaving out a condition would change what it means.
    fileprivate mutating func refuseExtensions() throws(MeshStateError) {
        guard try list("extensions").isEmpty else {
            throw failure("extensions", "are not supported in policies")
        }
    }
}
