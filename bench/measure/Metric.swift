/// One kind of load that is put on a contender.
package enum Metric: String, CaseIterable, Codable, Sendable {
    case throughput1 = "throughput-1"
    case throughput8 = "throughput-8"
    case requests1 = "requests-1"
    case requests16 = "requests-16"
    case requests64 = "requests-64"
    case rate2000 = "rate-2000"
    case besideBulk = "beside-bulk"
    case connections
    case sameNode = "same-node"
    case memory
    case node50 = "node-50"
    case burst
    case mesh10 = "mesh-10"
    case mesh1000 = "mesh-1000"
    case mesh100000 = "mesh-100000"
    case policies1000 = "policies-1000"
    case idle250 = "idle-250"

    /// Where a metric is measured: each scene is built, measured and ended by itself.
    package enum Scene: Sendable {
        /// All contenders side by side, round after round.
        case contest
        /// One node proxy with many pods, against as many sidecars.
        case fullNode
        /// Contenders that have carried nothing, in a lab of their own.
        case burst
        /// One pair of pods in meshes of different sizes.
        case meshSizes
        /// A node with many enrolled pods that do nothing.
        case idleNode
    }

    /// The scene this metric belongs to.
    package var scene: Scene {
        switch self {
        case .throughput1, .throughput8, .requests1, .requests16, .requests64, .rate2000,
            .besideBulk, .connections, .sameNode, .memory:
            .contest
        case .node50: .fullNode
        case .burst: .burst
        case .mesh10, .mesh1000, .mesh100000, .policies1000: .meshSizes
        case .idle250: .idleNode
        }
    }

    /// Whether the number of requests is given, and everybody's is the same.
    package var isFixedRate: Bool { self == .rate2000 || self == .besideBulk }

    /// What a heading calls it.
    package var title: String {
        switch self {
        case .throughput1: "Throughput, 1 connection"
        case .throughput8: "Throughput, 8 connections"
        case .requests1: "Requests, 1 connection"
        case .requests16: "Requests, 16 connections"
        case .requests64: "Requests, 64 connections"
        case .rate2000: "2,000 requests/s over 16 connections"
        case .besideBulk: "2,000 requests/s beside one bulk stream"
        case .connections: "New connections, 16 at a time"
        case .sameNode: "Throughput on one node, 1 connection"
        case .memory: "Memory of both proxies"
        case .node50: "Memory of a node with 50 pods"
        case .burst: "A burst of 5,000 connections"
        case .mesh10: "Mesh of 10 workloads, 1 policy"
        case .mesh1000: "Mesh of 1,000 workloads, 1 policy"
        case .mesh100000: "Mesh of 100,000 workloads, 1 policy"
        case .policies1000: "Mesh of 10 workloads, 1,000 policies"
        case .idle250: "A node with 250 idle pods"
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
    case warmMegabytes = "warm RSS MB"
    case peakMegabytes = "peak RSS MB"
    case afterMegabytes = "RSS MB 60 s after"
    case idlePercent = "% of a core"
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
