/// Finds resources by the other names clients may ask for.
struct ResourceLookup: Sendable {
    /// Names by `network/ip`.
    private var byAlias: [String: Set<String>] = [:]
    /// Workloads by the key of a service they belong to.
    private var byService: [String: Set<String>] = [:]
    /// Policies that only some nodes need, by namespace.
    private var byScope: [String: Set<String>] = [:]

    mutating func add(_ resource: EncodedResource) {
        for alias in resource.aliases { byAlias[alias, default: []].insert(resource.name) }
        for service in resource.services { byService[service, default: []].insert(resource.name) }
        if let scope = resource.scope { byScope[scope, default: []].insert(resource.name) }
    }

    mutating func remove(_ resource: EncodedResource) {
        for alias in resource.aliases { Self.remove(resource.name, alias, from: &byAlias) }
        for service in resource.services { Self.remove(resource.name, service, from: &byService) }
        if let scope = resource.scope { Self.remove(resource.name, scope, from: &byScope) }
    }

    private static func remove(
        _ name: String,
        _ key: String,
        from table: inout [String: Set<String>]
    ) {
        table[key]?.remove(name)
        if table[key]?.isEmpty == true { table[key] = nil }
    }

    /// The resources an address leads to.
    func names(alias: String) -> Set<String> { byAlias[alias] ?? [] }

    /// The workloads of a service.
    func workloads(ofService key: String) -> Set<String> { byService[key] ?? [] }

    /// The policies of a namespace.
    func policies(ofNamespace namespace: String) -> Set<String> { byScope[namespace] ?? [] }
}
