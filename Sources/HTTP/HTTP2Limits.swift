/// How often something may happen: `burst` at once, then `perSecond`.
package struct HTTP2Budget: Sendable, Equatable {
    /// How many times at once.
    package var burst: UInt32
    /// How many more times each second.
    package var perSecond: UInt32

    /// Makes a budget.
    package init(burst: UInt32, perSecond: UInt32) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// What one HTTP/2 connection may take; values in bytes unless named otherwise.
package struct HTTP2Limits: Sendable, Equatable {
    /// SETTINGS_INITIAL_WINDOW_SIZE we announce: smaller windows cost throughput (MEASURED.md).
    package var streamWindowBytes: Int32 = 4 << 20
    /// The connection's receive window; four stream windows, so that one stream cannot fill it.
    package var connectionWindowBytes: Int32 = 16 << 20
    /// SETTINGS_MAX_FRAME_SIZE we announce.
    package var frameBytesMax = 1 << 20
    /// SETTINGS_MAX_HEADER_LIST_SIZE we announce and enforce; also bounds an encoded block.
    package var headerListBytesMax = 64 << 10
    /// Fields in one list; cookie crumbs are fields of their own.
    package var headerFieldsMax = 256
    /// CONTINUATION frames behind one HEADERS.
    package var continuationsMax = 8
    /// SETTINGS_MAX_CONCURRENT_STREAMS we announce as a server.
    package var streamsMax = 200
    /// Payload handed out and not yet `released`, over all streams.
    ///
    /// Above it the connection window is not returned until consumers catch up. It is a multiple of
    /// the connection window, so that a few stalled streams do not stall the rest.
    package var unreleasedBytesMax = 64 << 20
    /// Queued answers (acknowledgements, resets) a peer may cause without reading them.
    package var outputBytesMax = 256 << 10
    /// Streams the peer resets before we answered them (rapid reset).
    package var earlyResets = HTTP2Budget(burst: 500, perSecond: 100)
    /// Streams that we reset because the peer broke a rule or went over `streamsMax`.
    package var provokedResets = HTTP2Budget(burst: 250, perSecond: 20)
    /// PING, SETTINGS, PRIORITY, unknown frames, surplus WINDOW_UPDATE, frames of closed streams.
    package var controlFrames = HTTP2Budget(burst: 2000, perSecond: 500)
    /// DATA frames without payload that do not end their stream.
    package var emptyData = HTTP2Budget(burst: 1000, perSecond: 100)

    /// The limits of a server of HBONE.
    package static let server = HTTP2Limits()

    /// The limits of a client of HBONE: responses have few fields.
    package static let client: HTTP2Limits = {
        var limits = HTTP2Limits()
        limits.headerListBytesMax = 16 << 10
        return limits
    }()

    /// Makes the default limits.
    package init() {}
}

/// A budget being spent.
///
/// Time is passed in, in nanoseconds of any monotonic clock.
struct TokenBucket {
    private let budget: HTTP2Budget
    private var tokens: UInt64
    private var refilledAt: UInt64

    private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

    init(_ budget: HTTP2Budget, now: UInt64) {
        self.budget = budget
        tokens = UInt64(budget.burst)
        refilledAt = now
    }

    /// Takes `cost` tokens; false when there are not so many.
    mutating func take(_ cost: UInt64 = 1, now: UInt64) -> Bool {
        if tokens < cost {
            refill(now)
        }
        guard tokens >= cost else { return false }
        tokens -= cost
        return true
    }

    private mutating func refill(_ now: UInt64) {
        guard now > refilledAt, budget.perSecond > 0 else { return }
        let (product, isHuge) = (now - refilledAt)
            .multipliedReportingOverflow(by: UInt64(budget.perSecond))
        let earned = isHuge ? UInt64(budget.burst) : product / Self.nanosecondsPerSecond
        guard earned > 0 else { return }
        tokens = min(UInt64(budget.burst), tokens &+ min(earned, UInt64(budget.burst)))
        refilledAt = now
    }
}
