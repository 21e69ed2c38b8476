/// Bytes in order that wait for a peer that is not ready, freed as soon as they are gone.
struct PendingBytes {
    private var storage: [UInt8] = []
    private var head = 0

    /// How many bytes wait.
    var count: Int { storage.count - head }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        unsafe storage.append(contentsOf: bytes)
    }

    /// Calls `body` with the bytes that wait, then drops as many as it returns.
    mutating func consume(_ body: (UnsafeRawBufferPointer) -> Int) {
        let taken = unsafe storage.withUnsafeBytes { raw in
            let start = min(head, raw.count)
            return unsafe body(UnsafeRawBufferPointer(rebasing: raw[start...]))
        }
        head += min(taken, count)
        if head == storage.count {
            // A new array, so that a burst's memory goes back.
            storage = []
            head = 0
        } else if head > 1 << 18, head > storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() {
        storage = []
        head = 0
    }
}
