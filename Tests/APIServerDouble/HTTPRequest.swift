import Foundation
import Kubernetes

/// A request as the router sees it.
struct HTTPRequest: Sendable {
    let method: String
    /// Decoded, without the query.
    let path: [String]
    let rawTarget: String
    let query: [String: String]
    let contentType: String
    let token: String?
    let body: [UInt8]

    init(method: String, target: String, contentType: String, token: String?, body: [UInt8]) {
        self.method = method
        rawTarget = target
        self.contentType = contentType
        self.token = token
        self.body = body
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = (parts.first ?? "").split(separator: "/").map {
            $0.removingPercentEncoding ?? String($0)
        }
        var query: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1).map {
                $0.replacing("+", with: " ").removingPercentEncoding ?? String($0)
            }
            if let name = sides.first { query[name] = sides.count > 1 ? sides[1] : "" }
        }
        self.query = query
    }

    /// The object in the body.
    func object() throws(Refusal) -> Value {
        if body.isEmpty { return .null }
        if let value = try? Value(json: body) { return value }
        if contentType.contains("yaml"),
            let value = try? Value(yaml: String(decoding: body, as: UTF8.self))
        {
            return value
        }
        throw Refusal(400, "BadRequest", "the body is not understood")
    }
}

/// What answers a request.
enum HTTPAnswer: Sendable {
    case whole(status: Int, body: Value)
    case text(status: Int, body: String)
    case watch(Watch)
}

/// A watch to be served.
struct Watch: Sendable {
    let kind: ServedKind
    let version: String
    let selectors: Selectors
    /// Nil to begin with all there is.
    let revision: UInt64?
    let wantsBookmarks: Bool
    let seconds: Double
}
