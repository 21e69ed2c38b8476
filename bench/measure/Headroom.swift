/// How much more the load generator and the server can do than any mesh lets through.
package struct Headroom: Sendable {
    package let quantity: Quantity
    /// What is reached with nothing on the way.
    package let direct: Double
    /// The best that a mesh reached, and which.
    package let best: Double
    package let contender: ContenderName

    /// How much more the direct path does.
    package var factor: Double { direct / best }

    /// Of each quantity of which more is better, where the direct path was measured too.
    package static func all(_ medians: Medians) -> [Headroom] {
        medians.quantities.compactMap { quantity in
            // A fixed rate is a rate that everybody reaches.
            guard quantity.figure.isGain, !quantity.metric.isFixedRate,
                let direct = medians[quantity, .none]
            else { return nil }
            let others = medians.contenders.filter(\.isMesh).compactMap { name in
                medians[quantity, name].map { (name, $0) }
            }
            guard let best = others.max(by: { $0.1 < $1.1 }) else { return nil }
            return Headroom(
                quantity: quantity,
                direct: direct,
                best: best.1,
                contender: best.0
            )
        }
    }
}
