/// A gateway of the Gateway API; those of our class are waypoints.
package struct Gateway: Object {
    package static let objectType = ObjectType(
        kind: "Gateway",
        apiVersions: ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]
    )

    /// Whose routes, and here whose services, may use a listener (`allowedRoutes.namespaces`).
    package enum AllowedNamespaces: Sendable, Equatable {
        case all
        /// Those of the gateway's own namespace.
        case same
        /// Those of namespaces with these labels.
        case selected(NamespaceSelector)
        /// Nobody's: `None`, or a word that this version does not know.
        case none
    }

    /// One place the gateway listens at.
    package struct Listener: Sendable, Equatable {
        package var name: String
        package var port: UInt16
        /// As written, such as `HBONE`.
        package var protocolName: String
        package var allowedNamespaces: AllowedNamespaces
    }

    package var metadata: ObjectMeta
    package var className: String
    package var listeners: [Listener] = []

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
        let spec = try root.required("spec")
        className = try spec.required("gatewayClassName").string()
        listeners = try spec.list("listeners", Listener.init)
    }
}

extension Gateway.Listener {
    fileprivate init(_ field: Field) throws(FieldError) {
        name = try field.string("name") ?? ""
        port = try field.required("port").port()
        protocolName = try field.string("protocol") ?? ""
        let namespaces = try field.field("allowedRoutes")?.field("namespaces")
        switch try namespaces?.string("from") ?? "Same" {
        case "All": allowedNamespaces = .all
        case "Same": allowedNamespaces = .same
        case "Selector":
            let selector = try namespaces?.required("selector")
            allowedNamespaces =
                try selector.map { selector throws(FieldError) in
                    .selected(try NamespaceSelector(selector))
                } ?? .none
        default: allowedNamespaces = .none
        }
    }
}

/// A label selector with expressions, as the Gateway API takes it.
package struct NamespaceSelector: Sendable, Equatable {
    private struct Expression: Sendable, Equatable {
        var key: String
        var operation: String
        var values: [String]
    }

    private var matchLabels: [String: String]
    private var expressions: [Expression]

    /// Reads a selector (`metav1.LabelSelector`).
    package init(_ field: Field) throws(FieldError) {
        matchLabels = try field.stringMap("matchLabels")
        expressions = try field.list("matchExpressions") { field throws(FieldError) in
            Expression(
                key: try field.required("key").string(),
                operation: try field.required("operator").string(),
                values: try field.strings("values")
            )
        }
    }

    /// Whether an object with these labels is selected; never by an operator that is not known.
    package func selects(_ labels: [String: String]) -> Bool {
        matchLabels.allSatisfy { labels[$0.key] == $0.value }
            && expressions.allSatisfy { expression in
                let value = labels[expression.key]
                switch expression.operation {
                case "In": return value.map(expression.values.contains) ?? false
                case "NotIn": return value.map { !expression.values.contains($0) } ?? true
                case "Exists": return value != nil
                case "DoesNotExist": return value == nil
                default: return false
                }
            }
    }
}
