/// How many requests each caller may make: a burst, refilled steadily.
///
/// Pure, the time is passed in.
struct RequestAllowance: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    /// Callers remembered; full ones are forgotten first.
    static let callersMax = 20_000

    let burst: Int
    let perSecond: Double
    private var buckets: [Caller: Bucket] = [:]

    init(burst: Int, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }

    /// Takes one request off a caller's allowance; false when it is used up.
    mutating func take(_ caller: Caller, now: ContinuousClock.Instant) -> Bool {
        if buckets[caller] == nil, buckets.count >= Self.callersMax { forget(now: now) }
        guard buckets[caller] != nil || buckets.count < Self.callersMax else { return false }
        let full = Double(burst)
        var bucket = buckets[caller] ?? Bucket(tokens: full, filledAt: now)
        bucket.tokens = filled(bucket, now: now)
        bucket.filledAt = now
        defer { buckets[caller] = bucket }
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }

    private func filled(_ bucket: Bucket, now: ContinuousClock.Instant) -> Double {
        min(Double(burst), bucket.tokens + (now - bucket.filledAt) / .seconds(1) * perSecond)
    }

    private mutating func forget(now: ContinuousClock.Instant) {
        buckets = buckets.filter { filled($0.value, now: now) < Double(burst) }
    }
}
