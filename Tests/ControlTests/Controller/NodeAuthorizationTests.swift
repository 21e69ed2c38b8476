import Controller
import Discovery
import Kubernetes
import Mesh
import Testing

@Suite struct `A caller of the control plane` {
    private static let account = "system:serviceaccount:ambit-system:ambit-node"

    private static func review(
        _ username: String = account,
        pod: String = "ambit-node-a",
        uid: String = "u-1"
    ) -> TokenReview {
        var review = TokenReview()
        review.isAuthenticated = true
        review.username = username
        review.audiences = ["ambit-ca"]
        review.podName = pod
        review.podUID = uid
        return review
    }

    private static func index() throws -> MeshIndex {
        var index = MeshIndex(settings: MeshSettings())
        func pod(_ name: String, _ namespace: String, _ account: String, _ rest: String) -> String {
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), namespace: \(namespace), uid: u-1}
            spec: {serviceAccountName: \(account), containers: [{name: c}], \(rest)
            """
        }
        let yaml = Manifest.joined([
            pod("ambit-node-a", "ambit-system", "ambit-node", "nodeName: a}"),
            pod("web", "shop", "web", "nodeName: a}"),
            pod("db", "shop", "db", "nodeName: b}"),
            pod("ended", "shop", "ended", "nodeName: a}\nstatus: {phase: Succeeded}"),
            pod("waits", "shop", "waits", "hostNetwork: false}"),
        ])
        let manifests = Manifests(files: [("pods.yaml", Array(yaml.utf8))])
        try #require(manifests.problems.isEmpty, "\(manifests.problems)")
        index.set(manifests.objects)
        return index
    }

    private static func authorization(_ reviews: [String: TokenReview]) throws -> NodeAuthorization
    {
        let index = try index()
        return NodeAuthorization(
            cluster: OnlyReviews(reviews: reviews),
            settings: NodeAuthorization.Settings(),
            pods: NodeAuthorization.Pods(
                find: { index.livePod($0).map { ($0.metadata.uid, $0.nodeName) } },
                runs: { index.runs($0, on: $1) }
            )
        )
    }

    @Test func `is a node proxy whose token is bound to a pod that is there`() async throws {
        let caller = try await Self.authorization(["t": Self.review()]).caller("t").get()
        #expect(caller.podName == "ambit-node-a")
        #expect(caller.nodeName == "a")
    }

    @Test(arguments: [
        ("system:serviceaccount:shop:web", "ambit-node-a", "u-1", "no node proxy's account"),
        ("system:serviceaccount:ambit-system:ambit-node", "", "", "bound to no pod"),
        (account, "ambit-node-z", "u-1", "is gone"),
        // Another pod has the name by now.
        (account, "ambit-node-a", "u-2", "is gone"),
        ("system:node:a", "ambit-node-a", "u-1", "no service account"),
        ("system:serviceaccount:ambit-system:ambit-node:x", "ambit-node-a", "u-1", "no service"),
    ])
    func `is refused when any of that is not so`(
        username: String,
        pod: String,
        uid: String,
        reason: String
    ) async throws {
        let review = Self.review(username, pod: pod, uid: uid)
        let result = try await Self.authorization(["t": review]).caller("t")
        guard case .failure(let refusal) = result else {
            Issue.record("accepted")
            return
        }
        #expect(refusal.reason.contains(reason))
    }

    @Test func `without a good token is refused, today and tomorrow`() async throws {
        var expired = TokenReview()
        expired.error = "expired"
        let authorization = try Self.authorization(["t": expired])
        for token in ["t", "u", "t"] {
            guard case .failure = await authorization.caller(token) else {
                Issue.record("accepted")
                return
            }
        }
    }

    @Test(arguments: [
        ("spiffe://cluster.local/ns/shop/sa/web", true),
        ("spiffe://cluster.local/ns/shop/sa/db", false),
        ("spiffe://cluster.local/ns/shop/sa/ended", false),
        ("spiffe://cluster.local/ns/shop/sa/waits", false),
        ("spiffe://cluster.local/ns/other/sa/web", false),
        ("spiffe://cluster.local.evil/ns/shop/sa/web", false),
        ("spiffe://cluster.local/ns/ambit-system/sa/ambit-node", true),
    ])
    func `gets certificates of the pods that run on its node now, and no others`(
        uri: String,
        isAllowed: Bool
    ) async throws {
        let authorization = try Self.authorization(["t": Self.review()])
        let caller = try await authorization.caller("t").get()
        let identity = try #require(SPIFFEID(uri: uri))
        switch await authorization.mayRequest(caller, identity) {
        case .success: #expect(isAllowed)
        case .failure: #expect(!isAllowed)
        }
    }
}

/// A cluster that is asked whose tokens are, and nothing else.
private struct OnlyReviews: Cluster {
    let reviews: [String: TokenReview]

    func review(token: String, audiences: [String]) async throws(ClusterError) -> TokenReview {
        reviews[token] ?? TokenReview()
    }

    private var reached: ClusterError { ClusterError(.other, "must not be reached") }

    func changes<Element: Object>(
        of type: Element.Type,
        in selection: ObjectSelection
    ) -> AsyncStream<ObjectChange<Element>> { AsyncStream { $0.finish() } }

    func get(_ reference: ObjectReference) async throws(ClusterError) -> Value? { throw reached }
    func list(
        _ resource: Resource,
        in selection: ObjectSelection
    ) async throws(ClusterError) -> [Value] { throw reached }
    func create(_ object: Value) async throws(ClusterError) -> Value { throw reached }
    func update(_ object: Value) async throws(ClusterError) -> Value { throw reached }
    func apply(
        _ object: Value,
        subresource: String,
        fieldManager: String
    ) async throws(ClusterError) -> Value { throw reached }
    func patch(
        _ reference: ObjectReference,
        subresource: String,
        with patch: Value
    ) async throws(ClusterError) -> Value { throw reached }
    func delete(_ reference: ObjectReference) async throws(ClusterError) { throw reached }
}
