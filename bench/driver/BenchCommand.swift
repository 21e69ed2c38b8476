internal import ArgumentParser
internal import Bench
internal import Foundation

/// `bench/run`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench/run",
        abstract: "Measure Ambit beside Envoy sidecars, plain relays and no mesh.",
        discussion: """
            All contenders run on one lab of two nodes and are measured in turn, round after \
            round. The medians are printed with their ratios and the bars of the project.
            """
    )

    @Flag(help: "One short round of the main contenders and metrics.")
    var quick = false

    @Option(help: "The contenders, by commas: \(Self.list(ContenderName.self)).")
    var only: NameList<ContenderName>?

    @Option(name: .customLong("metric"), help: "The metrics, by commas: \(Self.list(Metric.self)).")
    var metrics: NameList<Metric>?

    @Option(help: "How often each measurement is made. (default 3; 1 with --quick)")
    var rounds: Int?

    @Option(help: "How long each measurement takes. (default 5; 2 with --quick)")
    var seconds: Int?

    @Option(help: "The congestion control of every pod and node: reno or cubic.")
    var congestion = "reno"

    @Option(help: "The ambit-node to measure, instead of the one just built.")
    var ambitNode: String?

    @Option(help: "Another ambit-node, measured beside the first as ambit-b.")
    var compare: String?

    @Option(
        help:
            "Where to write the raw numbers, medians and ratios as JSON. (default: told at the end)"
    )
    var json: String?

    @Option(help: "Read such a file instead of measuring.")
    var from: String?

    @Flag(help: "Write bench/results and the tables of bench/README.md.")
    var publish = false

    private static let quickMetrics: [Metric] = [
        .throughput1, .throughput8, .requests16, .requests64, .rate2000, .besideBulk, .connections,
    ]

    private static func list<Name: CaseIterable & RawRepresentable>(_: Name.Type) -> String
    where Name.RawValue == String {
        Name.allCases.map(\.rawValue).joined(separator: ", ")
    }

    func validate() throws {
        for (name, value) in [("rounds", rounds), ("seconds", seconds)] {
            if let value, !(1...60).contains(value) {
                throw ValidationError("--\(name) must be from 1 to 60, found \(value)")
            }
        }
        guard ["cubic", "reno"].contains(congestion) else {
            throw ValidationError("--congestion must be cubic or reno, found \(congestion)")
        }
        for program in [ambitNode, compare].compactMap({ $0 })
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw ValidationError("\(program) is not a program")
        }
        if let from, !FileManager.default.isReadableFile(atPath: from) {
            throw ValidationError("cannot read \(from)")
        }
        if only?.names.contains(.ambitB) == true, compare == nil {
            throw ValidationError("ambit-b is the program that --compare names")
        }
    }

    private var plan: Plan {
        var contenders = only?.names ?? ContenderName.allCases
        if only == nil, quick { contenders.removeAll { $0 == .envoyHBONE } }
        contenders.removeAll { $0 == .ambitB }
        if compare != nil { contenders.append(.ambitB) }
        return Plan(
            contenders: contenders,
            metrics: metrics?.names ?? (quick ? Self.quickMetrics : Metric.allCases),
            rounds: rounds ?? (quick ? 1 : 3),
            seconds: seconds ?? (quick ? 2 : 5),
            congestion: congestion,
            otherNode: compare.map { URL(fileURLWithPath: $0).path }
        )
    }

    func run() throws {
        let file = try from.map { try ResultFile(reading: URL(fileURLWithPath: $0)) } ?? measure()
        // What is only read again is not written anew, unless it is asked for.
        let latest = from == nil ? ProcessInfo.processInfo.environment["AMBIT_BENCH_LATEST"] : nil
        if let path = json ?? latest {
            try file.write(to: URL(fileURLWithPath: path))
            Terminal.tell("raw numbers: \(path)")
        }
        if publish { try Publication.publish(file) }
        print(Report(file).text(), terminator: "")
    }

    private func measure() throws -> ResultFile {
        let files = try ProgramFiles(
            ambitNode: ambitNode.map { URL(fileURLWithPath: $0).path }
        )
        let plan = plan
        let date = ISO8601DateFormatter().string(from: Date())
        let samples = try samples(plan, files)
        let surroundings = Surroundings(files: files)
        return ResultFile(
            date: date,
            command: (["bench/run"] + CommandLine.arguments.dropFirst()).joined(separator: " "),
            machine: surroundings.machine(),
            congestion: plan.congestion,
            rounds: plan.rounds,
            seconds: plan.seconds,
            versions: surroundings.versions(),
            outsideMax: Meter.outsideMax,
            samples: samples
        )
    }

    private func samples(_ plan: Plan, _ files: ProgramFiles) throws -> [Sample] {
        var samples: [Sample] = []
        let scenes = Set(plan.metrics.map(\.scene))
        if scenes.contains(.contest) {
            let stage = try Stage(plan, files)
            defer { stage.end() }
            Terminal.tell("congestion control: \(stage.congestion) in every pod and node")
            Terminal.tell(
                "measured again when other programs take over "
                    + "\(ResultTable.number(Meter.outsideMax * 100)) % of the machine"
            )
            samples += try Rounds(plan, files).run(stage)
        }
        if scenes.contains(.fullNode) {
            samples += try FullNode(plan: plan, files: files).measure()
        }
        if scenes.contains(.burst) {
            samples += try BurstProbe(plan: plan, files: files).measure()
        }
        guard plan.contenders.contains(.ambit) else { return samples }
        if scenes.contains(.meshSizes) {
            samples += try MeshSizes(plan: plan, files: files).measure()
        }
        if scenes.contains(.idleNode) {
            samples += try IdleNode(plan: plan, files: files).measure()
        }
        return samples
    }
}

/// Names of one kind, separated by commas.
struct NameList<Name: RawRepresentable & Sendable>: ExpressibleByArgument, Sendable
where Name.RawValue == String {
    let names: [Name]

    init?(argument: String) {
        let parts = argument.split(separator: ",").map(String.init)
        names = parts.compactMap(Name.init(rawValue:))
        if names.isEmpty || names.count != parts.count { return nil }
    }
}

/// What a person sees while it runs.
enum Terminal {
    static func tell(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
