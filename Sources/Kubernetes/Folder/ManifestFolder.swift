internal import Foundation
internal import Reactor
internal import Synchronization

/// A cluster that is a folder of manifests, watched as its files change.
///
/// A file with a mistake keeps the objects it had while it was right, and the mistake is told. What
/// programs write (status, events, leases) stays in memory and is told to a file of JSON lines.
/// Safe to use from any task.
package final class ManifestFolder: Cluster {
    /// Where things are; all but the folder may be left out.
    package struct Paths: Sendable {
        /// Files `*.yaml`, `*.yml` and `*.json` in it are read, folders in it are not.
        package var folder: String
        /// Where writes are told, one JSON object a line; empty for nowhere.
        package var writes: String = ""
        /// Who has which token: a JSON list of `token`, `username`, `audiences`, `podName`,
        /// `podUID`, `nodeName` and `expires`; empty for nobody.
        package var tokens: String = ""

        package init(folder: String) { self.folder = folder }
    }

    private struct State: Sendable {
        var objects = FolderObjects()
        var problems: [String: [ManifestProblem]] = [:]
        var subscriptions: [Int: Subscription] = [:]
        var lastSubscription = 0
    }

    private struct Subscription: Sendable {
        let wants: @Sendable (FolderKey) -> Int?
        let tell: @Sendable (FolderObjects.Step, Int) -> Void
    }

    private let paths: Paths
    private let onProblem: @Sendable ([ManifestProblem]) -> Void
    private let state = Mutex(State())
    private let writes: WriteLog
    private let watch = Mutex<FolderWatch?>(nil)
    // Held while files are read, so that what was read later counts.
    private let reading = Mutex(())

    /// Reads the folder and watches it from then on; fails when that cannot be.
    ///
    /// `onProblem` gets all that is wrong with the files, each time that changes; none when all
    /// is right again. It runs on the folder's thread.
    package init(
        _ paths: Paths,
        onProblem: @escaping @Sendable ([ManifestProblem]) -> Void = { _ in }
    ) throws {
        self.paths = paths
        self.onProblem = onProblem
        writes = WriteLog(path: paths.writes)
        let watch = try FolderWatch(paths.folder) { [weak self] changes in self?.take(changes) }
        self.watch.withLock { $0 = watch }
        take([.overflow])
    }

    deinit { watch.withLock { $0?.stop() } }

    /// All that is wrong with the files now, in the order of their names.
    package var problems: [ManifestProblem] { state.withLock { Self.all($0.problems) } }

    private static func all(_ problems: [String: [ManifestProblem]]) -> [ManifestProblem] {
        problems.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    // Reads what changed; may run on the folder's thread and in `init`.
    private func take(_ changes: [WatchedFolder.Change]) {
        var names: Set<String> = []
        for change in changes {
            switch change {
            case .written(let name), .removed(let name):
                // A ConfigMap's files are links through a folder that is replaced as a whole.
                if name.hasPrefix("..") { return takeAll() }
                names.insert(name)
            case .created(let name):
                let path = paths.folder + "/" + name
                if (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil {
                    names.insert(name)
                }
            case .overflow: return takeAll()
            }
        }
        reading.withLock { _ in
            for name in names.sorted() where Self.isManifest(name) { read(name) }
        }
    }

    private func takeAll() {
        reading.withLock { _ in readAll() }
    }

    private func readAll() {
        let found = (try? FileManager.default.contentsOfDirectory(atPath: paths.folder)) ?? []
        let known = state.withLock { Set($0.problems.keys) }
        for name in Set(found).union(known).sorted() where Self.isManifest(name) { read(name) }
    }

    private static func isManifest(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private func read(_ name: String) {
        let path = paths.folder + "/" + name
        guard FileManager.default.fileExists(atPath: path) else {
            settle(name, file: nil, problems: nil)
            return
        }
        do {
            let bytes = try WatchedFile.contents(
                path,
                bytesMax: YAMLDocuments.Limit.fileBytesMax
            )
            let file = ManifestFile(bytes, name: name)
            settle(name, file: file.problems.isEmpty ? file : nil, problems: file.problems)
        } catch {
            let place = ManifestPlace(file: name, document: 0, line: 1)
            settle(name, file: nil, problems: [ManifestProblem(place: place, reason: "\(error)")])
        }
    }

    // Nil problems for a file that is gone.
    private func settle(_ name: String, file: ManifestFile?, problems: [ManifestProblem]?) {
        let told: [ManifestProblem]? = state.withLock { state in
            let before = Self.all(state.problems)
            state.problems[name] = problems
            if file != nil || problems == nil {
                let result = state.objects.take(file, name: name)
                if file != nil { state.problems[name] = result.problems }
                Self.tell(result.steps, state)
            }
            let after = Self.all(state.problems)
            return before == after ? nil : after
        }
        if let told { onProblem(told) }
    }

    private static func tell(_ steps: [FolderObjects.Step], _ state: State) {
        for step in steps {
            for subscription in state.subscriptions.values {
                if let source = subscription.wants(step.key) { subscription.tell(step, source) }
            }
        }
    }
}

extension ManifestFolder {
    package func changes<Element: Object>(
        of type: Element.Type,
        in selection: ObjectSelection
    ) -> AsyncStream<ObjectChange<Element>> {
        let queue = ChangeQueue<Element>()
        let groups = Element.objectType.groups
        let overlap = Overlap<Element>(groups: groups)
        let subscription = Subscription { key in
            key.kind == Element.objectType.kind ? groups.firstIndex(of: key.group) : nil
        } tell: { step, source in
            guard let change = Self.change(step, selection, Element.self) else { return }
            overlap.take(change, from: source) { queue.add($0) }
        }
        let id = state.withLock { state in
            state.lastSubscription += 1
            state.subscriptions[state.lastSubscription] = subscription
            for (key, object) in state.objects.objects.sorted(by: { $0.key < $1.key }) {
                guard let source = subscription.wants(key) else { continue }
                subscription.tell(FolderObjects.Step(key: key, old: nil, new: object), source)
            }
            for source in groups.indices {
                overlap.take(.synced, from: source) { queue.add($0) }
            }
            return state.lastSubscription
        }
        return queue.stream { [weak self] in
            // Nothing to do but to wait for the end.
            while !Task.isCancelled { try? await Pause.wait(for: .seconds(3_600)) }
            self?.state.withLock { $0.subscriptions[id] = nil }
        }
    }

    private static func change<Element: Object>(
        _ step: FolderObjects.Step,
        _ selection: ObjectSelection,
        _ type: Element.Type
    ) -> ObjectChange<Element>? {
        let key = ObjectKey(
            kind: step.key.kind,
            namespace: step.key.namespace,
            name: step.key.name,
            group: Element.objectType.keyGroup(step.key.group)
        )
        guard let new = step.new, selection.selects(new) else {
            return step.old.map(selection.selects) == true ? .removed(key) : nil
        }
        do {
            return .set(try Element(Field(root: new)))
        } catch {
            return .refused(key, error)
        }
    }

    package func get(_ reference: ObjectReference) async throws(ClusterError) -> Value? {
        state.withLock { $0.objects.objects[FolderKey(reference)] }
    }

    package func list(
        _ resource: Resource,
        in selection: ObjectSelection
    ) async throws(ClusterError) -> [Value] {
        state.withLock { state in
            state.objects.objects.filter { key, object in
                key.kind == resource.kind && key.group == resource.group
                    && selection.selects(object)
            }.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    package func create(_ object: Value) async throws(ClusterError) -> Value {
        let (key, object) = try Self.keyed(object)
        return try write("create", key, object) { objects throws(ClusterError) in
            guard let step = objects.create(key, object) else {
                throw ClusterError(.alreadyExists, "\(key.kind) \(key.name) already exists")
            }
            return step
        }
    }

    package func update(_ object: Value) async throws(ClusterError) -> Value {
        let (key, object) = try Self.keyed(object)
        return try write("update", key, object) { objects throws(ClusterError) in
            try Self.compare(object, objects.objects[key], key)
            return objects.replace(key, object)
        }
    }

    package func apply(
        _ object: Value,
        subresource: String,
        fieldManager: String
    ) async throws(ClusterError) -> Value {
        let (key, object) = try Self.keyed(object)
        return try write("apply", key, object) { objects throws(ClusterError) in
            if objects.objects[key] == nil, subresource.isEmpty {
                return objects.create(key, object)
            }
            try Self.compare(object, objects.objects[key], key)
            return objects.patch(key, Self.limited(object, to: subresource))
        }
    }

    package func patch(
        _ reference: ObjectReference,
        subresource: String,
        with patch: Value
    ) async throws(ClusterError) -> Value {
        let key = FolderKey(reference)
        return try write("patch", key, patch) { objects throws(ClusterError) in
            try Self.compare(patch, objects.objects[key], key)
            return objects.patch(key, Self.limited(patch, to: subresource))
        }
    }

    package func delete(_ reference: ObjectReference) async throws(ClusterError) {
        let key = FolderKey(reference)
        state.withLock { state in
            guard let step = state.objects.delete(key) else { return }
            Self.tell([step], state)
        }
        writes.add("delete", key, .null)
    }

    package func review(
        token: String,
        audiences: [String]
    ) async throws(ClusterError) -> TokenReview {
        guard !paths.tokens.isEmpty else {
            throw ClusterError(.unavailable, "there is no file of tokens to review by")
        }
        do {
            let tokens = try TokenFile(try SmallFile.read(paths.tokens))
            return tokens.review(token, audiences, seconds: WallClock.nanoseconds() / 1_000_000_000)
        } catch {
            throw ClusterError(.unavailable, "\(paths.tokens): \(error)")
        }
    }

    private func write(
        _ operation: String,
        _ key: FolderKey,
        _ written: Value,
        _ change: (inout FolderObjects) throws(ClusterError) -> FolderObjects.Step?
    ) throws(ClusterError) -> Value {
        let now = try state.withLock { state throws(ClusterError) in
            if let step = try change(&state.objects) { Self.tell([step], state) }
            return state.objects.objects[key]
        }
        guard let now else {
            throw ClusterError(.notFound, "\(key.text) not found")
        }
        writes.add(operation, key, written)
        return now
    }

    private static func keyed(_ object: Value) throws(ClusterError) -> (FolderKey, Value) {
        guard let keyed = FolderKey.keyed(object) else {
            throw ClusterError(.invalid, "an object needs apiVersion, kind and metadata.name")
        }
        return keyed
    }

    private static func compare(
        _ new: Value,
        _ old: Value?,
        _ key: FolderKey
    ) throws(ClusterError) {
        let wanted = new["metadata"]["resourceVersion"]
        guard let old, wanted != .null, wanted != old["metadata"]["resourceVersion"] else { return }
        throw ClusterError(.conflict, "\(key.kind) \(key.name) has been changed since")
    }

    // A subresource changes its own part only.
    private static func limited(_ patch: Value, to subresource: String) -> Value {
        subresource.isEmpty ? patch : .map([subresource: patch[subresource]])
    }
}
