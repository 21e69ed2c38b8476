/// The medians over all rounds.
package struct Medians: Sendable {
    private var values: [Quantity: [ContenderName: Double]] = [:]
    /// The quantities that anybody has, in the order of metrics and figures.
    package let quantities: [Quantity]
    /// Who was measured, in the order of contenders.
    package let contenders: [ContenderName]

    /// Works them out.
    package init(_ samples: [Sample]) {
        var series: [Quantity: [ContenderName: [Double]]] = [:]
        for sample in samples {
            for figure in Figure.allCases {
                guard let value = sample[figure] else { continue }
                series[Quantity(sample.metric, figure), default: [:]][
                    sample.contender,
                    default: []
                ].append(value)
            }
        }
        for (quantity, byContender) in series {
            for (contender, list) in byContender {
                values[quantity, default: [:]][contender] = Self.median(list)
            }
        }
        let present = series
        quantities = Metric.allCases.flatMap { metric in
            Figure.allCases.map { Quantity(metric, $0) }.filter { present[$0] != nil }
        }
        let measured = Set(samples.map(\.contender))
        contenders = ContenderName.allCases.filter(measured.contains)
    }

    /// The median of a quantity for a contender, if it was measured.
    package subscript(quantity: Quantity, contender: ContenderName) -> Double? {
        values[quantity]?[contender]
    }

    /// One contender's median over another's; nil without both, or over nothing.
    package func ratio(
        _ quantity: Quantity,
        _ contender: ContenderName,
        to other: ContenderName
    ) -> Double? {
        guard let value = self[quantity, contender], let base = self[quantity, other], base > 0
        else { return nil }
        return value / base
    }

    /// One quantity's median over another's, of the same contender.
    package func ratio(
        _ quantity: Quantity,
        to other: Quantity,
        _ contender: ContenderName
    ) -> Double? {
        guard let value = self[quantity, contender], let base = self[other, contender], base > 0
        else { return nil }
        return value / base
    }

    /// The middle value, or the mean of the middle two; nil of nothing.
    package static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The smallest value that at least this part of the values does not exceed; nil of nothing.
    package static func percentile(_ part: Double, of values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let rank = Int((part * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(rank, 0), sorted.count - 1)]
    }
}
