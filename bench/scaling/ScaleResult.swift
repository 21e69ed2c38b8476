internal import Foundation

/// The raw numbers of a run.
struct ScaleResult: Codable {
    /// One size of cluster.
    struct Size: Codable {
        let pods: Int
        var workloads: Int?
        /// From the controller's start to its serving all objects.
        var fillSeconds: Double?
        var fillCPUSeconds: Double?
        var controllerBytes: Double?
        /// Processor time of one of many changes with nobody following: index and store.
        var changeMicroseconds: Double?
        /// From a node's start to its holding all.
        var syncSeconds: Double?
        var syncCPUSeconds: Double?
        /// Over the node's size before it held anything.
        var nodeBytes: Double?
        var firstSnapshotMilliseconds: Double?
        /// The snapshot of one change.
        var snapshotMicroseconds: Double?
        /// Processor time of a node for one change that comes alone.
        var nodeMicroseconds: Double?
        /// The same at a thousand changes a second.
        var nodeRateMicroseconds: Double?
        /// Processor time of the controller for one of a thousand changes a second to one node.
        var rateMicroseconds: Double?
        var pushes: [Push] = []

        init(pods: Int) { self.pods = pods }
    }

    /// One number of nodes that follow.
    struct Push: Codable {
        let nodes: Int
        var syncSeconds: Double?
        /// From a change to the last node's acknowledgement.
        var latencyMilliseconds: Double?
        var latencyP99Milliseconds: Double?
        /// Processor time of the controller for one change, to all of them.
        var cpuMicrosecondsPerChange: Double?
        var bytesPerChangeAndNode: Double?

        init(nodes: Int) { self.nodes = nodes }
    }

    /// A pair of real nodes that carry traffic.
    struct Traffic: Codable {
        let pods: Int
        /// A node's resident bytes with the lab's two pods only.
        var idleBytes: Double?
        /// With the whole mesh, just started.
        var heldBytes: Double?
        /// After the changes.
        var busyBytes: Double?
        /// From a restart to readiness, with two pods and with the whole mesh.
        var startSeconds: Double?
        var fullStartSeconds: Double?
        var quiet: [Round] = []
        var busy: [Round] = []

        init(pods: Int) { self.pods = pods }

        /// The median of a round's number.
        static func median(_ rounds: [Round], _ value: (Round) -> Double) -> Double? {
            rounds.isEmpty ? nil : Gauge.median(rounds.map(value))
        }
    }

    /// One measurement of traffic.
    struct Round: Codable {
        let p50Microseconds: Double
        let p99Microseconds: Double
        /// Processors that one node takes.
        let nodeProcessors: Double
        /// Resources that each node was sent.
        let changesPerSecond: Double
    }

    /// What judging a connection takes with so many policies.
    struct Decision: Codable {
        let policies: Int
        let spreadMicroseconds: Double
        let togetherMicroseconds: Double
    }

    let date: String
    let cores: Int
    let machine: String
    var sizes: [Size] = []
    var traffic: Traffic?
    var decisions: [Decision] = []

    init() {
        date = ISO8601DateFormatter().string(from: Date())
        cores = ProcessInfo.processInfo.activeProcessorCount
        let names = Gauge.text("/proc/cpuinfo").split(separator: "\n")
        let model = names.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        machine = (model ?? "").trimmingCharacters(in: .whitespaces)
    }

    func write(to file: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        var text = try encoder.encode(self)
        text.append(UInt8(ascii: "\n"))
        try text.write(to: file)
    }
}
