/// Questions that are asked by making an object.
extension Cluster {
    /// Asks whether somebody may do something (authorization.k8s.io/v1 SubjectAccessReview).
    ///
    /// False too where the cluster answers nothing that is understood.
    package func isAllowed(_ question: AccessQuestion) async throws(ClusterError) -> Bool {
        let answer = try await create(question.value)
        return answer["status"]["allowed"].boolValue ?? false
            && !(answer["status"]["denied"].boolValue ?? false)
    }

    /// Writes an Event (events.k8s.io/v1) about an object.
    @discardableResult
    package func record(_ event: ClusterEvent) async throws(ClusterError) -> Value {
        try await create(event.value)
    }
}

/// Whether a user may do one thing to one resource.
package struct AccessQuestion: Sendable, Hashable {
    /// As TokenReview has it, such as `system:serviceaccount:shop:web`.
    package var user: String
    package var groups: [String] = []
    package var verb: String
    /// Empty for the core group.
    package var group: String
    /// The plural, such as `pods`.
    package var resource: String
    package var subresource: String = ""
    /// Empty for all namespaces, or for what is in none.
    package var namespace: String = ""
    /// Empty for all.
    package var name: String = ""

    package init(user: String, verb: String, group: String, resource: String) {
        self.user = user
        self.verb = verb
        self.group = group
        self.resource = resource
    }

    /// The object that asks it.
    package var value: Value {
        var attributes: Value = [:]
        attributes["verb"] = .string(verb)
        attributes["group"] = .string(group)
        attributes["resource"] = .string(resource)
        if !subresource.isEmpty { attributes["subresource"] = .string(subresource) }
        if !namespace.isEmpty { attributes["namespace"] = .string(namespace) }
        if !name.isEmpty { attributes["name"] = .string(name) }
        return [
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": [
                "user": .string(user),
                "groups": .list(groups.map { .string($0) }),
                "resourceAttributes": attributes,
            ],
        ]
    }
}

extension TokenReview {
    /// The object that asks whose a token is.
    package static func question(token: String, audiences: [String]) -> Value {
        [
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": [
                "token": .string(token),
                "audiences": .list(audiences.map { .string($0) }),
            ],
        ]
    }

    /// Reads the answer; whoever is not said to be somebody is nobody.
    package init(answer: Value, audiences asked: [String]) {
        self.init()
        let status = answer["status"]
        error = status["error"].stringValue ?? ""
        guard status["authenticated"].boolValue == true else { return }
        let user = status["user"]
        username = user["username"].stringValue ?? ""
        let granted = (status["audiences"].listValue ?? []).compactMap(\.stringValue)
        audiences = asked.filter(granted.contains)
        func extra(_ name: String) -> String {
            user["extra"]["authentication.kubernetes.io/" + name].listValue?.first?.stringValue
                ?? ""
        }
        podName = extra("pod-name")
        podUID = extra("pod-uid")
        nodeName = extra("node-name")
        // A server that knows no audiences authenticates tokens for any of them.
        isAuthenticated = !username.isEmpty && (asked.isEmpty || !audiences.isEmpty)
        if !isAuthenticated, error.isEmpty { error = "the token is not for \(asked)" }
    }
}

extension APIServer {
    package func review(
        token: String,
        audiences: [String]
    ) async throws(ClusterError) -> TokenReview {
        let answer = try await create(
            TokenReview.question(token: token, audiences: audiences)
        )
        return TokenReview(answer: answer, audiences: audiences)
    }
}
