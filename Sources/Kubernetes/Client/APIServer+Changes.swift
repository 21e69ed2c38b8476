internal import AsyncHTTPClient
internal import NIOCore

/// Lists and watches, as one stream of differences.
extension APIServer {
    package func changes<Element: Object>(
        of type: Element.Type,
        in selection: ObjectSelection
    ) -> AsyncStream<ObjectChange<Element>> {
        let queue = ChangeQueue<Element>()
        let groups = Self.groups(Element.objectType)
        let overlap = Overlap<Element>(groups: groups.map { $0.first?.group ?? "" })
        return queue.stream { [self] in
            await withTaskGroup { tasks in
                for (source, versions) in groups.enumerated() {
                    tasks.addTask {
                        var follower = Follower<Element>(
                            server: self,
                            versions: versions,
                            selection: selection
                        ) { change in
                            await queue.waitForRoom()
                            overlap.take(change, from: source) { queue.add($0) }
                        }
                        await follower.run()
                    }
                }
            }
        }
    }

    // The API versions of each group, in their order: one object is served in all of its group's.
    private static func groups(_ type: ObjectType) -> [[Resource]] {
        var groups: [[Resource]] = []
        for resource in type.resources {
            if let place = groups.firstIndex(where: { $0.first?.group == resource.group }) {
                groups[place].append(resource)
            } else {
                groups.append([resource])
            }
        }
        return groups
    }
}

/// One loop of lists and watches of one kind in one API group.
private struct Follower<Element: Object> {
    private enum WatchEnd {
        /// As it should be, after some time.
        case closed
        /// What it starts from is no longer kept: list again.
        case gone
        case failed
    }

    let server: APIServer
    let versions: [Resource]
    let selection: ObjectSelection
    let tell: @Sendable (ObjectChange<Element>) async -> Void
    private var known = KnownObjects()
    private var backoff: Backoff
    // Answers in a row that said that the kind is not there.
    private var absences = 0
    // Lists in a row that were older than what was told.
    private var staleLists = 0

    init(
        server: APIServer,
        versions: [Resource],
        selection: ObjectSelection,
        tell: @escaping @Sendable (ObjectChange<Element>) async -> Void
    ) {
        self.server = server
        self.versions = versions
        self.selection = selection
        self.tell = tell
        backoff = Backoff(server.timing)
    }

    mutating func run() async {
        while !Task.isCancelled {
            guard let resource = await listAny() else {
                await wait()
                continue
            }
            await follow(resource)
        }
    }

    // Watches until only a list helps.
    private mutating func follow(_ resource: Resource) async {
        while !Task.isCancelled {
            let began = ContinuousClock.now
            switch await watch(resource) {
            case .gone:
                // Two lists must not chase each other where a server always says so.
                if ContinuousClock.now - began < .seconds(1) { await wait() }
                return
            case .closed:
                if ContinuousClock.now - began < .seconds(1) {
                    await wait()
                } else {
                    backoff.reset()
                }
            case .failed:
                await wait()
                // A server that takes no watch any more may no longer have the kind.
                if backoff.failures >= 4 { return }
            }
        }
    }

    private mutating func wait() async { try? await Pause.wait(for: backoff.next()) }

    // Lists in the first version that is there; nil when none is, or nothing could be learned.
    private mutating func listAny() async -> Resource? {
        for resource in versions {
            do {
                guard try await list(resource) else { return nil }
                absences = 0
                return resource
            } catch {
                guard error.code == .notFound else {
                    absences = 0
                    return nil
                }
            }
        }
        absences += 1
        // A server that has just started may not know its own kinds yet: what was told stays in
        // force until it has said several times that the kind is gone.
        guard known.count == 0 || absences >= 4 else { return nil }
        known.beginList()
        for key in known.endList(resourceVersion: "") { await tell(.removed(key)) }
        if absences == 1 || absences == 4 { await tell(.synced) }
        return nil
    }

