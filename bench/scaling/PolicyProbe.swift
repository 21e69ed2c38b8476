internal import Authorization
internal import Mesh

/// What judging a connection costs with many policies.
enum PolicyProbe {
    private static let rounds = 100_000
    /// Namespaces of the mesh that has policies everywhere.
    private static let namespaces = 1_000

    /// Microseconds a decision takes where so many policies are spread over the namespaces.
    static func spread(policies: Int) -> Double {
        microseconds(policies: policies, namespaces: Self.namespaces)
    }

    /// Microseconds a decision takes where so many policies hold for every workload.
    ///
    /// The one that lets the connection in is the last.
    static func together(policies: Int) -> Double {
        microseconds(policies: policies, namespaces: 1)
    }

    private static func microseconds(policies: Int, namespaces: Int) -> Double {
        var change: (workloads: [Workload], policies: [Policy]) = ([], [])
        for number in 0..<policies {
            let namespace = "namespace-\(number % namespaces)"
            var policy = Policy(
                name: "p-\(number)",
                namespace: namespace,
                scope: .namespace,
                action: .allow
            )
            var match = Policy.Match()
            let isLast = number + namespaces >= policies
            match.namespaces = [.exact(isLast ? namespace : "other-\(number)")]
            policy.rules = [Policy.Rule(clauses: [Policy.Clause(matches: [match])])]
            change.policies.append(policy)
        }
        for number in 0..<namespaces {
            var workload = Workload(
                uid: "c//Pod/namespace-\(number)/web",
                name: "web",
                namespace: "namespace-\(number)"
            )
            workload.addresses = [IPAddress(v4: 0x0A00_0000 + UInt32(truncatingIfNeeded: number))]
            change.workloads.append(workload)
        }
        let snapshot = Snapshot(
            version: 1,
            workloads: change.workloads,
            services: [],
            policies: change.policies
        )
        let records = snapshot.workloads
        let rounds = namespaces == 1 ? max(100, Self.rounds * 10 / policies) : Self.rounds
        let begun = Gauge.threadSeconds
        for round in 0..<rounds {
            let record = records[round % records.count]
            guard let address = record.workload.addresses.first else { continue }
            let flow = Flow(
                source: address,
                identity: record.identity,
                destination: SocketAddress(address, 80)
            )
            _ = authorize(flow, to: record)
        }
        return (Gauge.threadSeconds - begun) / Double(rounds) * 1e6
    }
}
