/// Names one scheduled timer; a stale one is ignored.
package struct TimerToken: Hashable, Sendable {
    fileprivate let slot: Int
    fileprivate let generation: UInt32
}

/// A binary heap of deadlines whose cancelled entries are dropped when they surface.
struct TimerQueue {
    private struct Slot {
        var handler: (any TimerHandler)?
        var generation: UInt32
        var tag: Int
    }
    private struct Entry {
        var deadline: UInt64
        var slot: Int
        var generation: UInt32
    }

    private var slots: [Slot] = []
    private var free: [Int] = []
    private var heap: [Entry] = []
    private var live = 0

    /// The earliest deadline that may still fire.
    var next: UInt64? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    mutating func insert(deadline: UInt64, handler: any TimerHandler, tag: Int) -> TimerToken {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = slots.count
            slots.append(Slot(handler: nil, generation: 0, tag: 0))
        }
        slots[index].generation &+= 1
        slots[index].handler = handler
        slots[index].tag = tag
        live += 1
        let generation = slots[index].generation
        heap.append(Entry(deadline: deadline, slot: index, generation: generation))
        siftUp(heap.count - 1)
        return TimerToken(slot: index, generation: generation)
    }

    mutating func cancel(_ token: TimerToken) {
        guard slots[token.slot].generation == token.generation, slots[token.slot].handler != nil
        else { return }
        release(token.slot)
        // Cancelled entries may outnumber live ones after a burst: rebuild then.
        if heap.count > 1024, heap.count > 4 * live { compact() }
    }

    /// Takes the earliest timer whose time has come.
    mutating func popDue(_ now: UInt64) -> (handler: any TimerHandler, tag: Int)? {
        dropCancelled()
        guard let first = heap.first, first.deadline <= now,
            let handler = slots[first.slot].handler
        else { return nil }
        let tag = slots[first.slot].tag
        release(first.slot)
        removeFirst()
        return (handler, tag)
    }

    private mutating func release(_ slot: Int) {
        slots[slot].handler = nil
        slots[slot].generation &+= 1
        free.append(slot)
        live -= 1
    }

    private mutating func dropCancelled() {
        while let first = heap.first, slots[first.slot].generation != first.generation {
            removeFirst()
        }
    }

    private mutating func compact() {
        heap.removeAll { slots[$0.slot].generation != $0.generation }
        heap.sort { $0.deadline < $1.deadline }
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].deadline < heap[least].deadline {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
