/// The metadata every object has.
package struct ObjectMeta: Sendable, Equatable {
    /// The object that made this one.
    package struct OwnerReference: Sendable, Equatable {
        package var kind: String
        package var name: String
        /// Whether the owner manages the object, as a ReplicaSet does its pods.
        package var isController: Bool

        package init(kind: String, name: String, isController: Bool) {
            self.kind = kind
            self.name = name
            self.isController = isController
        }
    }

    package var name: String
    /// Empty for a cluster-scoped object.
    package var namespace: String
    /// Empty when the object has not been to an API server.
    package var uid: String = ""
    /// Counts changes of the spec, from 1; 0 when the object has not been to an API server.
    package var generation: Int64 = 0
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    /// Seconds since 1970; nil when the object has not been to an API server.
    package var creationTimestamp: Int64?
    /// Whether its deletion has begun.
    package var isBeingDeleted: Bool = false
    package var ownerReferences: [OwnerReference] = []

    package init(name: String, namespace: String) {
        self.name = name
        self.namespace = namespace
    }

    /// Reads `metadata` of an object; a namespaced one without namespace is in `default`.
    package init(
        _ object: Field,
        isNamespaced: Bool,
        nameRule: ObjectName
    ) throws(FieldError) {
        let metadata = try object.required("metadata")
        let name = try metadata.required("name")
        self.name = try name.string()
        guard nameRule.allows(self.name) else {
            throw name.refused(nameRule.rule, found: self.name)
        }
        self.namespace = ""
        if isNamespaced {
            let namespace = try metadata.field("namespace")
            self.namespace = try namespace?.string() ?? "default"
            if let namespace, !ObjectName.label.allows(self.namespace) {
                throw namespace.refused(ObjectName.label.rule, found: self.namespace)
            }
        }
        uid = try metadata.string("uid") ?? ""
        if let generation = try metadata.field("generation") {
            self.generation = try generation.integer(in: 0...Int64.max)
        }
        labels = try metadata.stringMap("labels")
        for (key, value) in labels.sorted(by: { $0.key < $1.key })
        where !ObjectName.allowsLabelValue(value) {
            let labels = try metadata.required("labels")
            throw try labels.required(key).refused(
                "must be at most 63 letters, digits, '-', '_' and '.'",
                found: value
            )
        }
        annotations = try metadata.stringMap("annotations")
        if let created = try metadata.field("creationTimestamp") {
            guard let seconds = Timestamp.seconds(try created.string()) else {
                throw created.refused("must be a time such as 2026-11-21T10:00:00Z")
            }
            creationTimestamp = seconds
        }
        isBeingDeleted = try metadata.field("deletionTimestamp") != nil
        ownerReferences = try metadata.list("ownerReferences") { field throws(FieldError) in
            OwnerReference(
                kind: try field.required("kind").string(),
                name: try field.required("name").string(),
                isController: try field.bool("controller") ?? false
            )
        }
    }
}
