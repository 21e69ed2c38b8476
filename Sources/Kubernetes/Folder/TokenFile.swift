/// Who has which token, in a cluster without an API server.
struct TokenFile: Sendable {
    private struct Entry: Sendable {
        var identity = TokenReview()
        /// Seconds since 1970; nil for never.
        var expires: Int64?
    }

    private var entries: [String: Entry] = [:]

    /// Reads the JSON list that `ManifestFolder.Paths.tokens` describes.
    init(_ bytes: [UInt8]) throws(FieldError) {
        let value: Value
        do {
            value = try Value(json: bytes)
        } catch {
            throw FieldError(path: "", reason: "no JSON: \(error)")
        }
        for element in try Field(root: value).elements() {
            let token = try element.required("token")
            var entry = Entry()
            entry.identity.isAuthenticated = true
            entry.identity.username = try element.required("username").string()
            entry.identity.audiences = try element.strings("audiences")
            entry.identity.podName = try element.string("podName") ?? ""
            entry.identity.podUID = try element.string("podUID") ?? ""
            entry.identity.nodeName = try element.string("nodeName") ?? ""
            if let expires = try element.field("expires") {
                if case .string(let text) = expires.value {
                    guard let seconds = Timestamp.seconds(text) else {
                        throw expires.refused("must be a time such as 2026-11-21T10:00:00Z")
                    }
                    entry.expires = seconds
                } else {
                    entry.expires = try expires.integer(in: 0...Int64.max)
                }
            }
            let text = try token.string()
            guard CredentialText.isToken(text) else { throw token.refused("is no bearer token") }
            entries[text] = entry
        }
    }

    /// Whose a token is at a time in seconds since 1970.
    func review(_ token: String, _ asked: [String], seconds: Int64) -> TokenReview {
        var answer = TokenReview()
        guard let entry = entries[token] else {
            answer.error = "the token is not known"
            return answer
        }
        if let expires = entry.expires, expires <= seconds {
            answer.error = "the token has expired"
            return answer
        }
        let granted =
            asked.isEmpty
            ? entry.identity.audiences : asked.filter(entry.identity.audiences.contains)
        guard !granted.isEmpty || asked.isEmpty else {
            answer.error = "the token is not for \(asked)"
            return answer
        }
        answer = entry.identity
        answer.audiences = granted
        return answer
    }
}
