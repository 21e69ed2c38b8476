/// A run told to people: on a terminal, and in the README between its markers.
package struct Report: Sendable {
    private let file: ResultFile
    private let medians: Medians

    /// Works out what to tell of a run.
    package init(_ file: ResultFile) {
        self.file = file
        medians = Medians(file.samples)
    }

    private static let compared: [ContenderName] = [.envoyL4, .envoyL7, .copy, .splice, .ambitB]

    /// The whole of it for a terminal; its last line is `summary`.
    package func text() -> String {
        var parts = [ResultTable(medians, ratiosTo: Self.compared).text()]
        let verdicts = Bar.all.compactMap { $0.verdict(medians) }
        if !verdicts.isEmpty { parts.append(ResultTable(verdicts: verdicts).text()) }
        let leads = Lead.all(medians)
        if !leads.isEmpty {
            parts.append(
                "Where an Envoy does better:\n"
                    + leads.map { "  \($0.sentence)\n" }.joined()
            )
        }
        let headroom = Headroom.all(medians)
        if !headroom.isEmpty {
            parts.append(
                "What generator and server do without anything on the way:\n"
                    + headroom.map { "  \(Self.sentence($0))\n" }.joined()
            )
        }
        let disturbed = file.samples.filter(\.isDisturbed)
        if !disturbed.isEmpty {
            parts.append(
                "\(disturbed.count) of \(file.samples.count) measurements stayed disturbed\n"
            )
        }
        return parts.joined(separator: "\n") + "\n" + summary() + "\n"
    }

    private static func sentence(_ headroom: Headroom) -> String {
        "\(headroom.quantity.metric.title): \(ResultTable.number(headroom.direct)) "
            + "\(headroom.quantity.figure.rawValue), \(ResultTable.ratio(headroom.factor))× "
            + "the best mesh (\(headroom.contender.title))"
    }

    /// One line with Ambit's main ratios.
    package func summary() -> String {
        let shown: [(String, Quantity)] = [
            ("Gbit/s", Quantity(.throughput1, .gigabitsPerSecond)),
            ("s/GB", Quantity(.throughput1, .proxySecondsPerGigabyte)),
            ("requests/s", Quantity(.requests16, .requestsPerSecond)),
            ("µs/request", Quantity(.requests16, .proxyMicrosecondsPerRequest)),
            ("p99 at 2,000/s", Quantity(.rate2000, .p99Microseconds)),
            ("connections/s", Quantity(.connections, .connectionsPerSecond)),
        ]
        let others: [ContenderName] = [.envoyL4, .envoyL7, .copy, .ambitB]
        let parts = others.compactMap { other -> String? in
            let ratios = shown.compactMap { label, quantity in
                medians.ratio(quantity, .ambit, to: other).map {
                    "\(label) \(ResultTable.ratio($0))"
                }
            }
            return ratios.isEmpty
                ? nil : "Ambit / \(other.title): " + ratios.joined(separator: ", ")
        }
        let isAlone = medians.contenders.contains(.ambit)
        guard parts.isEmpty else { return parts.joined(separator: "; ") }
        return isAlone ? "no ratio: Ambit was measured alone" : "no ratio: Ambit was not measured"
    }

    /// The parts that go into the README, by the names of their markers.
    package func sections() -> [String: String] {
        [
            "run": run(), "results": ResultTable(medians, ratiosTo: Self.compared).markdown(),
            "bars": ResultTable(verdicts: Bar.all.compactMap { $0.verdict(medians) }).markdown(),
            "leads": leads(), "headroom": headroom(),
            "charts": Chart.all.map { "![\($0.title)](results/\($0.name).svg)\n" }.joined(
                separator: "\n"
            ),
        ]
    }

    private func run() -> String {
        let machine = file.machine
        let memory = ResultTable.number(machine.memoryGigabytes)
        var lines = [
            "- Command: `\(file.command)`, \(file.date); \(file.rounds) rounds of "
                + "\(file.seconds) s each.",
            "- Machine: \(machine.model), \(machine.cores) cores, \(memory) GB, "
                + "Linux \(machine.kernel).",
            "- Congestion control in every pod and node: \(file.congestion).",
        ]
        let versions = file.versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        lines.append("- Versions: " + versions.joined(separator: ", ") + ".")
        let repeated = file.samples.filter { $0.attempts > 1 }.count
        let disturbed = file.samples.filter(\.isDisturbed).count
        lines.append(
            "- \(file.samples.count) measurements; \(repeated) made again because other programs "
                + "took over \(ResultTable.number(file.outsideMax * 100)) % of the machine, "
                + "\(disturbed) disturbed to the end."
        )
        return lines.joined(separator: "\n") + "\n"
    }

    private func leads() -> String {
        let leads = Lead.all(medians)
        guard !leads.isEmpty else { return "In this run no Envoy was more than 5 % better.\n" }
        return leads.map { "- \($0.sentence)\n" }.joined()
    }

    private func headroom() -> String {
        Headroom.all(medians).map { "- \(Self.sentence($0))\n" }.joined()
    }

    /// The charts by the names of their files.
    package func charts() -> [String: String] {
        Dictionary(uniqueKeysWithValues: Chart.all.map { ($0.name, $0.svg(medians)) })
    }
}
