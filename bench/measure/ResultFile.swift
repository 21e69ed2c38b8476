package import Foundation

/// What a run leaves behind: the raw numbers of every round, and all that is needed to repeat it.
package struct ResultFile: Codable, Sendable {
    /// The machine it ran on.
    package struct Machine: Codable, Sendable {
        package var cores: Int
        package var model: String
        package var memoryGigabytes: Double
        package var kernel: String

        package init(cores: Int, model: String, memoryGigabytes: Double, kernel: String) {
            self.cores = cores
            self.model = model
            self.memoryGigabytes = memoryGigabytes
            self.kernel = kernel
        }
    }

    /// A bar and what became of it.
    package struct BarResult: Codable, Sendable {
        package var metric: Metric
        package var figure: Figure
        package var against: ContenderName?
        /// The metric or the figure held against, when it is the contender's own.
        package var againstMetric: Metric?
        package var againstFigure: Figure?
        package var value: Double
        package var limit: Double
        package var isMet: Bool
    }

    package var date: String
    package var command: String
    package var machine: Machine
    package var congestion: String
    package var rounds: Int
    package var seconds: Int
    package var versions: [String: String]
    /// The part of the machine that others may take before a measurement is made again.
    package var outsideMax: Double
    package var samples: [Sample]
    /// By metric, figure and contender.
    package var medians: [String: [String: [String: Double]]] = [:]
    /// Ambit's medians over those of the others, in the same order.
    package var ratios: [String: [String: [String: Double]]] = [:]
    package var bars: [BarResult] = []

    /// Works the medians, ratios and bars out of the samples.
    package init(
        date: String,
        command: String,
        machine: Machine,
        congestion: String,
        rounds: Int,
        seconds: Int,
        versions: [String: String],
        outsideMax: Double,
        samples: [Sample]
    ) {
        self.date = date
        self.command = command
        self.machine = machine
        self.congestion = congestion
        self.rounds = rounds
        self.seconds = seconds
        self.versions = versions
        self.outsideMax = outsideMax
        self.samples = samples
        let all = Medians(samples)
        for quantity in all.quantities {
            for name in all.contenders {
                let metric = quantity.metric.rawValue
                let figure = quantity.figure.rawValue
                if let value = all[quantity, name] {
                    medians[metric, default: [:]][figure, default: [:]][name.rawValue] = value
                }
                if name != .ambit, let ratio = all.ratio(quantity, .ambit, to: name) {
                    ratios[metric, default: [:]][figure, default: [:]][name.rawValue] = ratio
                }
            }
        }
        bars = Bar.all.compactMap { $0.verdict(all) }.map { verdict in
            let bar = verdict.bar
            var result = BarResult(
                metric: bar.quantity.metric,
                figure: bar.quantity.figure,
                value: verdict.value,
                limit: bar.limit,
                isMet: verdict.isMet
            )
            switch bar.reference {
            case .contender(let name): result.against = name
            case .metric(let metric): result.againstMetric = metric
            case .figure(let figure): result.againstFigure = figure
            case .absolute: break
            }
            return result
        }
    }

    /// Reads a file that was written before.
    package init(reading url: URL) throws {
        self = try JSONDecoder().decode(ResultFile.self, from: Data(contentsOf: url))
    }

    /// Writes it for people and programs: sorted, indented, with a newline at the end.
    package func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var data = try encoder.encode(self)
        data.append(UInt8(ascii: "\n"))
        try data.write(to: url)
    }
}
