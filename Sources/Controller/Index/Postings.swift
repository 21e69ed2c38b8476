/// For each key its members: what has to be looked at again when the key changes.
///
/// Adding, removing and looking up cost the same however many keys there are.
struct Postings<Key: Hashable & Sendable, Member: Hashable & Sendable>: Sendable {
    private var lists: [Key: Set<Member>] = [:]

    /// The members of a key.
    subscript(key: Key) -> Set<Member> { lists[key] ?? [] }

    /// How many members a key has.
    func count(of key: Key) -> Int { lists[key]?.count ?? 0 }

    /// The keys that have members.
    var keys: Dictionary<Key, Set<Member>>.Keys { lists.keys }

    mutating func insert(_ member: Member, for key: Key) {
        lists[key, default: []].insert(member)
    }

    mutating func remove(_ member: Member, for key: Key) {
        lists[key]?.remove(member)
        if lists[key]?.isEmpty == true { lists[key] = nil }
    }

    /// Moves a member from its former keys to others.
    mutating func move(
        _ member: Member,
        from old: some Collection<Key>,
        to new: some Collection<Key>
    ) {
        for key in old { remove(member, for: key) }
        for key in new { insert(member, for: key) }
    }
}

/// A label of the objects of one namespace.
struct LabelPair: Sendable, Hashable {
    let namespace: String
    let key: String
    let value: String
}

/// What names an object among those of its kind.
package struct NamespacedName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// The namespaces' order, in them the names'.
    package static func < (one: NamespacedName, two: NamespacedName) -> Bool {
        (one.namespace, one.name) < (two.namespace, two.name)
    }

    /// `namespace/name`.
    package var description: String { namespace + "/" + name }
}
