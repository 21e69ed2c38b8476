import Authorization
import Mesh
import Testing

/// What a verdict says, in a form that can be compared.
private struct Outcome: Equatable, CustomStringConvertible {
    var isPermitted: Bool
    var policy: String?
    var rule: Int?
    var reason: String?
    var dryRun: [String]

    init(_ verdict: consuming Verdict) {
        switch consume verdict {
        case .permitted(let permit):
            isPermitted = true
            policy = permit.policy
            rule = permit.rule
            dryRun = permit.dryRun
        case .denied(let denial):
            isPermitted = false
            policy = denial.policy
            rule = denial.rule
            reason = denial.reason
            dryRun = denial.dryRun
        }
    }

    var description: String {
        "\(isPermitted ? "permitted" : "denied") by \(policy ?? "-")[\(rule ?? -1)] \(reason ?? "")"
    }
}

private func match(_ edit: (inout Policy.Match) -> Void) -> Policy.Match {
    var match = Policy.Match()
    edit(&match)
    return match
}

/// A rule of one clause for each list of matches.
private func rule(_ clauses: [Policy.Match]...) -> Policy.Rule {
    Policy.Rule(clauses: clauses.map { Policy.Clause(matches: $0) })
}

private func policy(
    _ name: String,
    _ action: Policy.Action,
    _ rules: [Policy.Rule],
    scope: Policy.Scope = .global,
    namespace: String = "shop",
    dryRun: Bool = false
) -> Policy {
    var policy = Policy(name: name, namespace: namespace, scope: scope, action: action)
    policy.rules = rules
    policy.dryRun = dryRun
    return policy
}

private let everyone = Policy.Rule(clauses: [])
private let port8080 = rule([match { $0.destinationPorts = [8080] }])
private let port9090 = rule([match { $0.destinationPorts = [9090] }])
private let anyIdentity = SPIFFEID(uri: "spiffe://cluster.local/ns/front/sa/client")

private func flow(
    from source: String = "10.1.0.9",
    as identity: SPIFFEID? = anyIdentity,
    to destination: String = "10.1.0.5:8080"
) throws -> Flow {
    Flow(
        source: try #require(IPAddress(source)),
        identity: identity,
        destination: try #require(SocketAddress(destination))
    )
}

/// Asks policies whether the sample flow may reach `shop/web`, which names `named`.
private func ask(
    _ policies: [Policy],
    named: [String] = [],
    _ flow: Flow
) throws -> Outcome {
    var mesh = SampleMesh()
    try mesh.pod("web", at: "10.1.0.5") { $0.authorizationPolicies = named }
    mesh.policies = policies
    let record = try #require(mesh.snapshot().workload(namespace: "shop", name: "web"))
    return Outcome(authorize(flow, to: record))
}

@Suite struct `Policies together` {
    @Test func `allow what none applies to`() throws {
        let outcome = try ask([], flow())
        #expect(outcome.isPermitted && outcome.policy == nil && outcome.rule == nil)
    }

    @Test func `deny what no ALLOW policy allows`() throws {
        let outcome = try ask([policy("a", .allow, [port9090])], flow())
        #expect(!outcome.isPermitted && outcome.policy == "shop/a" && outcome.rule == nil)
        #expect(outcome.reason == "allow policies exist, but none allowed")
    }

    @Test func `allow what any ALLOW policy allows, and say which rule`() throws {
        let policies = [
            policy("a", .allow, [port9090]), policy("b", .allow, [port9090, port8080, everyone]),
        ]
        let outcome = try ask(policies, flow())
        #expect(outcome.isPermitted && outcome.policy == "shop/b" && outcome.rule == 1)
    }

    @Test func `deny what a DENY policy matches, whatever allows it`() throws {
        let policies = [
            policy("allow", .allow, [everyone]), policy("deny", .deny, [port9090, port8080]),
        ]
        let outcome = try ask(policies, flow())
        #expect(!outcome.isPermitted && outcome.policy == "shop/deny" && outcome.rule == 1)
        #expect(outcome.reason == "explicitly denied by: shop/deny")
    }

