package import Kubernetes

/// Who the double says that callers are, and what they may do.
package struct Reviewer: Sendable {
    /// Who has which token, with the audiences it is for.
    package var tokens: [String: TokenReview] = [:]
    /// Whether a caller may do what the spec of a SubjectAccessReview asks.
    package var allows: @Sendable (Value) -> Bool = { _ in true }
    /// When set, a request without one of these tokens is answered with 401.
    package var callers: Set<String>?
    /// Whether a request is refused with 403; is given the method and the path.
    package var forbids: @Sendable (_ method: String, _ path: String) -> Bool = { _, _ in false }

    package init() {}

    func review(_ question: Value) -> Value {
        var answer = question
        let spec = question["spec"]
        switch question["kind"].stringValue {
        case "TokenReview":
            let asked = (spec["audiences"].listValue ?? []).compactMap(\.stringValue)
            answer["status"] = status(spec["token"].stringValue ?? "", audiences: asked)
        default:
            answer["status"] = ["allowed": .bool(allows(spec))]
        }
        return answer
    }

    private func status(_ token: String, audiences asked: [String]) -> Value {
        guard let known = tokens[token], known.isAuthenticated else {
            return ["authenticated": false, "error": "[invalid bearer token]"]
        }
        let granted = asked.isEmpty ? known.audiences : asked.filter(known.audiences.contains)
        guard !granted.isEmpty else {
            return ["authenticated": false, "error": "token audiences do not match"]
        }
        var extra: Value = .map([:])
        let facts = [
            "pod-name": known.podName, "pod-uid": known.podUID, "node-name": known.nodeName,
        ]
        for (name, value) in facts where !value.isEmpty {
            extra["authentication.kubernetes.io/" + name] = .list([.string(value)])
        }
        return [
            "authenticated": true,
            "audiences": .list(granted.map { .string($0) }),
            "user": ["username": .string(known.username), "extra": extra],
        ]
    }
}
