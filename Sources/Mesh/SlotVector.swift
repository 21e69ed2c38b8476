/// Records in numbered slots; a copy shares all it does not change.
///
/// One change copies a few nodes of 16, of which none is larger in a larger mesh. A record that
/// takes another's slot keeps its number, so that indexes over the slots need no change.
struct SlotVector<Record: AnyObject & Sendable>: Sendable {
    private enum Node: Sendable {
        case leaf([Record?])
        case inner([Node])
    }

    private static var bits: Int { 4 }
    private static var mask: Int { 15 }
    private static var freeRunMax: Int { 1024 }

    private var root = Node.leaf([])
    /// How many bits of a number the nodes below the root read.
    private var shift = 0
    /// The number of slots that were ever used.
    private var used = 0
    /// Slots that nobody has any more, in runs of at most `freeRunMax`.
    private var free: [[UInt32]] = []
    /// How many records there are.
    private(set) var count = 0

    /// The record in a slot; nil for one that is free.
    subscript(slot: UInt32) -> Record? {
        var index = shift
        var node = root
        while true {
            switch node {
            case .inner(let children):
                let child = (Int(slot) >> index) & Self.mask
                guard children.indices.contains(child) else { return nil }
                node = children[child]
                index -= Self.bits
            case .leaf(let records):
                let place = Int(slot) & Self.mask
                return records.indices.contains(place) ? records[place] : nil
            }
        }
    }

    /// Puts a record into a slot of its own.
    mutating func insert(_ record: Record) -> UInt32 {
        count += 1
        let slot = takeFree() ?? nextSlot()
        Self.set(&root, shift, Int(slot), record)
        return slot
    }

    /// Puts another record into a slot that has one.
    mutating func replace(_ slot: UInt32, with record: Record) {
        Self.set(&root, shift, Int(slot), record)
    }

    /// Empties a slot that has a record.
    mutating func remove(_ slot: UInt32) {
        count -= 1
        Self.set(&root, shift, Int(slot), nil)
        if let last = free.last, last.count < Self.freeRunMax {
            free[free.count - 1].append(slot)
        } else {
            free.append([slot])
        }
    }

    /// All records, in no order.
    var all: [Record] {
        var all: [Record] = []
        all.reserveCapacity(count)
        Self.collect(root, &all)
        return all
    }

    private mutating func takeFree() -> UInt32? {
        guard var last = free.popLast(), let slot = last.popLast() else { return nil }
        if !last.isEmpty { free.append(last) }
        return slot
    }

    private mutating func nextSlot() -> UInt32 {
        if used > 0, used >> (shift + Self.bits) > 0 {
            root = .inner([root])
            shift += Self.bits
        }
        used += 1
        return UInt32(used - 1)
    }

    // A node is taken out of its place while it is changed, so that it is copied only when shared.
    private static func set(_ node: inout Node, _ shift: Int, _ slot: Int, _ record: Record?) {
        switch node {
        case .inner(var children):
            node = .leaf([])
            let child = (slot >> shift) & mask
            while children.count <= child {
                children.append(shift > bits ? .inner([]) : .leaf([]))
            }
            set(&children[child], shift - bits, slot, record)
            node = .inner(children)
        case .leaf(var records):
            node = .leaf([])
            let place = slot & mask
            if records.isEmpty { records.reserveCapacity(mask + 1) }
            while records.count <= place { records.append(nil) }
            records[place] = record
            node = .leaf(records)
        }
    }

    private static func collect(_ node: Node, _ all: inout [Record]) {
        switch node {
        case .inner(let children): for child in children { collect(child, &all) }
        case .leaf(let records): for case let record? in records { all.append(record) }
        }
    }
}
