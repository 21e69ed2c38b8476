package import Mesh
package import Telemetry

/// What an operator decides for a node: read once, before anything is bound, and then immutable.
///
/// Each value comes from the strongest place that gives it: a flag, else the environment, else the
/// file, else the default. Times are in milliseconds.
package struct NodeConfiguration: Sendable, Equatable {
    /// How two pods of one node talk.
    package enum SameNode: String, Sendable, CaseIterable {
        /// Socket to socket in this process, under the same policy.
        case splice
        /// Through a tunnel, as to another node.
        case encrypt
    }

    /// What becomes of certificates whose issuer's revocation list is out of date.
    package enum OutdatedLists: String, Sendable, CaseIterable {
        /// They are refused until there is another list.
        case refuse
        /// What the list revokes is refused, and nothing else.
        case keep
    }

    package var nodeName = ""
    package var meshStatePath = ""
    package var podsPath = ""
    package var signerSocketPath = ""
    /// A file of revocation lists; empty to take them from the control plane.
    package var revocationsPath = ""
    package var outdatedLists = OutdatedLists.refuse
    package var trustDomain = "cluster.local"
    package var clusterID = "Kubernetes"
    package var network = ""
    package var clusterDomain = "cluster.local"

    /// Data path threads; 0 means one for two processors, at least one and at most eight.
    package var workerThreads = 0
    package var sameNode = SameNode.splice
    package var preservesClientAddress = true
    package var answersDNS = true
    package var dnsTimeoutMilliseconds: UInt64 = 5000
    /// Forwarded DNS queries that may wait for an answer, in each worker.
    package var dnsPendingMax = 1024

    package var connectTimeoutMilliseconds: UInt64 = 10_000
    package var handshakeTimeoutMilliseconds: UInt64 = 10_000
    /// Endpoints that are tried before a connection is refused.
    package var dialAttemptsMax = 3
    package var handshakesPerPodMax = 256
    package var connectionsPerPodMax = 65_536
    package var streamsPerConnectionMax = 100
    package var idleTunnelTimeoutMilliseconds: UInt64 = 300_000
    package var pingIntervalMilliseconds: UInt64 = 10_000
    package var pingTimeoutMilliseconds: UInt64 = 20_000
    package var drainDeadlineMilliseconds: UInt64 = 30_000

    package var certificateLifetimeMilliseconds: UInt64 = 24 * 3_600_000

    /// Always a loopback address.
    package var adminAddress = SocketAddress(IPAddress(v4: 0x7F00_0001), 15_000)
    package var metricsAddress = SocketAddress(IPAddress(v6High: 0, low: 0), 15_020)
    package var readinessAddress = SocketAddress(IPAddress(v6High: 0, low: 0), 15_021)
    /// A Unix socket where readiness of this very process is asked for, however many processes of
    /// the node share the address; empty for none.
    package var readinessSocketPath = ""

    /// The control plane that is followed.
    package var controlPlane = ControlPlaneConfiguration()
    /// How the agent beside the data path reaches its world.
    package var agent = AgentConfiguration()

    package var logLevels = LogLevels()
    package var logFormat = LogFormat.text
    package var logQueueBytesMax = 1 << 20
    package var writesAccessLog = true
    package var metricSeriesMax = 10_000
    package var metricGraceMilliseconds: UInt64 = 300_000

    /// The defaults; a node's name and its files have none.
    package init() {}
}

/// What is wrong with a configuration, all of it at once.
package struct ConfigurationFailure: Error, Equatable, CustomStringConvertible {
    /// The exit status of a program that was started with it: EX_USAGE of sysexits.
    package static let exitStatus: Int32 = 64

    /// One thing that is wrong.
    package struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// The key, or the argument or file where there is none.
        package let key: String
        package let reason: String
        /// Where the value stands; nil when it stands nowhere.
        package let origin: NodeConfiguration.Origin?

        /// One line: the key, the reason and the place.
        package var description: String {
            guard let origin else { return "\(key): \(reason)" }
            return "\(key): \(reason) (\(origin))"
        }
    }

    package let problems: [Problem]

    /// Makes a failure of problems found while reading.
    package init(problems: [Problem]) { self.problems = problems }

    /// Makes a failure of one value that turned out not to work.
    package init(key: String, reason: String) {
        problems = [Problem(key: key, reason: reason, origin: nil)]
    }

    /// One line for each problem.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

extension NodeConfiguration {
    /// Where a value was given.
    package enum Origin: Sendable, Equatable, CustomStringConvertible {
        case file(path: String, line: Int)
        case environment(String)
        case flag(String)

        /// The place, as a message names it.
        package var description: String {
            switch self {
            case .file(let path, let line): "\(path):\(line)"
            case .environment(let name): "environment variable \(name)"
            case .flag(let name): "flag \(name)"
            }
        }
    }
}
