import Foundation
import Kubernetes

/// Requests on the objects of one kind.
struct ObjectRequests {
    let store: ObjectStore
    let reviewer: Reviewer
    let staleRevision: UInt64?
    let kind: ServedKind
    let apiVersion: String
    /// Nil for all namespaces, or for what is in none.
    let namespace: String?
    /// Nil for the collection.
    let name: String?
    let subresource: String
    /// Whether nothing is kept of what the request does.
    let isDryRun: Bool

    func answer(_ request: HTTPRequest) throws(Refusal) -> HTTPAnswer {
        if ServedKind.reviews.contains(where: { $0.storage == kind.storage }) {
            return .whole(status: 201, body: reviewer.review(try request.object()))
        }
        guard let name else { return try collection(request) }
        let place = ObjectStore.Place(namespace: namespace ?? "", name: name)
        switch request.method {
        case "GET":
            guard let object = store.get(kind, place) else { throw missing(name) }
            return .whole(status: 200, body: versioned(object))
        case "PUT":
            return .whole(status: 200, body: try replace(place, try request.object(), request))
        case "PATCH":
            let isNew = store.get(kind, place) == nil
            let object = try patch(place, request)
            return .whole(status: isNew ? 201 : 200, body: object)
        case "DELETE":
            return .whole(status: 200, body: try delete(place, request))
        default: throw Refusal(405, "MethodNotAllowed", "the method is not allowed")
        }
    }

    private func collection(_ request: HTTPRequest) throws(Refusal) -> HTTPAnswer {
        switch request.method {
        case "POST": return .whole(status: 201, body: try create(request))
        case "GET":
            let selectors = Selectors(
                namespace: namespace,
                fields: request.query["fieldSelector"] ?? "",
                labels: request.query["labelSelector"] ?? ""
            )
            guard ["true", "1"].contains(request.query["watch"] ?? "") else {
                return .whole(status: 200, body: try list(request, selectors))
            }
            let version = request.query["resourceVersion"] ?? ""
            return .watch(
                Watch(
                    kind: kind,
                    version: apiVersion,
                    selectors: selectors,
                    revision: ["", "0"].contains(version) ? nil : UInt64(version),
                    wantsBookmarks: request.query["allowWatchBookmarks"] == "true",
                    seconds: Double(request.query["timeoutSeconds"] ?? "") ?? 1_800
                )
            )
        default: throw Refusal(405, "MethodNotAllowed", "the method is not allowed")
        }
    }

    private func list(
        _ request: HTTPRequest,
        _ selectors: Selectors
    ) throws(Refusal) -> Value {
        var revision = staleRevision
        var after: ObjectStore.Place?
        if let token = request.query["continue"], !token.isEmpty {
            let parts = (Base64.bytes(token).map { String(decoding: $0, as: UTF8.self) } ?? "")
                .split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3, let number = UInt64(parts[0]) else {
                throw Refusal(400, "BadRequest", "continue key is not valid")
            }
            revision = number
            after = ObjectStore.Place(namespace: parts[1], name: parts[2])
        }
        let page = try store.list(
            kind,
            at: revision,
            after: after,
            limit: Int(request.query["limit"] ?? "") ?? 0,
            selectors
        )
        var metadata: Value = ["resourceVersion": .string("\(page.revision)")]
        if let next = page.next {
            metadata["continue"] = .string(
                Base64.text(Array("\(page.revision)|\(next.namespace)|\(next.name)".utf8))
            )
        }
        return [
            "kind": .string(kind.kind + "List"), "apiVersion": .string(apiVersion),
            "metadata": metadata, "items": .list(page.objects.map(versioned)),
        ]
    }

    private func create(_ request: HTTPRequest) throws(Refusal) -> Value {
        var object = try request.object()
        try check(object)
        if object["metadata"]["name"] == .null,
            let prefix = object["metadata"]["generateName"].stringValue
        {
            let suffix = String(UInt32.random(in: 0 ... .max), radix: 36)
            object["metadata"]["name"] = .string(prefix + suffix)
        }
        let place = try place(of: object)
        if kind.hasStatus, request.query["feed"] == nil { object["status"] = .null }
        return try store(place) { old throws(Refusal) in
            guard old == nil else {
                throw Refusal(
                    409,
                    "AlreadyExists",
                    "\(kind.plural) \"\(place.name)\" already exists"
                )
            }
            return object
        }
    }

    private func replace(
        _ place: ObjectStore.Place,
        _ object: Value,
        _ request: HTTPRequest
    ) throws(Refusal) -> Value {
        try check(object)
        return try store(place) { old throws(Refusal) in
            guard let old else { throw missing(place.name) }
            try compare(object, old)
            return limited(object, old: old)
        }
    }

    private func patch(
        _ place: ObjectStore.Place,
        _ request: HTTPRequest
    ) throws(Refusal) -> Value {
        let patch = try request.object()
        let isApply = request.contentType.contains("apply-patch")
        let manager = request.query["fieldManager"] ?? ""
        if isApply, manager.isEmpty {
            throw Refusal(422, "Invalid", "fieldManager is required for apply patch")
        }
        if isApply, patch["metadata"]["managedFields"] != .null {
            throw Refusal(422, "Invalid", "metadata.managedFields must be nil")
        }
        if isApply { try check(patch) }
        let key = "\(kind.storage)|\(place.namespace)|\(place.name)|\(subresource)|\(manager)"
        let before = isApply ? store.applied(key) : .null
        let result = try store(place) { old throws(Refusal) in
            guard old != nil || isApply && subresource.isEmpty else { throw missing(place.name) }
            if let old { try compare(patch, old) }
            let target = old ?? .map([:])
            let merged =
                isApply
                ? Merging.apply(patch, before: before, to: target)
                : Merging.merge(patch, into: target)
            return limited(merged, old: old)
        }
        if isApply, !isDryRun { store.setApplied(key, patch) }
        return result
    }

