import Bench
import Testing

@Suite struct `Medians, ratios and bars` {
    private static func sample(
        _ contender: ContenderName,
        _ metric: Metric,
        _ figure: Figure,
        _ value: Double,
        round: Int = 1
    ) -> Sample {
        Sample(round: round, contender: contender, metric: metric, figures: [figure: value])
    }

    @Test(
        arguments: [
            ([3, 1, 2], 2), ([4, 1, 2, 3], 2.5), ([7], 7), ([1, 1000, 2], 2),
        ] as [([Double], Double)]
    )
    func `the median is the middle`(values: [Double], middle: Double) {
        #expect(Medians.median(values) == middle)
    }

    @Test func `nothing has no median and no percentile`() {
        #expect(Medians.median([]) == nil)
        #expect(Medians.percentile(0.5, of: []) == nil)
    }

    @Test(arguments: [(0.5, 50), (0.99, 99), (1, 100), (0, 1)] as [(Double, Double)])
    func `a percentile is a value that was measured`(part: Double, value: Double) {
        let values = (1...100).reversed().map { Double($0) }
        #expect(Medians.percentile(part, of: values) == value)
    }

    @Test func `rounds come together, contenders and metrics stay apart`() {
        let medians = Medians([
            Self.sample(.ambit, .requests16, .requestsPerSecond, 10, round: 1),
            Self.sample(.ambit, .requests16, .requestsPerSecond, 30, round: 2),
            Self.sample(.ambit, .requests16, .requestsPerSecond, 20, round: 3),
            Self.sample(.envoyL4, .requests16, .requestsPerSecond, 8),
            Self.sample(.ambit, .requests64, .requestsPerSecond, 99),
        ])
        let quantity = Quantity(.requests16, .requestsPerSecond)
        #expect(medians[quantity, .ambit] == 20)
        #expect(medians.ratio(quantity, .ambit, to: .envoyL4) == 2.5)
        #expect(medians.ratio(quantity, .ambit, to: .envoyL7) == nil)
        #expect(medians.quantities == [quantity, Quantity(.requests64, .requestsPerSecond)])
        #expect(medians.contenders == [.ambit, .envoyL4])
    }

    @Test func `more is asked for by a bar on a gain`() throws {
        let bar = Bar(.throughput1, .gigabitsPerSecond, .contender(.envoyL4), 1.4)
        func isMet(_ ours: Double) -> Bool? {
            bar.verdict(
                Medians([
                    Self.sample(.ambit, .throughput1, .gigabitsPerSecond, ours),
                    Self.sample(.envoyL4, .throughput1, .gigabitsPerSecond, 10),
                ])
            )?.isMet
        }
        #expect(isMet(14) == true)
        #expect(isMet(13.9) == false)
    }

    @Test func `less is asked for by a bar on a cost`() throws {
        let bar = Bar(.memory, .kilobytesPerConnection, .absolute, 4)
        func verdict(_ ours: Double) -> Bar.Verdict? {
            bar.verdict(
                Medians([Self.sample(.ambit, .memory, .kilobytesPerConnection, ours)])
            )
        }
        #expect(verdict(4)?.isMet == true)
        #expect(verdict(4.1)?.isMet == false)
        #expect(verdict(4.1)?.value == 4.1)
    }

    @Test func `a contender is held against itself in another metric`() {
        let bar = Bar(.mesh1000, .requestsPerSecond, .metric(.mesh10), 0.95)
        func verdict(_ large: Double) -> Bar.Verdict? {
            bar.verdict(
                Medians([
                    Self.sample(.ambit, .mesh10, .requestsPerSecond, 200),
                    Self.sample(.ambit, .mesh1000, .requestsPerSecond, large),
                ])
            )
        }
        #expect(verdict(190)?.isMet == true)
        #expect(verdict(189)?.isMet == false)
        #expect(verdict(100)?.value == 0.5)
    }

    @Test func `a contender is held against another figure of its own`() {
        let bar = Bar(.burst, .afterMegabytes, .figure(.idleMegabytes), 1.1)
        func isMet(_ after: Double) -> Bool? {
            let figures: [Figure: Double] = [.idleMegabytes: 20, .afterMegabytes: after]
            let sample = Sample(round: 1, contender: .ambit, metric: .burst, figures: figures)
            return bar.verdict(Medians([sample]))?.isMet
        }
        #expect(isMet(22) == true)
        #expect(isMet(22.1) == false)
    }

    @Test func `a bar without its contender has no verdict`() {
        let medians = Medians([Self.sample(.ambit, .throughput1, .gigabitsPerSecond, 14)])
        #expect(Bar.all.allSatisfy { $0.verdict(medians) == nil })
    }

    @Test func `what an Envoy does better is told, and chance is not`() {
        let leads = Lead.all(
            Medians([
                Self.sample(.ambit, .connections, .connectionsPerSecond, 100),
                Self.sample(.envoyL4, .connections, .connectionsPerSecond, 104),
                Self.sample(.envoyL7, .connections, .connectionsPerSecond, 150),
                Self.sample(.copy, .connections, .connectionsPerSecond, 1000),
                Self.sample(.ambit, .rate2000, .p99Microseconds, 300),
                Self.sample(.envoyHBONE, .rate2000, .p99Microseconds, 200),
            ])
        )
        #expect(leads.map(\.contender) == [.envoyHBONE, .envoyL7])
        #expect(leads.map(\.factor) == [1.5, 1.5])
    }

    @Test func `headroom is over the best mesh, not over relays`() throws {
        let found = Headroom.all(
            Medians([
                Self.sample(.none, .throughput1, .gigabitsPerSecond, 30),
                Self.sample(.splice, .throughput1, .gigabitsPerSecond, 40),
                Self.sample(.ambit, .throughput1, .gigabitsPerSecond, 15),
                Self.sample(.envoyL4, .throughput1, .gigabitsPerSecond, 10),
            ])
        )
        let headroom = try #require(found.first)
        #expect(found.count == 1)
        #expect(headroom.factor == 2)
        #expect(headroom.contender == .ambit)
    }
}
