/// Finds slots by the hash of a key; a copy shares all it does not change.
///
/// Holds numbers only, so that copying a node copies bytes. Several slots may have one hash, and
/// who asks checks the records. A hash tree of 16 ways whose leaves hold up to `leafMax` slots.
struct SlotIndex: Sendable {
    private enum Node: Sendable {
        /// Half a hash and a slot each.
        case leaf([UInt64])
        case inner([Node])
    }

    private static let leafMax = 32
    private static let ways = 16
    /// The lowest level has used up the half of the hash that is kept; its leaves only grow.
    private static let levelMax = 8

    private var root = Node.leaf([])

    /// A hash for one key, seeded anew with each process.
    static func hash(_ key: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(key)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }

    /// A hash for a key of two parts.
    static func hash(_ first: some Hashable, _ second: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(first)
        hasher.combine(second)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }

    /// Calls `body` with each slot of a hash until it returns false.
    func search(_ hash: UInt64, _ body: (UInt32) -> Bool) {
        var node = root
        var level = 0
        while true {
            switch node {
            case .inner(let children):
                node = children[Self.way(hash, level)]
                level += 1
            case .leaf(let entries):
                for entry in entries where (entry ^ hash) >> 32 == 0 {
                    guard body(UInt32(truncatingIfNeeded: entry)) else { return }
                }
                return
            }
        }
    }

    /// Adds a slot to a hash.
    mutating func insert(_ slot: UInt32, _ hash: UInt64) {
        Self.insert(&root, 0, Self.entry(hash, slot))
    }

    /// Takes a slot from a hash.
    mutating func remove(_ slot: UInt32, _ hash: UInt64) {
        Self.remove(&root, 0, Self.entry(hash, slot))
    }

    private static func entry(_ hash: UInt64, _ slot: UInt32) -> UInt64 {
        hash & ~UInt64(UInt32.max) | UInt64(slot)
    }

    private static func way(_ hash: UInt64, _ level: Int) -> Int {
        Int(truncatingIfNeeded: hash >> (60 - 4 * UInt64(level))) & (ways - 1)
    }

    private static func insert(_ node: inout Node, _ level: Int, _ entry: UInt64) {
        switch node {
        case .inner(var children):
            node = .leaf([])
            insert(&children[way(entry, level)], level + 1, entry)
            node = .inner(children)
        case .leaf(var entries):
            node = .leaf([])
            entries.append(entry)
            node =
                entries.count > leafMax && level < levelMax
                ? .inner(split(entries, level)) : .leaf(entries)
        }
    }

    private static func split(_ entries: [UInt64], _ level: Int) -> [Node] {
        var leaves = [[UInt64]](repeating: [], count: ways)
        for entry in entries { leaves[way(entry, level)].append(entry) }
        return leaves.map { .leaf($0) }
    }

    // Nodes that have become empty stay: the next arrivals use them again.
    private static func remove(_ node: inout Node, _ level: Int, _ entry: UInt64) {
        switch node {
        case .inner(var children):
            node = .leaf([])
            remove(&children[way(entry, level)], level + 1, entry)
            node = .inner(children)
        case .leaf(var entries):
            node = .leaf([])
            if let place = entries.firstIndex(of: entry) {
                entries.swapAt(place, entries.count - 1)
                entries.removeLast()
            }
            node = .leaf(entries)
        }
    }
}
