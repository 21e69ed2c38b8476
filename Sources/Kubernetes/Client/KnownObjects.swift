/// What has been told of the objects of one kind, by which lists and watches become differences.
///
/// Holds a key and a resourceVersion for each object, not the objects.
package struct KnownObjects: Sendable {
    private var versions: [ObjectKey: String] = [:]
    // The keys seen by the list under way.
    private var seen: Set<ObjectKey> = []
    /// Where a watch goes on from; empty before the first list.
    package private(set) var resourceVersion = ""

    /// Knows nothing.
    package init() {}

    /// How many objects there are.
    package var count: Int { versions.count }

    /// Whether a state is older than what was told, so that taking it would go back in time.
    ///
    /// Versions that are no numbers are never older.
    package func isStale(_ version: String) -> Bool { Self.isOlder(version, than: resourceVersion) }

    /// A list begins, or begins anew.
    package mutating func beginList() { seen.removeAll(keepingCapacity: true) }

    /// An object in the list; true when it is to be told.
    package mutating func list(_ key: ObjectKey, version: String) -> Bool {
        seen.insert(key)
        return versions.updateValue(version, forKey: key) != version || version.isEmpty
    }

    /// The list is whole; gives the objects that are gone.
    package mutating func endList(resourceVersion: String) -> [ObjectKey] {
        let gone = versions.keys.filter { !seen.contains($0) }
        for key in gone { versions[key] = nil }
        seen = []
        self.resourceVersion = resourceVersion
        return gone
    }

    /// An event says that an object is there; true when it is to be told.
    package mutating func set(_ key: ObjectKey, version: String) -> Bool {
        advance(to: version)
        if let known = versions[key], !version.isEmpty,
            known == version || Self.isOlder(version, than: known)
        {
            return false
        }
        versions[key] = version
        return true
    }

    /// An event says that an object is gone; true when it is to be told.
    package mutating func remove(_ key: ObjectKey, version: String) -> Bool {
        advance(to: version)
        guard let known = versions[key], !Self.isOlder(version, than: known) else { return false }
        versions[key] = nil
        return true
    }

    /// An event says that nothing happened up to a version.
    package mutating func advance(to version: String) {
        if !version.isEmpty, !isStale(version) { resourceVersion = version }
    }

    private static func isOlder(_ one: String, than other: String) -> Bool {
        guard let one = UInt64(one), let other = UInt64(other) else { return false }
        return one < other
    }
}
