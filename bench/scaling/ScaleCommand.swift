internal import ArgumentParser
internal import Foundation

/// `bench/scale`.
struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench/scale",
        abstract: "Measure how controller and node grow with the cluster.",
        discussion: """
            A controller serves a simulated cluster of each size; clients follow it from other \
            processes over TLS on the loopback: one node with the whole mesh, and many that only \
            acknowledge. As root it also carries real traffic between two nodes of a lab that hold \
            the largest mesh.
            """,
        subcommands: [
            MeasureCommand.self, ControlCommand.self, LabControlCommand.self, FollowCommand.self,
            HoldCommand.self,
        ],
        defaultSubcommand: MeasureCommand.self
    )
}

/// Measures every size and says which bars hold.
struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "measure", shouldDisplay: false)

    @Option(
        help: "The numbers of pods, by commas. (default 1000,10000,100000; with --quick 300,1000)"
    )
    var pods: String?

    @Option(help: "How many nodes follow, by commas. (default 10,50; with --quick 5)")
    var nodes: String?

    @Flag(help: "Leave out the lab, which takes root.")
    var withoutTraffic = false

    @Flag(help: "Small sizes and short runs: whether it works, not how well.")
    var quick = false

    @Option(help: "Where to write the raw numbers as JSON.")
    var json: String?

    @Flag(help: "Write bench/results/scale.json and the tables of bench/README.md.")
    var publish = false

    func run() throws {
        let plan = ScalePlan(
            pods: try Self.numbers(pods ?? (quick ? "300,1000" : "1000,10000,100000"), "pods"),
            nodes: try Self.numbers(nodes ?? (quick ? "5" : "10,50"), "nodes"),
            changes: quick ? 10 : 50,
            seconds: quick ? 1 : 3,
            policies: quick ? [10, 1_000] : [10, 10_000],
            measuresTraffic: !withoutTraffic && Gauge.isRoot,
            rounds: quick ? 1 : 9,
            roundSeconds: quick ? 1 : 4
        )
        if !withoutTraffic, !Gauge.isRoot {
            Terminal.tell("without root there is no lab: traffic is not measured")
        }
        let result = try ScaleMeasurement(plan).run()
        let report = ScaleReport(result)
        if let json { try result.write(to: URL(fileURLWithPath: json)) }
        if publish { try report.publish() }
        print(report.text(), terminator: "")
        let failed = report.failures
        guard failed.isEmpty || quick else {
            Terminal.tell("missed: " + failed.joined(separator: "; "))
            throw ExitCode(1)
        }
    }

    private static func numbers(_ text: String, _ option: String) throws -> [Int] {
        let numbers = text.split(separator: ",").map { Int($0) ?? 0 }
        guard !numbers.isEmpty, numbers.allSatisfy({ (1...1_000_000).contains($0) }) else {
            throw ValidationError("--\(option) must be numbers from 1 to 1000000, found \(text)")
        }
        return numbers
    }
}

/// What is measured.
struct ScalePlan {
    /// How fast the mesh changes in a busy while.
    static let changesPerSecond = 1_000

    let pods: [Int]
    let nodes: [Int]
    /// How many single changes are made at a time.
    let changes: Int
    /// How long a thousand changes a second are made.
    let seconds: Int
    /// With how many policies a connection is judged.
    let policies: [Int]
    /// Whether there is a lab.
    let measuresTraffic: Bool
    /// How often traffic is measured in quiet and in changes.
    let rounds: Int
    let roundSeconds: Int
}

/// What goes wrong in a run, in words for who runs it.
struct ScaleFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What is said beside the result.
enum Terminal {
    static func tell(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