    @Test func `allow what no DENY policy matches when there is no ALLOW policy`() throws {
        let outcome = try ask([policy("deny", .deny, [port9090])], flow())
        #expect(outcome.isPermitted && outcome.policy == nil)
    }

    @Test func `deny everything by an ALLOW policy without rules`() throws {
        #expect(try !ask([policy("none", .allow, [])], flow()).isPermitted)
    }

    @Test func `deny nothing by a DENY policy without rules`() throws {
        #expect(try ask([policy("none", .deny, [])], flow()).isPermitted)
    }

    @Test func `match everything by a rule without clauses`() throws {
        #expect(try ask([policy("all", .allow, [everyone])], flow()).policy == "shop/all")
        #expect(try !ask([policy("all", .deny, [everyone])], flow()).isPermitted)
    }

    @Test func `match everything by a clause without matches`() throws {
        #expect(try ask([policy("all", .allow, [rule([])])], flow()).isPermitted)
        #expect(try !ask([policy("all", .deny, [rule([])])], flow()).isPermitted)
    }

    @Test func `match nothing by a match without fields`() throws {
        let empty = rule([Policy.Match()])
        #expect(try !ask([policy("a", .allow, [empty])], flow()).isPermitted)
        #expect(try ask([policy("d", .deny, [empty])], flow()).isPermitted)
        // Nor does it spoil its neighbours.
        let beside = rule([Policy.Match(), match { $0.destinationPorts = [8080] }])
        #expect(try ask([policy("a", .allow, [beside])], flow()).isPermitted)
    }

    @Test func `need every clause of a rule and any match of a clause`() throws {
        let yes = match { $0.destinationPorts = [8080] }
        let no = match { $0.destinationPorts = [1] }
        let table: [(Policy.Rule, Bool)] = [
            (rule([yes]), true), (rule([no]), false), (rule([yes, no]), true),
            (rule([no, yes]), true), (rule([yes], [no]), false), (rule([no], [yes]), false),
            (rule([yes], [no, yes]), true), (rule([], [yes]), true), (rule([], [no]), false),
        ]
        for (rule, holds) in table {
            #expect(try ask([policy("p", .allow, [rule])], flow()).isPermitted == holds)
            #expect(try ask([policy("p", .deny, [rule])], flow()).isPermitted == !holds)
        }
    }

    @Test func `need every field of a match`() throws {
        let table: [(Policy.Match, Bool)] = [
            (
                match {
                    $0.destinationPorts = [8080]; $0.namespaces = [.exact("front")]
                }, true
            ),
            (
                match {
                    $0.destinationPorts = [8080]; $0.namespaces = [.exact("back")]
                }, false
            ),
            (
                match {
                    $0.destinationPorts = [1]; $0.namespaces = [.exact("front")]
                }, false
            ),
            (
                match {
                    $0.destinationPorts = [8080]; $0.notNamespaces = [.exact("front")]
                }, false
            ),
            (
                match {
                    $0.destinationPorts = [8080]; $0.notNamespaces = [.exact("back")]
                }, true
            ),
        ]
        for (match, holds) in table {
            #expect(try ask([policy("p", .deny, [rule([match])])], flow()).isPermitted == !holds)
        }
    }
}

@Suite struct `The scope of a policy` {
    @Test func `reaches the whole mesh, its namespace or who names it`() throws {
        let table: [(Policy.Scope, String, [String], Bool)] = [
            (.global, "ambit-system", [], true),
            (.namespace, "shop", [], true),
            (.namespace, "other", [], false),
            (.workloadSelector, "shop", [], false),
            (.workloadSelector, "shop", ["shop/deny"], true),
            (.workloadSelector, "ambit-system", ["ambit-system/deny"], true),
            (.workloadSelector, "other", ["other/deny"], true),
            (.namespace, "other", ["other/deny"], true),
            (.global, "shop", ["shop/deny"], true),
        ]
        for (scope, namespace, named, applies) in table {
            let deny = policy("deny", .deny, [everyone], scope: scope, namespace: namespace)
            let outcome = try ask([deny], named: named, flow())
            #expect(outcome.isPermitted == !applies, "\(scope) of \(namespace), named \(named)")
        }
    }

