import Authorization
import Mesh
import Testing

/// PROTOCOL.md §3 written down once more, as plainly as possible.
private struct Model {
    let flow: Flow

    func permits(_ policies: [Policy]) -> Bool {
        let enforced = policies.filter { !$0.dryRun }
        if enforced.contains(where: { $0.action == .deny && matches($0) }) { return false }
        let allow = enforced.filter { $0.action == .allow }
        return allow.isEmpty || allow.contains(where: matches)
    }

    private func matches(_ policy: Policy) -> Bool {
        for rule in policy.rules where rule.clauses.allSatisfy(matches) { return true }
        return false
    }

    private func matches(_ clause: Policy.Clause) -> Bool {
        clause.matches.isEmpty || clause.matches.contains(where: matches)
    }

    private func matches(_ match: Policy.Match) -> Bool {
        guard match != Policy.Match() else { return false }
        let principal = flow.identity.map { String("\($0)".dropFirst("spiffe://".count)) } ?? ""
        let namespace = flow.identity?.namespace ?? ""
        let fields = [
            field(match.principals, match.notPrincipals) { test(principal, $0) },
            field(match.namespaces, match.notNamespaces) { test(namespace, $0) },
            field(match.sourceIPs, match.notSourceIPs) { $0.contains(flow.source) },
            field(match.destinationIPs, match.notDestinationIPs) {
                $0.contains(flow.destination.ip)
            },
            field(match.destinationPorts, match.notDestinationPorts) {
                $0 == flow.destination.port
            },
            field(match.serviceAccounts, match.notServiceAccounts) {
                $0.namespace == flow.identity?.namespace
                    && $0.serviceAccount == flow.identity?.serviceAccount
            },
        ]
        return !fields.contains(false)
    }

    private func field<T>(_ yes: [T], _ no: [T], _ test: (T) -> Bool) -> Bool {
        (yes.isEmpty || yes.contains(where: test)) && !no.contains(where: test)
    }

    private func test(_ text: String, _ match: Policy.StringMatch) -> Bool {
        switch match {
        case .exact(let wanted): text == wanted && !text.isEmpty
        case .prefix(let wanted): text.hasPrefix(wanted) && !text.isEmpty
        case .suffix(let wanted): text.hasSuffix(wanted) && !text.isEmpty
        case .presence: !text.isEmpty
        }
    }
}

/// Draws policies and flows from so few values that they meet often.
private struct Draw {
    var random = FixedGenerator()

    mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    mutating func some<T>(of values: [T], atMost count: Int = 2) -> [T] {
        guard chance(30) else { return [] }
        return (0..<Int.random(in: 1...count, using: &random)).compactMap { _ in
            values.randomElement(using: &random)
        }
    }

    mutating func match() throws -> Policy.Match {
        let principals: [Policy.StringMatch] = [
            .exact("td/ns/a/sa/x"), .exact("td/ns/b/sa/y"), .prefix("td/ns/a/"), .suffix("/sa/x"),
            .presence,
        ]
        let namespaces: [Policy.StringMatch] = [.exact("a"), .prefix("b"), .suffix("a"), .presence]
        let blocks = try ["10.0.0.0/8", "10.1.0.1", "fd00::/8", "0.0.0.0/0", "::/0"].map {
            try #require(IPPrefix($0))
        }
        let accounts = [
            Policy.ServiceAccountMatch(namespace: "a", serviceAccount: "x"),
            Policy.ServiceAccountMatch(namespace: "b", serviceAccount: "y"),
        ]
        var match = Policy.Match()
        match.principals = some(of: principals)
        match.notPrincipals = some(of: principals)
        match.namespaces = some(of: namespaces)
        match.notNamespaces = some(of: namespaces)
        match.sourceIPs = some(of: blocks)
        match.notSourceIPs = some(of: blocks)
        match.destinationIPs = some(of: blocks)
        match.notDestinationIPs = some(of: blocks)
        match.destinationPorts = some(of: [80, 8080])
        match.notDestinationPorts = some(of: [80, 8080])
        match.serviceAccounts = some(of: accounts)
        match.notServiceAccounts = some(of: accounts)
        // Half of the matches keep one field only, so that something holds now and then.
        return chance(50) ? match : slim(match)
    }

    private mutating func slim(_ match: Policy.Match) -> Policy.Match {
        var slim = Policy.Match()
        switch Int.random(in: 0..<6, using: &random) {
        case 0: slim.principals = match.principals
        case 1: slim.notNamespaces = match.notNamespaces
        case 2: slim.sourceIPs = match.sourceIPs
        case 3: slim.notPrincipals = match.notPrincipals
        case 4: slim.destinationPorts = match.destinationPorts
        default: slim.serviceAccounts = match.serviceAccounts
        }
        return slim
    }

    mutating func policy(_ index: Int) throws -> Policy {
        var policy = Policy(
            name: "p\(index)",
            namespace: "shop",
            scope: chance(50) ? .global : .namespace,
            action: chance(50) ? .allow : .deny
        )
        policy.dryRun = chance(20)
        policy.rules = try (0..<Int.random(in: 0...2, using: &random)).map { _ in
            Policy.Rule(
                clauses: try (0..<Int.random(in: 0...2, using: &random)).map { _ in
                    Policy.Clause(
                        matches: try (0..<Int.random(in: 0...2, using: &random)).map { _ in
                            try match()
                        }
                    )
                }
            )
        }
        return policy
    }

    mutating func flow() throws -> Flow {
        let identities = [
            "spiffe://td/ns/a/sa/x", "spiffe://td/ns/b/sa/y", "spiffe://td/ns/b/sa/x", "",
        ]
        let sources = ["10.1.0.1", "10.2.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"]
        let destinations = ["10.1.0.1:80", "10.3.0.1:8080", "[fd00::2]:80", "192.0.2.1:443"]
        return Flow(
            source: try #require(sources.randomElement(using: &random).flatMap { IPAddress($0) }),
            identity: identities.randomElement(using: &random).flatMap { SPIFFEID(uri: $0) },
            destination: try #require(
                destinations.randomElement(using: &random).flatMap { SocketAddress($0) }
            )
        )
    }
}

@Suite struct `Policy evaluation` {
    @Test func `agrees with a plain model of the protocol on random policies`() throws {
        var draw = Draw()
        var permitted = 0
        let rounds = 5000
        for round in 0..<rounds {
            let count = Int.random(in: 0...3, using: &draw.random)
            var mesh = SampleMesh()
            mesh.policies = try (0..<count).map { try draw.policy($0) }
            try mesh.pod("web", at: "10.1.0.5")
            let record = try #require(mesh.snapshot().workloads.first)
            let flow = try draw.flow()
            let expected = Model(flow: flow).permits(mesh.policies)
            let isPermitted =
                switch authorize(flow, to: record) {
                case .permitted: true
                case .denied: false
                }
            try #require(isPermitted == expected, "round \(round): \(flow) \(mesh.policies)")
            permitted += expected ? 1 : 0
        }
        // A draw that always says the same would prove nothing.
        #expect((rounds / 10...rounds * 9 / 10).contains(permitted), "\(permitted)")
    }
}
