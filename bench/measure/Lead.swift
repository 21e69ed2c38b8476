/// A quantity in which a contender does better than Ambit.
package struct Lead: Sendable {
    package let quantity: Quantity
    package let contender: ContenderName
    package let value: Double
    package let ours: Double

    /// How many times better, in the sense of the quantity.
    package var factor: Double { quantity.figure.isGain ? value / ours : ours / value }

    /// What is close enough to be chance is no lead.
    package static let factorMin = 1.05

    /// Those of every contender that encrypts: relays and no mesh are the floor, not a choice.
    package static func all(_ medians: Medians) -> [Lead] {
        let envoys: [ContenderName] = [.envoyL4, .envoyL7, .envoyHBONE]
        return medians.quantities.flatMap { quantity in
            envoys.compactMap { name in
                guard quantity.figure != .errors, let ours = medians[quantity, .ambit],
                    let value = medians[quantity, name], ours > 0, value > 0
                else { return nil }
                let lead = Lead(quantity: quantity, contender: name, value: value, ours: ours)
                let isFixedRate =
                    quantity.metric.isFixedRate && quantity.figure == .requestsPerSecond
                return lead.factor > factorMin && !isFixedRate ? lead : nil
            }
        }
    }

    /// A line that says so.
    package var sentence: String {
        "\(quantity.metric.title), \(quantity.figure.rawValue): \(contender.title) "
            + "\(ResultTable.number(value)), Ambit \(ResultTable.number(ours)) "
            + "(\(ResultTable.ratio(factor))× better)"
    }
}
