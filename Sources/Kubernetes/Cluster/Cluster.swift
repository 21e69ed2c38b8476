/// A cluster as the mesh's programs see it: an API server, or a folder of manifests.
///
/// Safe to use from any task.
package protocol Cluster: Sendable {
    /// All objects of a kind and every change to them, from now until the stream is dropped.
    ///
    /// First `set` for each object there is, then `synced`, then changes as they come. Losing the
    /// connection, a 410 or a re-list show only as the differences they reveal, followed by another
    /// `synced`. Where the kind is not installed, the stream says `synced` and waits for it to be.
    func changes<Element: Object>(
        of type: Element.Type,
        in selection: ObjectSelection
    ) -> AsyncStream<ObjectChange<Element>>

    /// One object as it is; nil when it does not exist.
    func get(_ reference: ObjectReference) async throws(ClusterError) -> Value?

    /// All objects of a kind as they are, in pages.
    func list(
        _ resource: Resource,
        in selection: ObjectSelection
    ) async throws(ClusterError) -> [Value]

    /// Makes an object; fails with `.alreadyExists` when there is one.
    func create(_ object: Value) async throws(ClusterError) -> Value

    /// Replaces an object; fails with `.conflict` when its `metadata.resourceVersion` is not the
    /// last one.
    func update(_ object: Value) async throws(ClusterError) -> Value

    /// Server-side apply: makes or changes the fields named, and owns them as `fieldManager`.
    ///
    /// `subresource` is empty or such as `status`.
    func apply(
        _ object: Value,
        subresource: String,
        fieldManager: String
    ) async throws(ClusterError) -> Value

    /// A JSON merge patch (RFC 7396).
    func patch(
        _ reference: ObjectReference,
        subresource: String,
        with patch: Value
    ) async throws(ClusterError) -> Value

    /// Deletes an object; nothing happens when it does not exist.
    func delete(_ reference: ObjectReference) async throws(ClusterError)

    /// Asks whose a token is (TokenReview); throws only when nobody could be asked.
    func review(token: String, audiences: [String]) async throws(ClusterError) -> TokenReview
}

/// A change to the objects of one kind.
package enum ObjectChange<Element: Object>: Sendable {
    /// Added or changed.
    case set(Element)
    /// Gone.
    case removed(ObjectKey)
    /// There, but not understood; what was known of it before stays in force.
    case refused(ObjectKey, FieldError)
    /// Everything that existed when the last list was taken has been told.
    case synced
}

/// Which objects of a kind.
package struct ObjectSelection: Sendable, Hashable {
    /// Nil for all namespaces.
    package var namespace: String?
    /// As in `kubectl --field-selector`, such as `spec.nodeName=n1`; empty for all.
    package var fields: String = ""
    /// As in `kubectl --selector`; empty for all.
    package var labels: String = ""

    /// All objects.
    package init() {}
}

/// A kind of object by the words of its path.
package struct Resource: Sendable, Hashable {
    /// `v1`, or `group/version`.
    package let apiVersion: String
    package let kind: String
    /// The plural in the path, such as `pods`.
    package let plural: String
    package let isNamespaced: Bool

    package init(apiVersion: String, kind: String, plural: String, isNamespaced: Bool) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.plural = plural
        self.isNamespaced = isNamespaced
    }
}

/// One object by its place.
package struct ObjectReference: Sendable, Hashable {
    package let resource: Resource
    /// Empty for a cluster-scoped object.
    package let namespace: String
    package let name: String

    package init(_ resource: Resource, namespace: String = "", name: String) {
        self.resource = resource
        self.namespace = namespace
        self.name = name
    }
}

/// Whose a token is (authentication.k8s.io/v1 TokenReview).
package struct TokenReview: Sendable, Equatable {
    package var isAuthenticated = false
    /// Such as `system:serviceaccount:ambit-system:ambit-node`.
    package var username = ""
    /// The audiences asked for that the token has.
    package var audiences: [String] = []
    /// The pod a bound token belongs to (`authentication.kubernetes.io/pod-name` and `pod-uid`).
    package var podName = ""
    package var podUID = ""
    /// `authentication.kubernetes.io/node-name`, where the API server knows it.
    package var nodeName = ""
    /// Why it is not authenticated, as the API server says it.
    package var error = ""

    package init() {}
}

/// Why a request to a cluster failed.
package struct ClusterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a caller may act on.
    package enum Code: Sendable, Hashable {
        case notFound, alreadyExists, conflict, forbidden, unauthorized, invalid, gone
        /// Nobody answered, or not in time; worth another try.
        case unavailable
        /// Anything else.
        case other
    }
    package let code: Code
    /// In words for the operator, with the request it was.
    package let reason: String

    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The reason.
    package var description: String { reason }
}
