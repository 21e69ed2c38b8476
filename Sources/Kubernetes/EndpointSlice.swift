package import Mesh

/// Some of the endpoints of one service.
package struct EndpointSlice: Object {
    package static let objectType = ObjectType(
        kind: "EndpointSlice",
        apiVersions: ["discovery.k8s.io/v1"]
    )

    /// One endpoint: one pod or outside host.
    package struct Endpoint: Sendable, Equatable {
        /// Addresses of the same endpoint; Kubernetes itself only ever uses the first.
        package var addresses: [IPAddress]
        package var isReady: Bool
        package var hostname: String
        package var nodeName: String
        package var zone: String
        /// The pod behind it, in the slice's namespace unless it says another; nil when none.
        package var pod: ObjectKey?
    }

    /// One port that all endpoints of the slice serve.
    package struct Port: Sendable, Equatable {
        /// The name of the service's port it stands for.
        package var name: String
        package var port: UInt16
        package var transport: TransportProtocol
    }

    package var metadata: ObjectMeta
    /// Whether endpoints are names rather than addresses; such a slice has no endpoints here.
    package var holdsNames: Bool
    package var endpoints: [Endpoint] = []
    package var ports: [Port] = []

    /// The service it belongs to; empty when the label is missing.
    package var serviceName: String {
        metadata.labels["kubernetes.io/service-name"] ?? ""
    }

    /// Whether Kubernetes wrote it from a service's selector.
    package var mirrorsSelector: Bool {
        metadata.labels["endpointslice.kubernetes.io/managed-by"]
            == "endpointslice-controller.k8s.io"
    }

    /// Reads the object from its root.
    package init(_ root: Field) throws(FieldError) {
        let metadata = try ObjectMeta(root, isNamespaced: true, nameRule: .subdomain)
        self.metadata = metadata
        holdsNames = try root.required("addressType").string() == "FQDN"
        if !holdsNames {
            endpoints = try root.list("endpoints") { field throws(FieldError) in
                try Endpoint(field, namespace: metadata.namespace)
            }
        }
        ports = try root.list("ports", Port.init(optional:)).compactMap { $0 }
    }
}

extension EndpointSlice.Endpoint {
    fileprivate init(_ field: Field, namespace: String) throws(FieldError) {
        addresses = try field.addresses("addresses")
        guard !addresses.isEmpty else {
            throw try field.required("addresses").refused("must have at least one address")
        }
        // Absent means ready, says the API.
        isReady = try field.field("conditions")?.bool("ready") ?? true
        hostname = try field.name("hostname", .label)
        nodeName = try field.name("nodeName", .subdomain)
        zone = try field.string("zone") ?? ""
        guard ObjectName.allowsLabelValue(zone) else {
            throw try field.required("zone").refused("must be a label value", found: zone)
        }
        if let target = try field.field("targetRef"), try target.string("kind") == "Pod" {
            pod = ObjectKey(
                kind: "Pod",
                namespace: try target.string("namespace") ?? namespace,
                name: try target.required("name").string()
            )
        }
    }
}

extension EndpointSlice.Port {
    // A port without number means all ports, which no service here can use.
    fileprivate init?(optional field: Field) throws(FieldError) {
        guard let port = try field.port("port") else { return nil }
        self.port = port
        name = try field.string("name") ?? ""
        transport = try TransportProtocol(field)
    }
}
