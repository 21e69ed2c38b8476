import Bench
import Foundation
import Testing

@Suite struct `The report of a run` {
    private static let file = ResultFile(
        date: "2026-01-02T03:04:05Z",
        command: "bench/run --rounds 1",
        machine: .init(cores: 2, model: "A <fast> one", memoryGigabytes: 24, kernel: "6.18"),
        congestion: "reno",
        rounds: 1,
        seconds: 5,
        versions: ["Envoy": "1.40.0"],
        outsideMax: 0.03,
        samples: [
            Sample(
                round: 1,
                contender: .ambit,
                metric: .throughput1,
                figures: [.gigabitsPerSecond: 15, .proxySecondsPerGigabyte: 0.6],
                outside: 0.1,
                isDisturbed: true,
                attempts: 3
            ),
            Sample(
                round: 1,
                contender: .envoyL4,
                metric: .throughput1,
                figures: [.gigabitsPerSecond: 10, .proxySecondsPerGigabyte: 1.2]
            ),
        ]
    )

    @Test func `ends with one line of ratios`() {
        let text = Report(Self.file).text()
        #expect(text.hasSuffix("\nAmbit / Envoy L4: Gbit/s 1.50, s/GB 0.50\n"))
        #expect(text.contains("1 of 2 measurements stayed disturbed"))
    }

    @Test func `has a line for each bar that can be judged`() {
        let lines = Report(Self.file).text().split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.hasSuffix("pass") }.count == 2)
        #expect(lines.contains { $0.contains("1.50×") && $0.contains("≥ 1.40×") })
        #expect(lines.contains { $0.contains("0.50×") && $0.contains("≤ 0.60×") })
    }

    @Test func `names what a contender is held against, in words and in JSON`() {
        var file = Self.file
        file.samples = [
            Sample(round: 1, contender: .ambit, metric: .mesh10, figures: [.requestsPerSecond: 4]),
            Sample(
                round: 1,
                contender: .ambit,
                metric: .mesh100000,
                figures: [.requestsPerSecond: 3]
            ),
        ]
        let text = Report(file).text()
        let line = text.split(separator: "\n").first { $0.hasSuffix("FAIL") }
        #expect(line?.contains("Mesh of 10 workloads, 1 policy  0.75×") == true)
        #expect(text.hasSuffix("no ratio: Ambit was measured alone\n"))
        let again = ResultFile(
            date: file.date,
            command: file.command,
            machine: file.machine,
            congestion: file.congestion,
            rounds: 1,
            seconds: 5,
            versions: [:],
            outsideMax: 0.03,
            samples: file.samples
        )
        #expect(again.bars.map(\.againstMetric) == [.mesh10])
        #expect(again.bars.first?.isMet == false)
    }

    @Test func `is the same after it was written and read`() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "ambit-report-\(UInt64.random(in: 0 ... .max)).json")
        defer { try? FileManager.default.removeItem(at: url) }
        try Self.file.write(to: url)
        let read = try ResultFile(reading: url)
        #expect(Report(read).text() == Report(Self.file).text())
        #expect(read.samples.first?.attempts == 3)
        #expect(read.ratios["throughput-1"]?["Gbit/s"]?["envoy-l4"] == 1.5)
        #expect(read.bars.count == 2)
    }

    @Test func `is put between the markers of a text and leaves the rest alone`() {
        var text = MarkedText("Before\n<!-- begin run -->\nold\n<!-- end run -->\nAfter\n")
        let found = text.replace("run", with: "new\n")
        #expect(found)
        #expect(text.text == "Before\n<!-- begin run -->\n\nnew\n\n<!-- end run -->\nAfter\n")
        let again = text.replace("run", with: "newer\n")
        #expect(again)
        #expect(!text.text.contains("new\n"))
        let other = text.replace("other", with: "x")
        #expect(!other)
    }

    @Test func `gives the README all parts that it marks`() throws {
        let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(
            contentsOf: top.appending(path: "bench/README.md"),
            encoding: .utf8
        )
        var text = MarkedText(readme)
        for (name, section) in Report(Self.file).sections() {
            let found = text.replace(name, with: section)
            #expect(found, "bench/README.md has no part \(name)")
        }
    }

    @Test func `draws bars as long as their values`() throws {
        let chart = try #require(Chart.all.first { $0.name == "throughput" })
        let svg = chart.svg(Medians(Self.file.samples))
        let widths = svg.split(separator: "\n").filter { $0.hasPrefix("<rect") }.compactMap {
            $0.split(separator: "width=\"").last?.prefix { $0 != "\"" }
        }.compactMap { Double($0) }
        #expect(widths.count == 2)
        #expect(abs(widths[0] / widths[1] - 1.5) < 0.01)
        let parser = XMLCheck()
        #expect(parser.isWellFormed(svg))
    }

    @Test func `shows numbers with the digits they are worth`() {
        let numbers: [Double] = [30840.12, 442.3, 12.34, 1.234, 0.0061, 0]
        let shown = ["30,840", "442", "12.3", "1.23", "0.01", "0"]
        #expect(numbers.map { ResultTable.number($0) } == shown)
        #expect(ResultTable.ratio(0.0061) == "0.006")
        #expect(ResultTable.ratio(1.5) == "1.50")
        #expect(ResultTable.number(nil) == "–")
    }
}

/// Whether elements are closed in the order they were opened.
private struct XMLCheck {
    func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for tag in text.split(separator: "<").map({ $0.prefix { $0 != ">" } }) {
            if tag.hasSuffix("/") { continue }
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else {
                open.append(tag.prefix { $0 != " " })
            }
        }
        return open.isEmpty
    }
}
