internal import Synchronization

/// A number that only grows; any thread may count.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    /// Adds to the count.
    package func increment(by amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count as it is now.
    package var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down; any thread may change it.
package final class Gauge: Sendable {
    private let level = Atomic<Int64>(0)

    init() {}

    /// Changes the value by an amount, which may be negative.
    package func add(_ amount: Int64) {
        level.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Gives it a new value.
    package func set(_ value: Int64) {
        level.store(value, ordering: .relaxed)
    }

    /// The value as it is now.
    package var value: Int64 { level.load(ordering: .relaxed) }
}

/// A distribution of durations over fixed buckets; any thread may record.
package final class Histogram: Sendable {
    /// The upper bounds of the buckets in microseconds, rising; the last bucket has none.
    let boundsMicroseconds: [UInt64]
    private let buckets: [Counter]
    private let sum = Counter()

    init(boundsMicroseconds: [UInt64]) {
        self.boundsMicroseconds = boundsMicroseconds
        self.buckets = (0...boundsMicroseconds.count).map { _ in Counter() }
    }

    /// Records one duration, in nanoseconds.
    package func record(nanoseconds: UInt64) {
        let bucket =
            boundsMicroseconds.firstIndex { nanoseconds <= $0 &* 1000 } ?? boundsMicroseconds.count
        buckets[bucket].increment()
        sum.increment(by: nanoseconds)
    }

    /// How many durations fell at or below each bound, then all of them.
    var cumulative: [UInt64] {
        var total: UInt64 = 0
        return buckets.map { bucket in
            total &+= bucket.value
            return total
        }
    }

    /// The sum of all durations in nanoseconds.
    var sumNanoseconds: UInt64 { sum.value }
}
