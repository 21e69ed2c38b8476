import Foundation
import Kubernetes

/// Finds what a request asks for, and answers it.
struct Router {
    let store: ObjectStore
    let reviewer: Reviewer
    /// The revision that lists show instead of the last one.
    let staleRevision: UInt64?

    func answer(_ request: HTTPRequest) -> HTTPAnswer {
        do throws(Refusal) {
            if let callers = reviewer.callers, !callers.contains(request.token ?? "") {
                throw Refusal(401, "Unauthorized", "Unauthorized")
            }
            let path = request.path
            if reviewer.forbids(request.method, "/" + path.joined(separator: "/")) {
                throw Refusal(403, "Forbidden", "the double forbids \(request.rawTarget)")
            }
            return try route(request, path)
        } catch {
            return .whole(status: Int(error.code), body: error.status)
        }
    }

    private func route(_ request: HTTPRequest, _ path: [String]) throws(Refusal) -> HTTPAnswer {
        let documents = DiscoveryDocuments(kinds: store.kinds)
        switch path.first {
        case "version": return .whole(status: 200, body: DiscoveryDocuments.version)
        case "healthz", "livez", "readyz": return .text(status: 200, body: "ok")
        case "openapi" where path.dropFirst().first == "v3":
            let place = Array(path.dropFirst(2))
            if place.isEmpty { return .whole(status: 200, body: documents.schemas) }
            return .whole(
                status: 200,
                body: documents.schema(
                    group: place.count == 3 ? place[1] : "",
                    version: place.last ?? ""
                )
            )
        case "api":
            if path.count == 1 { return .whole(status: 200, body: DiscoveryDocuments.core) }
            return try resources(request, group: "", version: path[1], Array(path.dropFirst(2)))
        case "apis":
            if path.count == 1 { return .whole(status: 200, body: documents.groups) }
            if path.count == 2 {
                guard store.kinds.contains(where: { $0.group == path[1] }) else { break }
                return .whole(status: 200, body: documents.group(path[1]))
            }
            return try resources(
                request,
                group: path[1],
                version: path[2],
                Array(path.dropFirst(3))
            )
        default: break
        }
        return .text(status: 404, body: "404 page not found")
    }

    private func resources(
        _ request: HTTPRequest,
        group: String,
        version: String,
        _ rest: [String]
    ) throws(Refusal) -> HTTPAnswer {
        let documents = DiscoveryDocuments(kinds: store.kinds)
        if rest.isEmpty {
            guard let body = documents.resources(group: group, version: version) else {
                return .text(status: 404, body: "404 page not found")
            }
            return .whole(status: 200, body: body)
        }
        var rest = rest
        var namespace: String?
        if rest.count > 2, rest[0] == "namespaces", !["status", "finalize"].contains(rest[2]) {
            namespace = rest[1]
            rest.removeFirst(2)
        }
        let kind = store.kinds.first {
            $0.group == group && $0.versions.contains(version) && $0.plural == rest[0]
        }
        guard let kind else { return .text(status: 404, body: "404 page not found") }
        let objects = ObjectRequests(
            store: store,
            reviewer: reviewer,
            staleRevision: staleRevision,
            kind: kind,
            apiVersion: group.isEmpty ? version : "\(group)/\(version)",
            namespace: namespace,
            name: rest.count > 1 ? rest[1] : nil,
            subresource: rest.count > 2 ? rest[2] : "",
            isDryRun: request.query["dryRun"] == "All"
        )
        return try objects.answer(request)
    }
}
