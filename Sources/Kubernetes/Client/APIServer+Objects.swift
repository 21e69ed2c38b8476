/// Single requests.
extension APIServer {
    package func get(_ reference: ObjectReference) async throws(ClusterError) -> Value? {
        do {
            return try await send(try request(.get, reference))
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    package func create(_ object: Value) async throws(ClusterError) -> Value {
        let resource = try await resource(of: object)
        var request = try APIRequest(
            .post,
            resource,
            namespace: namespace(of: object)
        )
        request.body = object
        return try await send(request)
    }

    package func update(_ object: Value) async throws(ClusterError) -> Value {
        var request = try request(.put, try await reference(to: object))
        request.body = object
        return try await send(request)
    }

    package func apply(
        _ object: Value,
        subresource: String,
        fieldManager: String
    ) async throws(ClusterError) -> Value {
        var request = try request(.patch, try await reference(to: object), subresource)
        request.query = [("fieldManager", fieldManager), ("force", "true")]
        // JSON is YAML.
        request.contentType = "application/apply-patch+yaml"
        var body = object
        // The server refuses an apply that says who owns what.
        if body["metadata"]["managedFields"] != .null {
            body["metadata"]["managedFields"] = .null
        }
        request.body = body
        return try await send(request)
    }

    package func patch(
        _ reference: ObjectReference,
        subresource: String,
        with patch: Value
    ) async throws(ClusterError) -> Value {
        var request = try request(.patch, reference, subresource)
        request.contentType = "application/merge-patch+json"
        request.body = patch
        return try await send(request)
    }

    package func delete(_ reference: ObjectReference) async throws(ClusterError) {
        do {
            _ = try await send(try request(.delete, reference))
        } catch {
            guard error.code == .notFound else { throw error }
        }
    }

    package func list(
        _ resource: Resource,
        in selection: ObjectSelection
    ) async throws(ClusterError) -> [Value] {
        var restarts = 0
        while true {
            do {
                var objects: [Value] = []
                var next = ""
                repeat {
                    let page = try await page(resource, in: selection, continuing: next)
                    objects += page.items
                    next = page.next
                } while !next.isEmpty
                return objects
            } catch {
                // A continuation that has grown too old: the list begins anew.
                restarts += 1
                guard error.code == .gone, restarts <= 3 else { throw error }
            }
        }
    }

    /// One page of a list.
    struct Page: Sendable {
        let items: [Value]
        /// The state of the cluster that all pages show.
        let resourceVersion: String
        /// What asks for the next page; empty on the last.
        let next: String
    }

    /// Asks for one page of a list, of each object without what is to be left out.
    func page(
        _ resource: Resource,
        in selection: ObjectSelection,
        continuing next: String,
        omitting omission: Omission = .nothing
    ) async throws(ClusterError) -> Page {
        var request = try APIRequest(.get, resource, namespace: selection.namespace)
        request.query = Self.query(selection) + [("limit", "\(Limit.pageObjects)")]
        if !next.isEmpty { request.query.append(("continue", next)) }
        let answer = try await send(request, omitting: ["items": omission])
        guard case .list(let items) = answer["items"] else {
            // Go writes an empty list as null.
            guard answer["items"] == .null, answer["metadata"] != .null else {
                throw ClusterError(.other, "\(request.summary): the answer is no list")
            }
            return Page(
                items: [],
                resourceVersion: answer["metadata"]["resourceVersion"].stringValue ?? "",
                next: answer["metadata"]["continue"].stringValue ?? ""
            )
        }
        return Page(
            items: items,
            resourceVersion: answer["metadata"]["resourceVersion"].stringValue ?? "",
            next: answer["metadata"]["continue"].stringValue ?? ""
        )
    }

    static func query(_ selection: ObjectSelection) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if !selection.fields.isEmpty { query.append(("fieldSelector", selection.fields)) }
        if !selection.labels.isEmpty { query.append(("labelSelector", selection.labels)) }
        return query
    }

    private func request(
        _ method: APIRequest.Method,
        _ reference: ObjectReference,
        _ subresource: String = ""
    ) throws(ClusterError) -> APIRequest {
        try APIRequest(
            method,
            reference.resource,
            namespace: reference.namespace,
            name: reference.name,
            subresource: subresource
        )
    }

    private func reference(to object: Value) async throws(ClusterError) -> ObjectReference {
        ObjectReference(
            try await resource(of: object),
            namespace: namespace(of: object),
            name: object["metadata"]["name"].stringValue ?? ""
        )
    }

    private func namespace(of object: Value) -> String {
        object["metadata"]["namespace"].stringValue ?? access.namespace
    }
}