    private func delete(
        _ place: ObjectStore.Place,
        _ request: HTTPRequest
    ) throws(Refusal) -> Value {
        let options = (try? request.object()) ?? .null
        var last: Value = .null
        _ = try store.change(kind, place, isDryRun: isDryRun) { old throws(Refusal) in
            guard let old else { throw missing(place.name) }
            let wanted = options["preconditions"]["uid"]
            guard wanted == .null || wanted == old["metadata"]["uid"] else {
                throw Refusal(409, "Conflict", "the UID in the precondition does not match")
            }
            last = old
            return nil
        }
        if kind.storage == ServedKind.definitions.storage, !isDryRun,
            let served = ServedKind(definition: last)
        {
            store.uninstall(group: served.group, plural: served.plural)
        }
        return [
            "kind": "Status", "apiVersion": "v1", "metadata": .map([:]), "status": "Success",
            "details": [
                "name": .string(place.name), "kind": .string(kind.plural),
                "uid": last["metadata"]["uid"],
            ],
        ]
    }
}

extension ObjectRequests {
    // Keeps what the server alone writes, and counts changes of the spec.
    private func store(
        _ place: ObjectStore.Place,
        _ change: (Value?) throws(Refusal) -> Value
    ) throws(Refusal) -> Value {
        let stored = try store.change(kind, place, isDryRun: isDryRun) { old throws(Refusal) in
            var new = try change(old)
            new["apiVersion"] = .string(kind.group.isEmpty ? "v1" : apiVersion)
            new["kind"] = .string(kind.kind)
            new["metadata"]["name"] = .string(place.name)
            if kind.isNamespaced { new["metadata"]["namespace"] = .string(place.namespace) }
            let kept = old?["metadata"] ?? .null
            let uid = new["metadata"]["uid"]
            guard old == nil || uid == .null || uid == kept["uid"] else {
                throw Refusal(422, "Invalid", "metadata.uid: Invalid value: field is immutable")
            }
            new["metadata"]["uid"] =
                old == nil ? .string(UUID().uuidString.lowercased()) : kept["uid"]
            new["metadata"]["creationTimestamp"] =
                old == nil ? .string(Self.now()) : kept["creationTimestamp"]
            let generation = kept["generation"].integerValue ?? 0
            let isSame = old.map { Self.specification($0) == Self.specification(new) } ?? false
            new["metadata"]["generation"] = .integer(isSame ? generation : generation + 1)
            new["metadata"]["resourceVersion"] = kept["resourceVersion"]
            return new
        }
        guard let stored else { throw missing(place.name) }
        if kind.storage == ServedKind.definitions.storage, !isDryRun { establish(stored, place) }
        return versioned(stored)
    }

    // A definition is served as soon as it is there.
    private func establish(_ definition: Value, _ place: ObjectStore.Place) {
        guard let served = ServedKind(definition: definition) else { return }
        store.install(served)
        _ = try? store.change(kind, place) { old in
            guard var new = old else { return nil }
            new["status"]["conditions"] = [
                ["type": "NamesAccepted", "status": "True", "reason": "NoConflicts"],
                ["type": "Established", "status": "True", "reason": "InitialNamesAccepted"],
            ]
            return new
        }
    }

    private static func specification(_ object: Value) -> Value {
        var object = object
        object["metadata"] = .null
        object["status"] = .null
        return object
    }

    // What this request may not write stays as it was.
    private func limited(_ new: Value, old: Value?) -> Value {
        guard kind.hasStatus else { return new }
        guard subresource == "status" else {
            var result = new
            result["status"] = old?["status"] ?? .null
            return result
        }
        var result = old ?? new
        result["status"] = new["status"]
        // Of pods an API server takes labels and annotations with the status too.
        if kind.kind == "Pod" {
            for name in ["labels", "annotations"] {
                result["metadata"][name] = new["metadata"][name]
            }
        }
        return result
    }

    private func compare(_ new: Value, _ old: Value) throws(Refusal) {
        let wanted = new["metadata"]["resourceVersion"]
        guard wanted == .null || wanted == old["metadata"]["resourceVersion"] else {
            throw Refusal(
                409,
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your "
                    + "changes to the latest version and try again"
            )
        }
    }

    private func check(_ object: Value) throws(Refusal) {
        guard object["kind"].stringValue == kind.kind,
            object["apiVersion"].stringValue == apiVersion
        else {
            throw Refusal(400, "BadRequest", "the object is not of kind \(kind.kind)")
        }
        let said = object["metadata"]["namespace"].stringValue
        guard said == nil || !kind.isNamespaced || said == namespace else {
            throw Refusal(
                400,
                "BadRequest",
                "the namespace of the object does not match the request"
            )
        }
    }

    private func place(of object: Value) throws(Refusal) -> ObjectStore.Place {
        guard let name = object["metadata"]["name"].stringValue, !name.isEmpty else {
            throw Refusal(422, "Invalid", "metadata.name: Required value")
        }
        return ObjectStore.Place(namespace: namespace ?? "", name: name)
    }

    private func missing(_ name: String) -> Refusal { .notFound("\(kind.plural) \"\(name)\"") }

    /// An object in the version that was asked for.
    func versioned(_ object: Value) -> Value {
        var object = object
        object["apiVersion"] = .string(apiVersion)
        return object
    }

    private static func now() -> String {
        Timestamp.text(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000)
    }
}