    @Test func `does not make an ALLOW policy of elsewhere deny here`() throws {
        let allow = policy("a", .allow, [port9090], scope: .namespace, namespace: "other")
        #expect(try ask([allow], flow()).isPermitted)
    }

    @Test func `fails closed for a named policy nobody knows`() throws {
        let outcome = try ask([policy("a", .allow, [everyone])], named: ["shop/gone"], flow())
        #expect(!outcome.isPermitted && outcome.policy == nil)
        #expect(outcome.reason == "policy shop/gone is not known yet")
    }
}

@Suite struct `A dry-run policy` {
    @Test func `is told of and never enforced`() throws {
        let table: [(policies: [Policy], permitted: Bool, notes: [String])] = [
            ([policy("d", .deny, [everyone], dryRun: true)], true, ["would be denied by shop/d"]),
            ([policy("d", .deny, [port9090], dryRun: true)], true, []),
            ([policy("a", .allow, [everyone], dryRun: true)], true, ["would be allowed by shop/a"]),
            (
                [policy("a", .allow, [port9090], dryRun: true)], true,
                ["would be denied: dry-run allow policies exist, but none allowed"]
            ),
            (
                [
                    policy("a", .allow, [port9090], dryRun: true),
                    policy("real", .allow, [everyone]),
                ], true, []
            ),
            (
                [
                    policy("a", .allow, [everyone], dryRun: true),
                    policy("real", .allow, [port9090]),
                ], false, ["would be allowed by shop/a"]
            ),
            (
                [
                    policy("d", .deny, [everyone], dryRun: true),
                    policy("real", .deny, [everyone]),
                ], false, ["would be denied by shop/d"]
            ),
        ]
        for (policies, permitted, notes) in table {
            let outcome = try ask(policies, flow())
            #expect(outcome.isPermitted == permitted)
            #expect(outcome.dryRun == notes)
        }
    }

    @Test func `adds a bounded number of notes`() throws {
        let policies = (0..<50).map { policy("d\($0)", .deny, [everyone], dryRun: true) }
        #expect(try ask(policies, flow()).dryRun.count == dryRunNotesMax)
    }
}

@Suite struct `A match` {
    /// Whether a flow matches, seen through an enforced DENY policy.
    private func holds(_ flow: Flow, _ edit: (inout Policy.Match) -> Void) throws -> Bool {
        try !ask([policy("p", .deny, [rule([match(edit)])])], flow).isPermitted
    }

    @Test(arguments: [
        (Policy.StringMatch.exact("cluster.local/ns/front/sa/client"), true),
        (.exact("spiffe://cluster.local/ns/front/sa/client"), false),
        (.exact("cluster.local/ns/front/sa/clien"), false),
        (.exact("cluster.local/ns/front/sa/client2"), false),
        (.exact("cluster.local/ns/front/sa/CLIENT"), false), (.exact(""), false),
        (.exact("cluster-local/ns/front/sa/client"), false),
        (.prefix("cluster.local/ns/front/"), true), (.prefix("cluster.local.evil"), false),
        (.prefix("luster"), false), (.prefix("cluster.local/ns/front/sa/client"), true),
        (.prefix("cluster.local/ns/front/sa/client2"), false),
        (.suffix("/sa/client"), true), (.suffix("/sa/clien"), false),
        (.suffix("x/cluster.local/ns/front/sa/client"), false), (.presence, true),
        (.prefix("cluster.\u{17F}ocal"), false), (.exact("cluster.loca\u{212A}"), false),
    ])
    func `compares principals`(test: Policy.StringMatch, expected: Bool) throws {
        #expect(try holds(flow()) { $0.principals = [test] } == expected)
        #expect(try holds(flow()) { $0.notPrincipals = [test] } == !expected)
    }

