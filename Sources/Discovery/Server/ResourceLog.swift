/// What changed of one type of resource, in order, each name once.
///
/// A client is a position in it: catching up from the start and following changes are the same,
/// and a slow client costs one number, however much changes. A change takes amortised constant
/// time: superseded slots are emptied and swept once they are the greater part.
struct ResourceLog {
    enum Content {
        case resource(EncodedResource)
        case removed(String)
        /// A namespace came to a node, or left it.
        case scope(node: String, namespace: String)
        case empty
    }

    struct Slot {
        let sequence: UInt64
        var content: Content
    }

    private(set) var slots: [Slot] = []
    /// Where each name's last change stands, removals included.
    private var positions: [String: UInt64] = [:]
    /// Resources that exist.
    private(set) var count = 0
    private var sweepAt = 1024

    /// The resource of a name, if there is one.
    subscript(name: String) -> EncodedResource? {
        guard let sequence = positions[name] else { return nil }
        let index = index(after: sequence - 1)
        guard index < slots.count, case .resource(let resource) = slots[index].content else {
            return nil
        }
        return resource
    }

    /// Adds or replaces a resource; false when it is what it was.
    mutating func set(_ resource: EncodedResource, sequence: UInt64) -> Bool {
        if let known = self[resource.name] {
            if known.version == resource.version { return false }
        } else {
            count += 1
        }
        supersede(resource.name, by: sequence)
        slots.append(Slot(sequence: sequence, content: .resource(resource)))
        return true
    }

    /// Removes a resource; nil when there was none.
    mutating func remove(_ name: String, sequence: UInt64) -> EncodedResource? {
        guard let known = self[name] else { return nil }
        count -= 1
        supersede(name, by: sequence)
        slots.append(Slot(sequence: sequence, content: .removed(name)))
        return known
    }

    /// Notes that a namespace came to a node or left it.
    mutating func note(node: String, namespace: String, sequence: UInt64) {
        let content = Content.scope(node: node, namespace: namespace)
        slots.append(Slot(sequence: sequence, content: content))
    }

    private mutating func supersede(_ name: String, by sequence: UInt64) {
        if let old = positions.updateValue(sequence, forKey: name) {
            let index = index(after: old - 1)
            if index < slots.count, slots[index].sequence == old { slots[index].content = .empty }
        }
    }

    /// The first slot behind a position.
    func index(after sequence: UInt64) -> Int {
        var low = 0
        var high = slots.count
        while low < high {
            let middle = (low + high) / 2
            if slots[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether a sweep is worth its time.
    var isSweepDue: Bool { slots.count >= sweepAt }

    /// Drops empty slots, and removals that every client at or behind `sequence` has seen.
    mutating func sweep(seenByAll sequence: UInt64) {
        slots.removeAll { slot in
            switch slot.content {
            case .resource: return false
            case .empty: return true
            case .scope: return slot.sequence <= sequence
            case .removed(let name):
                guard slot.sequence <= sequence else { return false }
                positions[name] = nil
                return true
            }
        }
        sweepAt = slots.count * 2 + 1024
    }
}
