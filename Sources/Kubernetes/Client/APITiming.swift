/// How long an API server may take, and when it is asked again.
package struct APITiming: Sendable {
    /// From a request to its answer's last byte.
    package var requestTimeout: Duration = .seconds(60)
    package var connectTimeout: Duration = .seconds(10)
    /// Silence on a watch after which it is opened anew, as its connection may be lost.
    ///
    /// An API server sends a bookmark every minute where something happens, and promises none
    /// elsewhere.
    package var watchSilence: Duration = .seconds(150)
    /// How long a watch is asked for; the server ends it then, and it is asked for anew.
    package var watchDuration: ClosedRange<Duration> = .seconds(300) ... .seconds(600)
    /// The wait after the first failure; it doubles with each further one.
    package var backoffMin: Duration = .milliseconds(500)
    package var backoffMax: Duration = .seconds(30)
    /// How old credentials read from files may be.
    package var credentialsAge: Duration = .seconds(10)

    /// What suits a cluster.
    package init() {}
}

/// Waits that double and are never the same for two clients.
struct Backoff: Sendable {
    private let min: Duration
    private let max: Duration
    private(set) var failures = 0

    init(_ timing: APITiming) {
        min = timing.backoffMin
        max = timing.backoffMax
    }

    /// The next wait: from half to the whole of what is due.
    mutating func next() -> Duration {
        let doublings = Swift.min(failures, 16)
        failures = Swift.min(failures + 1, 1_000)
        return Swift.min(max, min * (1 << doublings)) * Double.random(in: 0.5...1)
    }

    /// Things work again.
    mutating func reset() { failures = 0 }
}