    @Test(arguments: [
        (Policy.StringMatch.exact("front"), true), (.exact("fron"), false), (.prefix("fr"), true),
        (.suffix("nt"), true), (.suffix("ont2"), false), (.presence, true),
        (.exact("client"), false),
    ])
    func `compares namespaces`(test: Policy.StringMatch, expected: Bool) throws {
        #expect(try holds(flow()) { $0.namespaces = [test] } == expected)
        #expect(try holds(flow()) { $0.notNamespaces = [test] } == !expected)
    }

    @Test(arguments: [
        Policy.StringMatch.exact("cluster.local/ns/front/sa/client"), .exact(""), .prefix(""),
        .suffix(""), .presence, .prefix("cluster"),
    ])
    func `finds no text where there is no identity`(test: Policy.StringMatch) throws {
        let plain = try flow(as: nil)
        #expect(try !holds(plain) { $0.principals = [test] })
        #expect(try holds(plain) { $0.notPrincipals = [test] })
        #expect(try !holds(plain) { $0.namespaces = [test] })
        #expect(try holds(plain) { $0.notNamespaces = [test] })
    }

    @Test func `compares service accounts whatever the trust domain`() throws {
        let foreign = try flow(as: SPIFFEID(uri: "spiffe://elsewhere/ns/front/sa/client"))
        let account = Policy.ServiceAccountMatch(namespace: "front", serviceAccount: "client")
        let other = Policy.ServiceAccountMatch(namespace: "front", serviceAccount: "clienu")
        for flow in [foreign, try flow()] {
            #expect(try holds(flow) { $0.serviceAccounts = [account] })
            #expect(try holds(flow) { $0.serviceAccounts = [other, account] })
            #expect(try !holds(flow) { $0.serviceAccounts = [other] })
            #expect(try !holds(flow) { $0.notServiceAccounts = [account] })
            #expect(try holds(flow) { $0.notServiceAccounts = [other] })
        }
        let plain = try flow(as: nil)
        #expect(try !holds(plain) { $0.serviceAccounts = [account] })
        #expect(try holds(plain) { $0.notServiceAccounts = [account] })
    }

    @Test(arguments: [
        ("10.1.0.9", "10.1.0.9", true), ("10.1.0.9", "10.1.0.8", false),
        ("10.1.0.9", "10.0.0.0/8", true), ("10.1.0.9", "10.1.0.8/31", true),
        ("10.1.0.9", "10.1.0.10/31", false), ("10.1.0.9", "0.0.0.0/0", true),
        ("10.1.0.9", "::/0", false), ("fd00::9", "::/0", true), ("fd00::9", "0.0.0.0/0", false),
        ("fd00::9", "fd00::/64", true), ("fd00:0:0:1::9", "fd00::/64", false),
        ("fd00::9", "fd00::9", true), ("::ffff:10.1.0.9", "10.1.0.9", true),
        ("10.1.0.9", "::ffff:10.1.0.9", true),
    ])
    func `compares source addresses`(source: String, block: String, expected: Bool) throws {
        let prefix = try #require(IPPrefix(block))
        let given = try flow(from: source)
        #expect(try holds(given) { $0.sourceIPs = [prefix] } == expected)
        #expect(try holds(given) { $0.notSourceIPs = [prefix] } == !expected)
    }

    @Test func `compares destination addresses and ports`() throws {
        let block = try #require(IPPrefix("10.1.0.0/24"))
        let other = try #require(IPPrefix("10.2.0.0/24"))
        #expect(try holds(flow()) { $0.destinationIPs = [other, block] })
        #expect(try !holds(flow()) { $0.destinationIPs = [other] })
        #expect(try !holds(flow()) { $0.notDestinationIPs = [other, block] })
        #expect(try holds(flow()) { $0.destinationPorts = [1, 8080] })
        #expect(try !holds(flow()) { $0.destinationPorts = [80, 15_008] })
        #expect(try !holds(flow()) { $0.notDestinationPorts = [1, 8080] })
        #expect(try holds(flow()) { $0.notDestinationPorts = [80] })
    }

