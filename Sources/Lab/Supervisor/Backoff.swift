/// How long to wait before something that ended by itself is started again.
struct Backoff {
    /// The first delay and the longest, in milliseconds.
    static let delayMin: UInt64 = 100
    static let delayMax: UInt64 = 5_000
    /// Running for so many nanoseconds makes the next delay the first again.
    static let steadyTime: UInt64 = 10_000_000_000

    private var next = delayMin

    /// The delay in milliseconds after a run of so many nanoseconds.
    mutating func delay(afterRunning time: UInt64) -> UInt64 {
        if time >= Self.steadyTime { next = Self.delayMin }
        defer { next = min(next * 2, Self.delayMax) }
        return next
    }
}
