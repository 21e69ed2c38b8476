internal import Synchronization

/// The kinds that an API server said it has.
final class Discovery: Sendable {
    /// More than any cluster serves.
    static let kindsMax = 10_000

    private struct Kind: Hashable {
        let apiVersion: String
        let kind: String
    }

    private let kinds: Mutex<[Kind: Resource]>

    /// Knows the kinds that are used here by name.
    init() {
        var kinds: [Kind: Resource] = [:]
        for resource in Resource.known {
            kinds[Kind(apiVersion: resource.apiVersion, kind: resource.kind)] = resource
        }
        self.kinds = Mutex(kinds)
    }

    func resource(apiVersion: String, kind: String) -> Resource? {
        kinds.withLock { $0[Kind(apiVersion: apiVersion, kind: kind)] }
    }

    func add(_ resources: [Resource]) {
        kinds.withLock { kinds in
            for resource in resources where kinds.count < Self.kindsMax {
                kinds[Kind(apiVersion: resource.apiVersion, kind: resource.kind)] = resource
            }
        }
    }
}

extension APIServer {
    /// The resource of a kind, asked of the server once where it is not known here.
    package func resource(
        apiVersion: String,
        kind: String
    ) async throws(ClusterError) -> Resource {
        if let known = discovery.resource(apiVersion: apiVersion, kind: kind) { return known }
        let groups = apiVersion.contains("/") ? "/apis/" : "/api/"
        guard
            apiVersion.utf8.allSatisfy({
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0)
                    || "-./".utf8.contains($0)
            }), !apiVersion.contains("..")
        else {
            throw ClusterError(
                .invalid,
                "the API version \(FieldError.quoted(apiVersion)) is not valid"
            )
        }
        let answer = try await send(APIRequest(.get, path: groups + apiVersion))
        let resources = (answer["resources"].listValue ?? []).compactMap { entry -> Resource? in
            guard let kind = entry["kind"].stringValue, let plural = entry["name"].stringValue,
                // The others are subresources.
                !plural.contains("/")
            else { return nil }
            return Resource(
                apiVersion: apiVersion,
                kind: kind,
                plural: plural,
                isNamespaced: entry["namespaced"].boolValue ?? false
            )
        }
        discovery.add(resources)
        guard let found = resources.first(where: { $0.kind == kind }) else {
            throw ClusterError(
                .notFound,
                "the API server has no kind \(FieldError.printable(kind)) in \(apiVersion)"
            )
        }
        return found
    }

    func resource(of object: Value) async throws(ClusterError) -> Resource {
        guard let version = object["apiVersion"].stringValue,
            let kind = object["kind"].stringValue
        else {
            throw ClusterError(.invalid, "the object has no apiVersion or no kind")
        }
        return try await resource(apiVersion: version, kind: kind)
    }
}
