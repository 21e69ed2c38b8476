internal import Bench
internal import Foundation

/// The tables of a run and what became of the bars.
struct ScaleReport {
    /// One bar of the project.
    private struct ScaleBar {
        let name: String
        let value: Double?
        let limit: Double
        let unit: String

        /// A bar that could not be measured is missed.
        var isMet: Bool { value.map { $0 <= limit } ?? false }

        var verdict: String { value == nil ? "not measured" : isMet ? "pass" : "FAIL" }
    }

    private let result: ScaleResult

    init(_ result: ScaleResult) {
        self.result = result
    }

    private var bars: [ScaleBar] {
        guard let small = result.sizes.first, let large = result.sizes.last else { return [] }
        let nodes = small.pushes.first?.nodes ?? 0
        func growth(_ name: String, _ value: (ScaleResult.Size) -> Double?) -> ScaleBar {
            ScaleBar(
                name: "\(name), \(large.pods) pods against \(small.pods)",
                value: ratio(value(large), value(small)),
                limit: 1.3,
                unit: "×"
            )
        }
        return [
            growth("controller CPU of one change to \(nodes) nodes") {
                $0.pushes.first?.cpuMicrosecondsPerChange
            },
            growth("controller CPU of one of 1,000 changes a second") { $0.rateMicroseconds },
            growth("node CPU of one change") { $0.nodeMicroseconds },
            growth("node CPU of one of 1,000 changes a second") { $0.nodeRateMicroseconds },
            ScaleBar(
                name: "initial sync of a node with \(large.pods) pods",
                value: large.syncSeconds,
                limit: 10,
                unit: " s"
            ),
            ScaleBar(
                name: "the same and the controller's own before it, from its start",
                value: large.fillSeconds.flatMap { fill in large.syncSeconds.map { fill + $0 } },
                limit: 10,
                unit: " s"
            ),
            ScaleBar(
                name: "node memory over idle with \(large.pods) pods",
                value: result.traffic.flatMap { traffic in
                    traffic.heldBytes.flatMap { held in
                        traffic.idleBytes.map { (held - $0) / 1e6 }
                    }
                },
                limit: 120,
                unit: " MB"
            ),
            ScaleBar(
                name: "p99 of requests while 1,000 changes a second arrive",
                value: result.traffic.flatMap { traffic in
                    ratio(
                        ScaleResult.Traffic.median(traffic.busy, \.p99Microseconds),
                        ScaleResult.Traffic.median(traffic.quiet, \.p99Microseconds)
                    )
                },
                limit: 1.1,
                unit: "×"
            ),
        ]
    }

    private func ratio(_ one: Double?, _ two: Double?) -> Double? {
        guard let one, let two, two > 0 else { return nil }
        return one / two
    }

    /// The bars that were missed.
    var failures: [String] { bars.filter { !$0.isMet }.map(\.name) }

    private var tables: [ResultTable] { [barTable, sizes, pushes, traffic, decisions] }

    private var machine: String {
        "\(result.cores) processors, \(result.machine), \(result.date)"
    }

    /// What a terminal shows.
    func text() -> String {
        tables.map { $0.text() }.joined(separator: "\n") + "\nmachine: \(machine)\n"
    }

    /// Writes what people read: the raw numbers and the README's part.
    func publish() throws {
        let folder = URL(fileURLWithPath: "bench/results")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try result.write(to: folder.appending(path: "scale.json"))
        let readme = URL(fileURLWithPath: "bench/README.md")
        var marked = MarkedText(try String(contentsOf: readme, encoding: .utf8))
        let section =
            tables.map { $0.markdown() }.joined(separator: "\n") + "\nMachine: \(machine).\n"
        guard marked.replace("scale", with: section) else {
            throw ScaleFailure("bench/README.md has no part `scale` to write")
        }
        try Data(marked.text.utf8).write(to: readme)
    }

    private var barTable: ResultTable {
        ResultTable(
            header: ["bar", "", "value", "at most"],
            rows: bars.map { bar in
                [
                    bar.name, bar.verdict, ResultTable.ratio(bar.value) + bar.unit,
                    ResultTable.ratio(bar.limit) + bar.unit,
                ]
            }
        )
    }