    @Test func `lets an exception through a wider test`() throws {
        let inside = try #require(IPPrefix("10.0.0.0/8"))
        let except = try #require(IPPrefix("10.1.0.9"))
        let edit = { (match: inout Policy.Match) in
            match.sourceIPs = [inside]
            match.notSourceIPs = [except]
        }
        #expect(try !holds(flow(from: "10.1.0.9"), edit))
        #expect(try holds(flow(from: "10.1.0.8"), edit))
        #expect(try !holds(flow(from: "11.1.0.9"), edit))
    }
}

@Suite struct `PeerAuthentication as it is converted` {
    private let strict = policy(
        "strict",
        .deny,
        [rule([match { $0.notPrincipals = [.presence] }])],
        scope: .workloadSelector,
        namespace: "ambit-system"
    )

    @Test func `denies plaintext when strict`() throws {
        let named = ["ambit-system/strict"]
        #expect(try ask([strict], named: named, flow()).isPermitted)
        #expect(try !ask([strict], named: named, flow(as: nil)).isPermitted)
        #expect(try ask([strict], flow(as: nil)).isPermitted)
    }

    @Test func `denies plaintext but for permissive ports`() throws {
        let clause = [match { $0.notPrincipals = [.presence] }]
        let except = [match { $0.notDestinationPorts = [9090] }]
        let policies = [policy("port", .deny, [rule(clause, except)])]
        #expect(try !ask(policies, flow(as: nil)).isPermitted)
        #expect(try ask(policies, flow(as: nil, to: "10.1.0.5:9090")).isPermitted)
        #expect(try ask(policies, flow()).isPermitted)
    }
}

@Suite struct `An open connection` {
    private func snapshots(
        _ edit: (inout SampleMesh) throws -> Void
    ) throws -> (diff: SnapshotDiff, new: Snapshot) {
        var mesh = SampleMesh()
        try mesh.pod("web", at: "10.1.0.5")
        let old = mesh.snapshot()
        try edit(&mesh)
        let (new, diff) = mesh.snapshot(after: old)
        return (diff, new)
    }

    private let uid = "c//Pod/shop/web"

    @Test func `stays while nothing forbids it`() throws {
        let (_, new) = try snapshots { $0.policies = [policy("p", .deny, [port9090])] }
        #expect(try recheck(flow(), to: uid, in: new) == .permitted)
    }

    @Test func `is denied by a new policy`() throws {
        let (_, new) = try snapshots { $0.policies = [policy("p", .deny, [port8080])] }
        guard case .denied(let denial) = try recheck(flow(), to: uid, in: new) else {
            Issue.record("not denied")
            return
        }
        #expect(denial.policy == "shop/p")
    }

    @Test func `is denied by a policy that newly selects its workload`() throws {
        let (diff, new) = try snapshots { mesh in
            mesh.policies = [policy("p", .deny, [everyone], scope: .workloadSelector)]
            mesh.workloads[0].authorizationPolicies = ["shop/p"]
        }
        #expect(diff.changed == [uid])
        #expect(try recheck(flow(), to: uid, in: new) != .permitted)
    }

    @Test func `departs with its workload`() throws {
        let (_, new) = try snapshots { $0.workloads = [] }
        #expect(try recheck(flow(), to: uid, in: new) == .departed)
    }

    @Test func `departs when its address is another pod's`() throws {
        let (_, new) = try snapshots { mesh in
            mesh.workloads[0].addresses = [try #require(IPAddress("10.1.0.6"))]
            try mesh.pod("other", at: "10.1.0.5")
        }
        #expect(try recheck(flow(), to: uid, in: new) == .departed)
    }
}