    // Whether the list was taken; a stale one is not.
    private mutating func list(_ resource: Resource) async throws(ClusterError) -> Bool {
        known.beginList()
        var next = ""
        var resourceVersion = ""
        repeat {
            let page: APIServer.Page
            do {
                page = try await server.page(
                    resource,
                    in: selection,
                    continuing: next,
                    omitting: Element.unread
                )
            } catch {
                // A continuation that has grown too old: the list begins anew.
                guard error.code == .gone, !next.isEmpty else { throw error }
                return false
            }
            if next.isEmpty {
                // A restored backup goes back in time too, so that patience has an end.
                if known.isStale(page.resourceVersion), staleLists < 8 {
                    staleLists += 1
                    return false
                }
                staleLists = 0
            }
            resourceVersion = page.resourceVersion
            for object in page.items {
                guard let (key, version) = place(of: object) else { continue }
                if known.list(key, version: version) { await tell(read(object, key)) }
            }
            next = page.next
        } while !next.isEmpty
        for key in known.endList(resourceVersion: resourceVersion) { await tell(.removed(key)) }
        await tell(.synced)
        return true
    }

    private mutating func watch(_ resource: Resource) async -> WatchEnd {
        var hasBegun = false
        do {
            var request = try APIRequest(.get, resource, namespace: selection.namespace)
            let duration = server.timing.watchDuration
            let seconds = Double.random(
                in: duration.lowerBound.seconds...duration.upperBound.seconds
            )
            request.query =
                APIServer.query(selection) + [
                    ("watch", "true"), ("allowWatchBookmarks", "true"),
                    ("resourceVersion", known.resourceVersion),
                    ("timeoutSeconds", "\(max(1, Int(seconds)))"),
                ]
            let response = try await server.watch(request)
            hasBegun = true
            var lines = WatchLines(bytesMax: APIServer.Limit.watchLineBytesMax)
            let unread = Element.unread
            for try await chunk in response.body {
                for line in try lines.append(chunk.readableBytesView) {
                    let event = try WatchEvent(line: line, omitting: unread)
                    if let end = try await take(event) { return end }
                }
            }
            return .closed
        } catch let error as ClusterError {
            return error.code == .gone ? .gone : .failed
        } catch let error as HTTPClientError where error == .readTimeout && hasBegun {
            // A kind of which nothing was ever written may have no bookmark either.
            return .closed
        } catch {
            return .failed
        }
    }

    // Nil while the watch goes on.
    private mutating func take(_ event: WatchEvent) async throws -> WatchEnd? {
        switch event {
        case .set(let object):
            guard let (key, version) = place(of: object) else { return nil }
            backoff.reset()
            if known.set(key, version: version) { await tell(read(object, key)) }
        case .deleted(let object):
            guard let (key, version) = place(of: object) else { return nil }
            backoff.reset()
            if known.remove(key, version: version) { await tell(.removed(key)) }
        case .bookmark(let version):
            backoff.reset()
            known.advance(to: version)
        case .failed(let code, let reason, _):
            return code == 410 || reason == "Expired" || reason == "Gone" ? .gone : .failed
        case .unknown: break
        }
        try Task.checkCancellation()
        return nil
    }

    private func place(of object: Value) -> (ObjectKey, version: String)? {
        let metadata = object["metadata"]
        guard let name = metadata["name"].stringValue, !name.isEmpty else { return nil }
        let type = Element.objectType
        let namespace = metadata["namespace"].stringValue ?? (type.isNamespaced ? "default" : "")
        let key = ObjectKey(
            kind: type.kind,
            namespace: type.isNamespaced ? namespace : "",
            name: name,
            group: type.keyGroup(versions.first?.group ?? "")
        )
        return (key, metadata["resourceVersion"].stringValue ?? "")
    }

    private func read(_ object: Value, _ key: ObjectKey) -> ObjectChange<Element> {
        var object = object
        // The items of a list do not say what they are.
        if object["apiVersion"] == .null, let version = versions.first?.apiVersion {
            object["apiVersion"] = .string(version)
        }
        do {
            return .set(try Element(Field(root: object)))
        } catch {
            return .refused(key, error)
        }
    }
}

extension Duration {
    // As a fraction.
    fileprivate var seconds: Double { self / .seconds(1) }
}
