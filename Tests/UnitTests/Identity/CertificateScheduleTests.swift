import Identity
import Mesh
import Testing

@Suite struct `A certificate schedule` {
    private static let second: Int64 = 1_000_000_000
    private static let start = 1_700_000_000 * second
    private static let hour = 3600 * second

    private func id(_ name: String) -> SPIFFEID {
        SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: name)
    }

    @Test func `fetches what is wanted at once, each once`() {
        var schedule = CertificateSchedule()
        #expect(schedule.want([id("a"), id("b")], now: Self.start) == [])
        let first = schedule.take(now: Self.start, onDemandOnly: false)
        let second = schedule.take(now: Self.start, onDemandOnly: false)
        #expect(Set([first, second]) == [id("a"), id("b")])
        #expect(schedule.take(now: Self.start, onDemandOnly: false) == nil)
    }

    @Test func `fetches on demand before prefetches, and those before renewals`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        _ = schedule.want([id("held")], now: Self.start)
        #expect(schedule.take(now: Self.start, onDemandOnly: false) == id("held"))
        let known = schedule.succeeded(
            id("held"),
            expiresAt: Self.start + 10 * Self.second,
            now: Self.start,
            using: &random
        )
        #expect(known)
        let later = Self.start + 6 * Self.second
        _ = schedule.want([id("held"), id("fresh")], now: Self.start + Self.second)
        #expect((schedule.request(id("urgent"), now: later)) == true)
        #expect(schedule.take(now: later, onDemandOnly: true) == id("urgent"))
        #expect(schedule.take(now: later, onDemandOnly: true) == nil)
        #expect(schedule.take(now: later, onDemandOnly: false) == id("fresh"))
        #expect(schedule.take(now: later, onDemandOnly: false) == id("held"))
        #expect(schedule.take(now: later, onDemandOnly: false) == nil)
    }

    @Test func `renews at half life, give or take a tenth`() {
        var random = SystemRandomNumberGenerator()
        var delays: Set<Int64> = []
        for _ in 0..<200 {
            var schedule = CertificateSchedule()
            _ = schedule.want([id("a")], now: Self.start)
            _ = schedule.take(now: Self.start, onDemandOnly: false)
            _ = schedule.succeeded(
                id("a"),
                expiresAt: Self.start + 24 * Self.hour,
                now: Self.start,
                using: &random
            )
            let due = schedule.nextEvent(now: Self.start, onDemandOnly: false) ?? 0
            delays.insert(due - Self.start)
            #expect(schedule.take(now: due - 1, onDemandOnly: false) == nil)
            #expect(schedule.take(now: due, onDemandOnly: false) == id("a"))
        }
        #expect(delays.allSatisfy { (10.8 * 3600e9...13.2 * 3600e9).contains(Double($0)) })
        #expect(delays.count > 100)
    }

    @Test func `backs off from half a second to 150, and begins anew after a success`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        var now = Self.start
        _ = schedule.want([id("a")], now: now)
        for attempt in 0..<40 {
            #expect(schedule.take(now: now, onDemandOnly: false) == id("a"))
            schedule.failed(id("a"), now: now, using: &random)
            let due = schedule.nextEvent(now: now, onDemandOnly: false) ?? 0
            let nominal = min(0.5e9 * Double(UInt64(1) << UInt64(min(attempt, 20))), 150e9)
            #expect((nominal * 0.79...nominal * 1.21).contains(Double(due - now)), "\(attempt)")
            #expect(schedule.take(now: due - 1, onDemandOnly: false) == nil)
            now = due
        }
        #expect(schedule.take(now: now, onDemandOnly: false) == id("a"))
        _ = schedule.succeeded(
            id("a"),
            expiresAt: now + 10 * Self.second,
            now: now,
            using: &random
        )
        #expect(schedule.outlook(id("a"))?.failures == 0)
    }

    @Test func `lets waiting traffic shorten a wait to a second, not below`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        var now = Self.start
        _ = schedule.want([id("a")], now: now)
        for _ in 0..<12 {
            _ = schedule.take(now: now, onDemandOnly: false)
            schedule.failed(id("a"), now: now, using: &random)
            now = schedule.nextEvent(now: now, onDemandOnly: false) ?? now
        }
        _ = schedule.take(now: now, onDemandOnly: false)
        schedule.failed(id("a"), now: now, using: &random)
        for _ in 0..<1000 { #expect((schedule.request(id("a"), now: now + 1)) == true) }
        #expect(schedule.take(now: now + Self.second - 1, onDemandOnly: true) == nil)
        #expect(schedule.take(now: now + Self.second, onDemandOnly: true) == id("a"))
    }

    @Test func `tries what failed within a second when the source is there again`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        var now = Self.start
        _ = schedule.want([id("a"), id("b")], now: now)
        #expect(schedule.take(now: now, onDemandOnly: false) != nil)
        #expect(schedule.take(now: now, onDemandOnly: false) != nil)
        let end = now + 86_400 * Self.second
        _ = schedule.succeeded(id("b"), expiresAt: end, now: now, using: &random)
        for _ in 0..<12 {
            schedule.failed(id("a"), now: now, using: &random)
            now = schedule.nextEvent(now: now, onDemandOnly: false) ?? now
            #expect(schedule.take(now: now, onDemandOnly: false) == id("a"))
        }
        schedule.failed(id("a"), now: now, using: &random)
        #expect(schedule.take(now: now + 100 * Self.second, onDemandOnly: false) == nil)
        schedule.retryFailed(now: now, using: &random)
        // The good one waits for its half life as before.
        #expect(schedule.take(now: now + Self.second, onDemandOnly: false) == id("a"))
        #expect(schedule.take(now: now + Self.second, onDemandOnly: false) == nil)
    }

    @Test func `keeps a good certificate while renewals fail, then lets it expire once`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        let end = Self.start + 10 * Self.second
        _ = schedule.want([id("a")], now: Self.start)
        _ = schedule.take(now: Self.start, onDemandOnly: false)
        _ = schedule.succeeded(id("a"), expiresAt: end, now: Self.start, using: &random)
        let half = Self.start + 6 * Self.second
        #expect(schedule.take(now: half, onDemandOnly: false) == id("a"))
        schedule.failed(id("a"), now: half, using: &random)
        #expect(schedule.expire(now: end - 1) == [])
        #expect(schedule.expire(now: end) == [id("a")])
        #expect(schedule.expire(now: end) == [])
        #expect(schedule.take(now: end, onDemandOnly: false) == id("a"))
    }

    @Test func `forgets the departed, and their late answers`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        _ = schedule.want([id("a"), id("b")], now: Self.start)
        _ = schedule.take(now: Self.start, onDemandOnly: false)
        _ = schedule.take(now: Self.start, onDemandOnly: false)
        #expect(schedule.want([id("b")], now: Self.start) == [id("a")])
        let end = Self.start + Self.hour
        let knowsA = schedule.succeeded(id("a"), expiresAt: end, now: Self.start, using: &random)
        let knowsB = schedule.succeeded(id("b"), expiresAt: end, now: Self.start, using: &random)
        #expect(!knowsA)
        #expect(knowsB)
        schedule.failed(id("a"), now: Self.start, using: &random)
        #expect(schedule.identities == [id("b")])
    }

    @Test func `keeps one that traffic asked for just before it was wanted`() {
        var schedule = CertificateSchedule()
        #expect((schedule.request(id("new"), now: Self.start)) == true)
        #expect(schedule.want([], now: Self.start + Self.second) == [])
        #expect(schedule.want([], now: Self.start + 61 * Self.second) == [id("new")])
    }

    @Test func `does not wait longer when the clock is set back`() {
        var random = SystemRandomNumberGenerator()
        var schedule = CertificateSchedule()
        _ = schedule.want([id("a")], now: Self.start)
        _ = schedule.take(now: Self.start, onDemandOnly: false)
        schedule.failed(id("a"), now: Self.start, using: &random)
        let back = Self.start - 24 * Self.hour
        let next = schedule.nextEvent(now: back, onDemandOnly: false) ?? .max
        #expect(next <= back + 180 * Self.second)
    }

    @Test func `has a limit`() {
        var schedule = CertificateSchedule()
        let many = (0..<CertificateSchedule.identitiesMax).map { id("s\($0)") }
        _ = schedule.want(Set(many), now: Self.start)
        #expect((schedule.request(id("more"), now: Self.start)) == false)
        #expect((schedule.request(many[0], now: Self.start)) == true)
    }
}
