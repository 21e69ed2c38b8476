package import Mesh

/// Where a pod's resolver looks first.
package enum DNSPolicy: String, Sendable, Hashable {
    case clusterFirst = "ClusterFirst"
    case clusterFirstWithHostNet = "ClusterFirstWithHostNet"
    /// The node's own resolver configuration.
    case node = "Default"
    /// Only what the pod's `dnsConfig` says.
    case none = "None"
}

/// What a pod adds to its resolver configuration.
package struct DNSConfig: Sendable, Equatable {
    /// A resolver option such as `ndots:5`.
    package struct Option: Sendable, Equatable {
        package var name: String
        /// Nil for an option that is only a word.
        package var value: String?
    }

    package var nameservers: [IPAddress] = []
    package var searches: [String] = []
    package var options: [Option] = []

    /// Makes a configuration that adds nothing.
    package init() {}

    /// Reads `spec.dnsConfig`.
    package init(_ field: Field) throws(FieldError) {
        nameservers = try field.addresses("nameservers")
        searches = try field.list("searches") { search throws(FieldError) in
            let name = try search.string()
            guard name.utf8.count <= 253, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw search.refused("must be a domain name")
            }
            return name
        }
        options = try field.list("options") { option throws(FieldError) in
            Option(
                name: try option.required("name").string(),
                value: try option.string("value")
            )
        }
    }
}
