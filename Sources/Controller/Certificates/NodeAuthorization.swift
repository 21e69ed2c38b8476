internal import Crypto
package import Discovery
package import Kubernetes
package import Mesh
internal import Synchronization

/// Who may discover the mesh and have which certificates: proven nodes, and for the pods they run
/// now only.
///
/// Any task may call it.
package final class NodeAuthorization: Sendable {
    /// Whom it believes.
    package struct Settings: Sendable {
        /// The audiences a token may be for.
        package var audiences = ["ambit-ca", "istio-ca"]
        /// The accounts that node proxies run under, `namespace/name`.
        package var nodeAccounts: Set<String> = [
            "ambit-system/ambit-node", "istio-system/ztunnel",
        ]
        /// How long an answer about a token is believed.
        package var cacheSeconds = 30
        /// Tokens remembered; with more all are asked about again.
        package var cachedMax = 10_000
        package var trustDomain = "cluster.local"

        /// The defaults.
        package init() {}
    }

    /// What is known of the pods now: the index's answers.
    package struct Pods: Sendable {
        /// The uid and the node of a pod that has not ended; nil when there is none.
        package var find: @Sendable (NamespacedName) async -> (uid: String, node: String)?
        /// Whether a pod of an account, that has not ended, is on a node.
        package var runs: @Sendable (_ account: NamespacedName, _ node: String) async -> Bool

        /// Takes the answers.
        package init(
            find: @escaping @Sendable (NamespacedName) async -> (uid: String, node: String)?,
            runs: @escaping @Sendable (_ account: NamespacedName, _ node: String) async -> Bool
        ) {
            self.find = find
            self.runs = runs
        }
    }

    private struct Cached {
        let review: TokenReview
        let until: ContinuousClock.Instant
    }

    private let cluster: any Cluster
    private let settings: Settings
    private let pods: Pods
    private let cache = Mutex<[SHA256.Digest: Cached]>([:])

    /// Asks a cluster whose a token is.
    package init(cluster: any Cluster, settings: Settings, pods: Pods) {
        self.cluster = cluster
        self.settings = settings
        self.pods = pods
    }

    /// Whose a token is, if it is a node proxy's: of a trusted account, and bound to a pod that is
    /// there.
    package func caller(_ token: String) async -> Result<Caller, Refusal> {
        let review: TokenReview
        do {
            review = try await self.review(token)
        } catch {
            return .failure(Refusal("the token could not be reviewed: \(error)"))
        }
        guard review.isAuthenticated else {
            return .failure(Refusal("the token is refused: \(review.error)"))
        }
        let parts = review.username.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else {
            return .failure(Refusal("\(review.username) is no service account"))
        }
        let (namespace, account) = (String(parts[2]), String(parts[3]))
        guard settings.nodeAccounts.contains(namespace + "/" + account) else {
            return .failure(Refusal("\(namespace)/\(account) is no node proxy's account"))
        }
        guard !review.podName.isEmpty, !review.podUID.isEmpty else {
            return .failure(Refusal("the token of \(namespace)/\(account) is bound to no pod"))
        }
        let name = NamespacedName(namespace, review.podName)
        guard let pod = await pods.find(name), pod.uid == review.podUID else {
            return .failure(Refusal("the token's pod \(name) is gone"))
        }
        return .success(
            Caller(
                namespace: namespace,
                serviceAccount: account,
                podName: review.podName,
                podUID: review.podUID,
                nodeName: pod.node
            )
        )
    }

    /// Whether a caller may have certificates of an identity now.
    package func mayRequest(_ caller: Caller, _ identity: SPIFFEID) async -> Result<Void, Refusal> {
        guard identity.trustDomain == settings.trustDomain else {
            return .failure(Refusal("trust domain \(identity.trustDomain) is not ours"))
        }
        guard !caller.nodeName.isEmpty else {
            return .failure(Refusal("pod \(caller.podName) is on no node"))
        }
        let account = NamespacedName(identity.namespace, identity.serviceAccount)
        guard await pods.runs(account, caller.nodeName) else {
            return .failure(Refusal("no pod of \(account) runs on node \(caller.nodeName)"))
        }
        return .success(())
    }

    private func review(_ token: String) async throws(ClusterError) -> TokenReview {
        // The token itself is not kept.
        let digest = SHA256.hash(data: Array(token.utf8))
        let now = ContinuousClock.now
        if let known = cache.withLock({ $0[digest] }), known.until > now { return known.review }
        let review = try await cluster.review(token: token, audiences: settings.audiences)
        guard review.isAuthenticated else { return review }
        cache.withLock { cache in
            if cache.count >= settings.cachedMax { cache.removeAll() }
            cache[digest] = Cached(
                review: review,
                until: now + .seconds(settings.cacheSeconds)
            )
        }
        return review
    }
}
