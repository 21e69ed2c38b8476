internal import Synchronization

/// Counts of the control plane's server, for its metrics page.
package final class DiscoveryMetrics: Sendable {
    /// The counts at one moment.
    package struct Values: Sendable, Equatable {
        /// Streams open now.
        package var connections = 0
        /// Streams opened.
        package var connectionsTotal = 0
        /// Calls refused for their token, identity or a limit.
        package var refusedTotal = 0
        /// Responses sent, by type URL.
        package var pushesTotal: [String: Int] = [:]
        /// Bytes of responses sent, by type URL.
        package var pushedBytesTotal: [String: Int] = [:]
        /// Resources sent and names removed, by type URL.
        package var pushedResourcesTotal: [String: Int] = [:]
        /// Responses refused by clients, by type URL.
        package var nacksTotal: [String: Int] = [:]
        /// Clients cut off because they fell too far behind.
        package var laggingTotal = 0
        /// From a change to its acknowledgement by one client.
        package var pushLatency = LatencyHistogram()
        /// Certificates signed.
        package var certificatesTotal = 0
        /// Requests for a certificate that were refused, by what was wrong.
        package var certificatesRefused: [CertificateRefusal: Int] = [:]
        /// All of them.
        package var certificatesRefusedTotal: Int { certificatesRefused.values.reduce(0, +) }
    }

    private let values = Mutex(Values())

    /// Starts at zero.
    package init() {}

    /// The counts now.
    package var current: Values { values.withLock { $0 } }

    func change(_ body: (inout Values) -> Void) {
        values.withLock { body(&$0) }
    }
}

/// What is wrong with a request for a certificate, as the label of a metric.
package enum CertificateRefusal: String, Hashable, Sendable, CaseIterable {
    /// The caller asks for too many.
    case rate
    /// It names no identity, or one of another trust domain.
    case identity
    /// The identity is not the caller's to have.
    case notAllowed = "not-allowed"
    /// The request itself is no good, or there is nobody to sign it.
    case notSigned = "not-signed"
}

/// Durations sorted into buckets.
package struct LatencyHistogram: Sendable, Equatable {
    /// Upper bounds in seconds; one more bucket holds what is longer.
    package static let bounds: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// How many fell into each bucket, not cumulated; one more than there are bounds.
    package private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
    package private(set) var sumSeconds = 0.0

    /// Nothing recorded yet.
    package init() {}

    /// Records one.
    package mutating func record(seconds: Double) {
        let index = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        counts[index] += 1
        sumSeconds += seconds
    }
}
