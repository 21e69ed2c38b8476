package import Mesh

/// Decides which identity's certificate is fetched next, and when; pure, the time is passed in.
///
/// Times are wall-clock nanoseconds. On-demand requests go first, then identities that have
/// nothing, then renewals; among equals the one due longest. A certificate is renewed at half its
/// remaining life ± 10 %. After a failure the wait is 0.5 s, doubled each time up to 150 s, ± 20 %;
/// traffic that waits shortens it to 1 s since the last attempt.
package struct CertificateSchedule: Sendable {
    private struct Entry {
        var isWanted = false
        var requestedAt: Int64?
        var isOnDemand = false
        var isFetching = false
        var dueAt: Int64
        var attemptedAt: Int64?
        var failures = 0
        var expiresAt: Int64?
    }

    /// Identities one node may hold: far more than service accounts fit on it.
    package static let identitiesMax = 4096
    static let second: Int64 = 1_000_000_000
    private static let backoffFirst = second / 2
    private static let backoffMax = 150 * second
    private static let onDemandInterval = second
    /// How long an identity asked for outlives its absence from `want`: the two may race.
    private static let requestGrace = 60 * second

    private var entries: [SPIFFEID: Entry] = [:]

    /// Knows nobody yet.
    package init() {}

    /// The identities known, in no order.
    package var identities: [SPIFFEID] { Array(entries.keys) }

    /// Sets whom to keep certificates for; returns those no longer known.
    package mutating func want(_ identities: Set<SPIFFEID>, now: Int64) -> [SPIFFEID] {
        var forgotten: [SPIFFEID] = []
        for (identity, entry) in entries where !identities.contains(identity) {
            entries[identity]?.isWanted = false
            if let requested = entry.requestedAt, now - requested < Self.requestGrace { continue }
            forgotten.append(identity)
            entries[identity] = nil
        }
        for identity in identities where makeRoom(for: identity, now: now) {
            entries[identity]?.isWanted = true
        }
        return forgotten
    }

    /// Traffic waits for an identity; false when there is no room for another one.
    package mutating func request(_ identity: SPIFFEID, now: Int64) -> Bool {
        guard makeRoom(for: identity, now: now), var entry = entries[identity] else {
            return false
        }
        entry.requestedAt = now
        if entry.expiresAt == nil {
            entry.isOnDemand = true
            let soonest = entry.attemptedAt.map { $0 + Self.onDemandInterval } ?? now
            entry.dueAt = min(entry.dueAt, max(now, soonest))
        }
        entries[identity] = entry
        return true
    }

    /// Takes the next identity to fetch, if one is due; the taker reports the outcome.
    package mutating func take(now: Int64, onDemandOnly: Bool) -> SPIFFEID? {
        var best: (identity: SPIFFEID, rank: Int, dueAt: Int64)?
        for (identity, entry) in entries where !entry.isFetching {
            if onDemandOnly && !entry.isOnDemand { continue }
            let dueAt = clamped(entry, now: now)
            guard dueAt <= now else { continue }
            let rank = entry.isOnDemand ? 0 : entry.expiresAt == nil ? 1 : 2
            if let best, (best.rank, best.dueAt) <= (rank, dueAt) { continue }
            best = (identity, rank, dueAt)
        }
        guard let taken = best?.identity else { return nil }
        entries[taken]?.isFetching = true
        entries[taken]?.attemptedAt = now
        return taken
    }

    /// A fetch gave a certificate that is good until `expiresAt`; false when nobody wants it now.
    package mutating func succeeded(
        _ identity: SPIFFEID,
        expiresAt: Int64,
        now: Int64,
        using random: inout some RandomNumberGenerator
    ) -> Bool {
        guard var entry = entries[identity] else { return false }
        entry.isFetching = false
        entry.isOnDemand = false
        entry.failures = 0
        entry.expiresAt = expiresAt
        let half = Double(max(0, expiresAt - now)) / 2
        entry.dueAt = now + Int64(half * Double.random(in: 0.9...1.1, using: &random))
        entries[identity] = entry
        return true
    }

    /// A fetch failed; what is held stays until it expires.
    package mutating func failed(
        _ identity: SPIFFEID,
        now: Int64,
        using random: inout some RandomNumberGenerator
    ) {
        guard var entry = entries[identity] else { return }
        entry.isFetching = false
        entry.isOnDemand = false
        entry.failures = min(entry.failures + 1, 32)
        let factor = Double(UInt64(1) << UInt64(entry.failures - 1))
        let delay = min(Double(Self.backoffFirst) * factor, Double(Self.backoffMax))
        entry.dueAt = now + Int64(delay * Double.random(in: 0.8...1.2, using: &random))
        entries[identity] = entry
    }

    /// The source is there again: what failed is tried within a second, however long its wait.
    package mutating func retryFailed(
        now: Int64,
        using random: inout some RandomNumberGenerator
    ) {
        for (identity, entry) in entries where entry.failures > 0 {
            entries[identity]?.failures = 1
            let soon = now + Int64.random(in: 0..<Self.second, using: &random)
            entries[identity]?.dueAt = min(entry.dueAt, soon)
        }
    }

    /// A certificate is worth nothing any more: another one is due at once.
    package mutating func revoked(_ identity: SPIFFEID, now: Int64) {
        entries[identity]?.expiresAt = nil
        entries[identity]?.dueAt = now
    }

    /// Forgets certificates whose time is over and returns their identities, due at once.
    package mutating func expire(now: Int64) -> [SPIFFEID] {
        var expired: [SPIFFEID] = []
        for (identity, entry) in entries {
            guard let end = entry.expiresAt, end <= now else { continue }
            entries[identity]?.expiresAt = nil
            expired.append(identity)
        }
        return expired
    }

    /// When something is next to be done: a fetch of the kind, or an expiry; nil for never.
    package func nextEvent(now: Int64, onDemandOnly: Bool) -> Int64? {
        var next: Int64?
        for entry in entries.values {
            if let end = entry.expiresAt { next = min(next ?? end, end) }
            if entry.isFetching || onDemandOnly && !entry.isOnDemand { continue }
            let dueAt = clamped(entry, now: now)
            next = min(next ?? dueAt, dueAt)
        }
        return next
    }

    /// When the identity is next tried, and how often it failed since it last did not.
    package func outlook(_ identity: SPIFFEID) -> (dueAt: Int64, failures: Int)? {
        entries[identity].map { ($0.dueAt, $0.failures) }
    }

    /// A clock set back must not stretch a wait beyond the longest there is.
    private func clamped(_ entry: Entry, now: Int64) -> Int64 {
        guard entry.expiresAt == nil else { return entry.dueAt }
        return min(entry.dueAt, now + Self.backoffMax * 6 / 5)
    }

    private mutating func makeRoom(for identity: SPIFFEID, now: Int64) -> Bool {
        if entries[identity] != nil { return true }
        guard entries.count < Self.identitiesMax else { return false }
        entries[identity] = Entry(dueAt: now)
        return true
    }
}