    private var sizes: ResultTable {
        func row(_ name: String, _ unit: String, _ value: (ScaleResult.Size) -> Double?) -> [String]
        {
            [name, unit] + result.sizes.map { ResultTable.number(value($0)) }
        }
        return ResultTable(
            header: ["", ""] + result.sizes.map { "\($0.pods) pods" },
            rows: [
                row("controller: from start to serving all", "s") { $0.fillSeconds },
                row("controller: the same", "CPU s") { $0.fillCPUSeconds },
                row("controller: memory", "MB") { $0.controllerBytes.map { $0 / 1e6 } },
                row("controller: a change nobody follows", "µs CPU") { $0.changeMicroseconds },
                row("controller: one of 1,000 a second, one node", "µs CPU") {
                    $0.rateMicroseconds
                },
                row("node: initial sync", "s") { $0.syncSeconds },
                row("node: the same", "CPU s") { $0.syncCPUSeconds },
                row("node: memory of the mesh", "MB") { $0.nodeBytes.map { $0 / 1e6 } },
                row("node: first snapshot", "ms") { $0.firstSnapshotMilliseconds },
                row("node: snapshot of one change", "µs") { $0.snapshotMicroseconds },
                row("node: one change", "µs CPU") { $0.nodeMicroseconds },
                row("node: one of 1,000 changes a second", "µs CPU") {
                    $0.nodeRateMicroseconds
                },
            ]
        )
    }

    private var pushes: ResultTable {
        var rows: [[String]] = []
        for size in result.sizes {
            for push in size.pushes {
                rows.append(
                    ["\(size.pods) pods", "\(push.nodes) nodes"]
                        + [
                            push.latencyMilliseconds, push.latencyP99Milliseconds,
                            push.cpuMicrosecondsPerChange, push.bytesPerChangeAndNode,
                            push.syncSeconds,
                        ].map(ResultTable.number)
                )
            }
        }
        return ResultTable(
            header: [
                "", "", "change to last ACK, ms", "p99, ms", "controller CPU a change, µs",
                "bytes a change and node", "sync of all nodes, s",
            ],
            rows: rows
        )
    }

    private var traffic: ResultTable {
        guard let traffic = result.traffic else {
            return ResultTable(header: ["traffic", ""], rows: [["not measured", "no root"]])
        }
        func row(
            _ name: String,
            _ unit: String,
            _ value: (ScaleResult.Round) -> Double
        ) -> [String] {
            [name, unit]
                + [traffic.quiet, traffic.busy].map {
                    ResultTable.number(ScaleResult.Traffic.median($0, value))
                }
        }
        func megabytes(_ bytes: Double?) -> String { ResultTable.number(bytes.map { $0 / 1e6 }) }
        return ResultTable(
            header: ["2,000 requests/s beside \(traffic.pods) pods", "", "quiet", "changes"],
            rows: [
                row("p50", "µs") { $0.p50Microseconds },
                row("p99", "µs") { $0.p99Microseconds },
                row("one node", "processors") { $0.nodeProcessors },
                row("resources each node is sent", "1/s") { $0.changesPerSecond },
                [
                    "memory of a node (with two pods: \(megabytes(traffic.idleBytes)))", "MB",
                    megabytes(traffic.heldBytes), megabytes(traffic.busyBytes),
                ],
                [
                    "from a node's restart to its readiness, with two pods and with all", "s",
                    ResultTable.number(traffic.startSeconds),
                    ResultTable.number(traffic.fullStartSeconds),
                ],
            ]
        )
    }

    private var decisions: ResultTable {
        ResultTable(
            header: [
                "a decision with", "", "spread over 1,000 namespaces", "all for one workload",
            ],
            rows: result.decisions.map { decision in
                ["\(decision.policies) policies", "µs CPU"]
                    + [decision.spreadMicroseconds, decision.togetherMicroseconds]
                    .map(ResultTable.number)
            }
        )
    }
}
