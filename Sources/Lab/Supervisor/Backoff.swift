/// How long to wait before something that ended by itself is started again.
package struct Backoff {
    /// The first delay and the longest, in milliseconds.
    static let delayMin: UInt64 = 100
    static let delayMax: UInt64 = 5_000
    /// Running for so many nanoseconds makes the next delay the first again.
    package static let steadyTime: UInt64 = 10_000_000_000

    private var next = delayMin

    /// Makes one whose next delay is the first.
    package init() {}

    /// The delay in milliseconds after a run of so many nanoseconds.
    package mutating func delay(afterRunning time: UInt64) -> UInt64 {
        if time >= Self.steadyTime { next = Self.delayMin }
        defer { next = min(next * 2, Self.delayMax) }
        return next
    }
}
