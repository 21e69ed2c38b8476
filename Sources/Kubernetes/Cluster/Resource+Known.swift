/// The resources that are used here by name.
extension Resource {
    package static let pods = Resource(Pod.objectType, version: "v1")
    package static let services = Resource(Service.objectType, version: "v1")
    package static let namespaces = Resource(Namespace.objectType, version: "v1")
    package static let nodes = Resource(Node.objectType, version: "v1")
    package static let serviceAccounts = Resource(ServiceAccount.objectType, version: "v1")
    package static let endpointSlices = Resource(
        EndpointSlice.objectType,
        version: "discovery.k8s.io/v1"
    )
    package static let secrets = Resource(
        apiVersion: "v1",
        kind: "Secret",
        plural: "secrets",
        isNamespaced: true
    )
    package static let configMaps = Resource(
        apiVersion: "v1",
        kind: "ConfigMap",
        plural: "configmaps",
        isNamespaced: true
    )
    package static let leases = Resource(
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        plural: "leases",
        isNamespaced: true
    )
    package static let events = Resource(
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        plural: "events",
        isNamespaced: true
    )
    package static let tokenReviews = Resource(
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        plural: "tokenreviews",
        isNamespaced: false
    )
    package static let subjectAccessReviews = Resource(
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        plural: "subjectaccessreviews",
        isNamespaced: false
    )

    /// A kind that is read here, at one of its APIs.
    package init(_ type: ObjectType, version: String) {
        self.init(
            apiVersion: version,
            kind: type.kind,
            plural: type.plural,
            isNamespaced: type.isNamespaced
        )
    }

    /// The API group; empty for the core one.
    package var group: String {
        apiVersion.split(separator: "/").count == 2
            ? String(apiVersion.prefix { $0 != "/" }) : ""
    }

    // Known without asking an API server.
    static let known: [Resource] =
        [
            secrets, configMaps, leases, events, tokenReviews, subjectAccessReviews,
        ] + ObjectKind.allCases.flatMap { $0.objectType.resources }
}

extension ObjectType {
    /// The word in the paths of the kind's objects, such as `authorizationpolicies`.
    package var plural: String {
        let word = kind.lowercased()
        if word.hasSuffix("y"), let before = word.dropLast().last, !"aeiou".contains(before) {
            return word.dropLast() + "ies"
        }
        return word.hasSuffix("s") || word.hasSuffix("x") ? word + "es" : word + "s"
    }

    /// The API groups it is read from, each once, in their order.
    package var groups: [String] {
        var seen: Set<String> = []
        return resources.map(\.group).filter { seen.insert($0).inserted }
    }

    /// The group of one of its objects as its key has it: empty for the first, which is its own.
    func keyGroup(_ group: String) -> String { group == groups.first ? "" : group }

    /// The kind at each of its APIs.
    package var resources: [Resource] {
        apiVersions.map { Resource(self, version: $0) }
    }
}
