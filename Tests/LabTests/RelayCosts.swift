/// What one unit of each work costs each role.
struct RelayCosts {
    private var costs: [CountedRole: [CountedWork: Double]] = [:]

    mutating func set(_ role: CountedRole, _ work: CountedWork, _ cost: Double) {
        costs[role, default: [:]][work] = cost
    }

    /// The lower of two counts of each.
    func lower(_ other: RelayCosts) -> RelayCosts {
        var lower = self
        other.forEach { role, work, cost in
            lower.set(role, work, min(cost, costs[role]?[work] ?? cost))
        }
        return lower
    }

    /// Goes through all that was counted, in the order of the roles and of the works.
    func forEach(
        _ body: (CountedRole, CountedWork, Double) throws -> Void
    ) rethrows {
        for role in CountedRole.allCases {
            for work in CountedWork.allCases {
                if let cost = costs[role]?[work] { try body(role, work, cost) }
            }
        }
    }
}
