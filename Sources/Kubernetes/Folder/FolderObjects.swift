internal import Reactor

/// The objects of a folder's files, and what programs wrote over them.
///
/// What a program writes stays in memory: as an object of its own, or as a patch over a file's
/// object that survives changes of the file and ends with the object.
struct FolderObjects: Sendable {
    /// An object that changed, as it was and as it is.
    struct Step: Sendable {
        let key: FolderKey
        let old: Value?
        let new: Value?
    }

    private var files: [String: ManifestFile] = [:]
    // For each object the files that have it, in their order; the first counts.
    private var holders: [FolderKey: [String]] = [:]
    private var fromFile: [FolderKey: Value] = [:]
    private var patches: [FolderKey: Value] = [:]
    private var made: [FolderKey: Value] = [:]
    /// What counts: files, patches and what programs made together.
    private(set) var objects: [FolderKey: Value] = [:]
    private var version: UInt64 = 1

    /// Takes a file in place of what it held before; nil when it is gone.
    ///
    /// Gives what that changes, and which of its objects another file has already.
    mutating func take(
        _ file: ManifestFile?,
        name: String
    ) -> (steps: [Step], problems: [ManifestProblem]) {
        var touched: Set<FolderKey> = []
        for entry in files[name]?.entries ?? [] {
            touched.insert(entry.key)
            holders[entry.key]?.removeAll { $0 == name }
            if holders[entry.key]?.isEmpty == true { holders[entry.key] = nil }
        }
        files[name] = file
        for entry in file?.entries ?? [] {
            touched.insert(entry.key)
            holders[entry.key] = ((holders[entry.key] ?? []) + [name]).sorted()
        }
        var problems: [ManifestProblem] = []
        for entry in file?.entries ?? [] {
            guard let first = holders[entry.key]?.first, first != name else { continue }
            problems.append(
                ManifestProblem(
                    place: entry.place,
                    object: entry.key.text,
                    reason: "the object is already defined in \(first)"
                )
            )
        }
        return (touched.sorted().compactMap { settle($0) }, problems)
    }

    // Works out again what counts for a key; nil when that is what counted before.
    private mutating func settle(_ key: FolderKey) -> Step? {
        let source = holders[key]?.first
        let object = source.flatMap { files[$0]?.object(key) }
        fromFile[key] = object
        if object != nil {
            made[key] = nil
        } else if made[key] == nil {
            patches[key] = nil
        }
        return publish(key, object.map { MergePatch.merge(patches[key] ?? .map([:]), into: $0) })
    }

    /// Makes an object; nil when there is one.
    mutating func create(_ key: FolderKey, _ object: Value) -> Step? {
        guard objects[key] == nil else { return nil }
        made[key] = object
        return publish(key, object)
    }

    /// Replaces or patches an object that is there.
    mutating func patch(_ key: FolderKey, _ patch: Value) -> Step? {
        guard let old = objects[key] else { return nil }
        let new = MergePatch.merge(patch, into: old)
        if let object = fromFile[key] {
            patches[key] = MergePatch.compose(patches[key] ?? .map([:]), patch)
            return publish(key, MergePatch.merge(patches[key] ?? .map([:]), into: object))
        }
        made[key] = new
        return publish(key, new)
    }

    /// Replaces an object that is there with another.
    mutating func replace(_ key: FolderKey, _ object: Value) -> Step? {
        guard let old = objects[key] else { return nil }
        if fromFile[key] == nil {
            made[key] = object
            return publish(key, object)
        }
        return patch(key, Self.difference(from: old, to: object))
    }

    /// Deletes an object; one of a file comes back when its file changes.
    mutating func delete(_ key: FolderKey) -> Step? {
        made[key] = nil
        patches[key] = nil
        return publish(key, nil)
    }

    private mutating func publish(_ key: FolderKey, _ object: Value?) -> Step? {
        let old = objects[key]
        guard var new = object else {
            objects[key] = nil
            return old == nil ? nil : Step(key: key, old: old, new: nil)
        }
        let kept = old?["metadata"] ?? .null
        for name in ["resourceVersion", "generation"] { new["metadata"][name] = kept[name] }
        for name in ["uid", "creationTimestamp"] where new["metadata"][name] == .null {
            new["metadata"][name] = kept[name]
        }
        if let old, old == new { return nil }
        version += 1
        new["metadata"]["resourceVersion"] = .string("\(version)")
        if new["metadata"]["uid"] == .null {
            new["metadata"]["uid"] = .string("\(key.kind.lowercased())-\(version)")
        }
        let isSame = old.map { Self.specification($0) == Self.specification(new) } ?? false
        let generation = kept["generation"].integerValue ?? 0
        new["metadata"]["generation"] = .integer(isSame ? generation : generation + 1)
        if new["metadata"]["creationTimestamp"] == .null {
            new["metadata"]["creationTimestamp"] = .string(
                Timestamp.text(nanoseconds: WallClock.nanoseconds())
            )
        }
        objects[key] = new
        return Step(key: key, old: old, new: new)
    }

    private static func specification(_ object: Value) -> Value {
        var object = object
        object["metadata"] = .null
        object["status"] = .null
        return object
    }

    // The merge patch that makes one of the other.
    private static func difference(from old: Value, to new: Value) -> Value {
        guard case .map(let before) = old, case .map(let after) = new else { return new }
        var patch: [String: Value] = [:]
        for (name, value) in after where before[name] != value {
            patch[name] = before[name].map { difference(from: $0, to: value) } ?? value
        }
        for name in before.keys where after[name] == nil { patch[name] = .null }
        return .map(patch)
    }
}
