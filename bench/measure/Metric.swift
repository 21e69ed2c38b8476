/// One kind of load that is put on a contender.
package enum Metric: String, CaseIterable, Codable, Sendable {
    case throughput1 = "throughput-1"
    case throughput8 = "throughput-8"
    case requests1 = "requests-1"
    case requests16 = "requests-16"
    case requests64 = "requests-64"
    case rate2000 = "rate-2000"
    case connections
    case sameNode = "same-node"
    case memory
    case node50 = "node-50"

    /// What a heading calls it.
    package var title: String {
        switch self {
        case .throughput1: "Throughput, 1 connection"
        case .throughput8: "Throughput, 8 connections"
        case .requests1: "Requests, 1 connection"
        case .requests16: "Requests, 16 connections"
        case .requests64: "Requests, 64 connections"
        case .rate2000: "2,000 requests/s over 16 connections"
        case .connections: "New connections, 16 at a time"
        case .sameNode: "Throughput on one node, 1 connection"
        case .memory: "Memory of both proxies"
        case .node50: "Memory of a node with 50 pods"
        }
    }
}

/// One number that a metric gives, in the unit of its name.
package enum Figure: String, CaseIterable, Codable, Sendable {
    case gigabitsPerSecond = "Gbit/s"
    case requestsPerSecond = "requests/s"
    case connectionsPerSecond = "connections/s"
    case p50Microseconds = "p50 µs"
    case p99Microseconds = "p99 µs"
    case proxySecondsPerGigabyte = "proxies s/GB"
    case machineSecondsPerGigabyte = "machine s/GB"
    case proxyMicrosecondsPerRequest = "proxies µs/request"
    case machineMicrosecondsPerRequest = "machine µs/request"
    case proxyMicrosecondsPerConnection = "proxies µs/connection"
    case machineMicrosecondsPerConnection = "machine µs/connection"
    case idleMegabytes = "idle RSS MB"
    case idleProportionalMegabytes = "idle PSS MB"
    case kilobytesPerConnection = "KB/idle connection"
    case nodeMegabytes = "RSS MB"
    case nodeProportionalMegabytes = "PSS MB"
    case errors = "errors"

    /// Whether more is better.
    package var isGain: Bool {
        switch self {
        case .gigabitsPerSecond, .requestsPerSecond, .connectionsPerSecond: true
        default: false
        }
    }
}

/// A row of the result: a figure of a metric.
package struct Quantity: Hashable, Sendable {
    package let metric: Metric
    package let figure: Figure

    package init(_ metric: Metric, _ figure: Figure) {
        self.metric = metric
        self.figure = figure
    }
}
