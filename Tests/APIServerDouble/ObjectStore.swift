import Foundation
import Kubernetes
import Synchronization

/// The objects of a cluster with all their versions since the last compaction.
package final class ObjectStore: Sendable {
    /// Where an object is: its kind's storage, namespace and name.
    struct Place: Hashable, Comparable, Sendable {
        let namespace: String
        let name: String

        static func < (one: Place, other: Place) -> Bool {
            (one.namespace, one.name) < (other.namespace, other.name)
        }
    }

    /// One step in the life of an object.
    struct Change: Sendable {
        let revision: UInt64
        let place: Place
        /// Nil when it was deleted.
        let object: Value?
        /// Nil when it was made; of a deletion what was there last.
        let previous: Value?
    }

    private struct Shelf {
        var objects: [Place: Value] = [:]
        var sorted: [Place]?
        /// Ascending by revision, none before the compaction.
        var changes: [Change] = []
    }

    private struct State {
        var revision: UInt64 = 1_000
        var compacted: UInt64 = 0
        var shelves: [String: Shelf] = [:]
        var applied: [String: Value] = [:]
        var kinds: [ServedKind] = []
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    init(kinds: [ServedKind]) { state.withLock { $0.kinds = kinds } }

    /// The number of the last change.
    package var revision: UInt64 { state.withLock { $0.revision } }

    var kinds: [ServedKind] { state.withLock { $0.kinds } }

    /// Serves one more kind, in place of one with the same name.
    package func install(_ kind: ServedKind) {
        state.withLock { state in
            state.kinds.removeAll { $0.storage == kind.storage }
            state.kinds.append(kind)
        }
    }

    /// Serves a kind no more; its objects are gone.
    package func uninstall(group: String, plural: String) {
        state.withLock { state in
            state.kinds.removeAll { $0.group == group && $0.plural == plural }
            state.shelves[group + "/" + plural] = nil
        }
    }

    /// Forgets all history: watches and continuations from before now are too old.
    package func compact() {
        state.withLock { state in
            state.compacted = state.revision
            for name in state.shelves.keys { state.shelves[name]?.changes = [] }
        }
        wake()
    }

    func get(_ kind: ServedKind, _ place: Place) -> Value? {
        state.withLock { $0.shelves[kind.storage]?.objects[place] }
    }

    /// Replaces an object by what `change` makes of it, nil for none; gives what is there now.
    ///
    /// A dry run gives what would be there.
    func change(
        _ kind: ServedKind,
        _ place: Place,
        isDryRun: Bool = false,
        _ change: (Value?) throws(Refusal) -> Value?
    ) throws(Refusal) -> Value? {
        let result = try state.withLock { state throws(Refusal) in
            var shelf = state.shelves[kind.storage] ?? Shelf()
            state.shelves[kind.storage] = nil
            defer { state.shelves[kind.storage] = shelf }
            let old = shelf.objects[place]
            var new = try change(old)
            // As the API server: nothing happens when nothing changes.
            if isDryRun || new == nil && old == nil || new != nil && new == old { return new }
            state.revision += 1
            if new != nil {
                new?["metadata"]["resourceVersion"] = .string("\(state.revision)")
                if old == nil { shelf.sorted = nil }
            } else {
                shelf.sorted = nil
            }
            shelf.objects[place] = new
            var previous = old
            if new == nil {
                previous?["metadata"]["resourceVersion"] = .string("\(state.revision)")
            }
            shelf.changes.append(
                Change(
                    revision: state.revision,
                    place: place,
                    object: new,
                    previous: previous
                )
            )
            return new
        }
        wake()
        return result
    }

    /// What a manager applied to an object last.
    func applied(_ key: String) -> Value { state.withLock { $0.applied[key] ?? .null } }

    func setApplied(_ key: String, _ value: Value) { state.withLock { $0.applied[key] = value } }

    /// A page of objects after a place, as of a revision.
    func list(
        _ kind: ServedKind,
        at revision: UInt64?,
        after: Place?,
        limit: Int,
        _ selectors: Selectors
    ) throws(Refusal) -> (objects: [Value], revision: UInt64, next: Place?) {
        try state.withLock { state throws(Refusal) in
            let revision = revision ?? state.revision
            guard revision >= state.compacted else {
                throw Refusal(
                    410,
                    "Expired",
                    "The provided continue parameter is too old to display a consistent list"
                )
            }
            guard var shelf = state.shelves[kind.storage] else { return ([], revision, nil) }
            if revision == state.revision || (shelf.changes.last?.revision ?? 0) <= revision {
                if shelf.sorted == nil {
                    shelf.sorted = shelf.objects.keys.sorted()
                    state.shelves[kind.storage]?.sorted = shelf.sorted
                }
                return Self.page(
                    shelf.sorted ?? [],
                    revision: revision,
                    after: after,
                    limit: limit,
                    selectors
                ) { shelf.objects[$0] }
            }
            var objects = shelf.objects
            for change in shelf.changes.reversed() where change.revision > revision {
                objects[change.place] = change.previous
            }
            return Self.page(
                objects.keys.sorted(),
                revision: revision,
                after: after,
                limit: limit,
                selectors
            ) { objects[$0] }
        }
    }

    private static func page(
        _ places: [Place],
        revision: UInt64,
        after: Place?,
        limit: Int,
        _ selectors: Selectors,
        _ object: (Place) -> Value?
    ) -> (objects: [Value], revision: UInt64, next: Place?) {
        var found: [Value] = []
        var start = 0
        if let after {
            var end = places.count
            while start < end {
                let middle = (start + end) / 2
                if places[middle] <= after { start = middle + 1 } else { end = middle }
            }
        }
        for index in start..<places.count {
            guard let value = object(places[index]), selectors.selects(value) else { continue }
            if limit > 0, found.count == limit {
                return (found, revision, places[index - 1])
            }
            found.append(value)
        }
        return (found, revision, nil)
    }

    /// The changes of a kind after a revision, at most `limit`; nil when they are kept no more.
    func changes(_ kind: ServedKind, after revision: UInt64, limit: Int) -> [Change]? {
        state.withLock { state in
            guard revision >= state.compacted else { return nil }
            let changes = state.shelves[kind.storage]?.changes ?? []
            var (start, end) = (0, changes.count)
            while start < end {
                let middle = (start + end) / 2
                if changes[middle].revision <= revision { start = middle + 1 } else { end = middle }
            }
            return Array(changes[start...].prefix(limit))
        }
    }

    /// Returns after the next change of anything, or when woken.
    func waitForChange(after revision: UInt64) async {
        await withCheckedContinuation { continuation in
            let isDue = state.withLock { state in
                if state.revision > revision { return true }
                state.waiting.append(continuation)
                return false
            }
            if isDue { continuation.resume() }
        }
    }

    /// Makes all that wait look again.
    func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
