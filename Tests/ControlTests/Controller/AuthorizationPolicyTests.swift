import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `An AuthorizationPolicy at L4` {
    private static let web = "cluster.local/ns/shop/sa/web"
    private static let pods = [
        Manifest.pod("payments", labels: "app: payments"), Manifest.pod("other"),
    ]

    private func mesh(_ documents: String...) throws -> MeshFixture {
        try MeshFixture(Manifest.joined(Self.pods + documents))
    }

    // MARK: Scope

    @Test(arguments: [
        ("shop", "", Policy.Scope.namespace),
        ("shop", "selector: {}", .namespace),
        ("shop", "selector: {matchLabels: {app: payments}}", .workloadSelector),
        ("ambit-system", "", .global),
        ("ambit-system", "selector: {matchLabels: {}}", .global),
        ("ambit-system", "selector: {matchLabels: {app: payments}}", .workloadSelector),
    ])
    func `holds for the mesh, a namespace or the pods it selects`(
        namespace: String,
        selector: String,
        scope: Policy.Scope
    ) throws {
        let mesh = try mesh(Manifest.authorization("p", namespace: namespace, selector + "\n"))
        let policy = try mesh.policy("p")
        #expect(policy.scope == scope)
        #expect(policy.key == namespace + "/p")
        let isNamed = scope == .workloadSelector
        #expect(
            try mesh.workload("payments").authorizationPolicies == (isNamed ? [policy.key] : [])
        )
        #expect(try mesh.workload("other").authorizationPolicies.isEmpty)
        // ALLOW without rules denies all.
        #expect(try !mesh.permits(Self.web, to: "payments"))
        #expect(try mesh.permits(Self.web, to: "other") == isNamed)
    }

    @Test func `of another namespace selects nothing here`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                namespace: "elsewhere",
                "selector: {matchLabels: {app: payments}}"
            )
        )
        #expect(try mesh.workload("payments").authorizationPolicies.isEmpty)
        #expect(try mesh.permits(nil, to: "payments"))
    }

    @Test func `in a root namespace of another name is global`() throws {
        var settings = MeshSettings()
        settings.rootNamespace = "istio-system"
        let mesh = try MeshFixture(
            Manifest.authorization("p", namespace: "istio-system", "action: DENY\nrules: [{}]"),
            settings: settings
        )
        #expect(try mesh.policy("p").scope == .global)
    }

    // MARK: Rules

    @Test func `keeps every L4 field of sources`() throws {
        let clauses = try clauses(
            """
            from:
            - source:
                principals: ["\(Self.web)", "spiffe://cluster.local/ns/a/sa/b", "*"]
                notPrincipals: ["cluster.local/ns/x/*", "*/sa/y", "spiffe://*"]
                namespaces: [a, "b*"]
                notNamespaces: ["*c"]
                ipBlocks: [10.0.0.0/8, 192.0.2.1, "fd00::/16"]
                notIpBlocks: ["::1"]
            - source: {serviceAccounts: [web, other/robot.a], notServiceAccounts: [x/y]}
            """
        )
        var named = Policy.Match()
        named.principals = [.exact(Self.web), .exact("cluster.local/ns/a/sa/b"), .presence]
        named.notPrincipals = [.prefix("cluster.local/ns/x/"), .suffix("/sa/y"), .presence]
        named.namespaces = [.exact("a"), .prefix("b")]
        named.notNamespaces = [.suffix("c")]
        named.sourceIPs = try prefixes("10.0.0.0/8", "192.0.2.1", "fd00::/16")
        named.notSourceIPs = try prefixes("::1")
        var accounts = Policy.Match()
        accounts.serviceAccounts = [
            Policy.ServiceAccountMatch(namespace: "shop", serviceAccount: "web"),
            Policy.ServiceAccountMatch(namespace: "other", serviceAccount: "robot.a"),
        ]
        accounts.notServiceAccounts = [
            Policy.ServiceAccountMatch(namespace: "x", serviceAccount: "y")
        ]
        #expect(clauses == [[named, accounts]])
    }

    @Test func `keeps every L4 field of operations and conditions`() throws {
        let clauses = try clauses(
            """
            to:
            - operation: {ports: ["80", "65535"], notPorts: ["1"]}
            when:
            - {key: source.ip, values: [10.0.0.1], notValues: [10.0.0.2]}
            - {key: source.namespace, notValues: ["n*"]}
            - {key: source.principal, values: ["*/sa/z"]}
            - {key: source.serviceAccount, values: [q]}
            - {key: destination.ip, values: ["fd00::1"], notValues: [10.0.0.0/24]}
            - {key: destination.port, values: ["8080"], notValues: ["9090"]}
            """
        )
        var expected = [Policy.Match](repeating: Policy.Match(), count: 7)
        expected[0].destinationPorts = [80, 65535]
        expected[0].notDestinationPorts = [1]
        expected[1].sourceIPs = try prefixes("10.0.0.1")
        expected[1].notSourceIPs = try prefixes("10.0.0.2")
        expected[2].notNamespaces = [.prefix("n")]
        expected[3].principals = [.suffix("/sa/z")]
        expected[4].serviceAccounts = [
            Policy.ServiceAccountMatch(namespace: "shop", serviceAccount: "q")
        ]
        expected[5].destinationIPs = try prefixes("fd00::1")
        expected[5].notDestinationIPs = try prefixes("10.0.0.0/24")
        expected[6].destinationPorts = [8080]
        expected[6].notDestinationPorts = [9090]
        #expect(clauses == expected.map { [$0] })
    }

    // The clauses of a DENY policy with one rule.
    private func clauses(_ rule: String) throws -> [[Policy.Match]] {
        let lines = rule.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        let mesh = try mesh(Manifest.authorization("p", "action: DENY\nrules:\n-\n" + lines))
        #expect(mesh.translation.warnings.isEmpty, "\(mesh.translation.warnings)")
        let policy = try mesh.policy("p")
        #expect(policy.action == .deny)
        return try #require(policy.rules.first).clauses.map(\.matches)
    }

    private func prefixes(_ texts: String...) throws -> [IPPrefix] {
        try texts.map { try #require(IPPrefix($0)) }
    }

    @Test func `allows what any of its rules allows`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                """
                rules:
                - from: [{source: {principals: ["\(Self.web)"]}}]
                  to: [{operation: {ports: ["8080"]}}]
                - from: [{source: {namespaces: [ops]}}, {source: {ipBlocks: [192.0.2.0/24]}}]
                """
            )
        )
        #expect(try mesh.permits(Self.web, to: "payments"))
        #expect(try !mesh.permits(Self.web, to: "payments", port: 8081))
        #expect(try !mesh.permits("cluster.local/ns/shop/sa/web2", to: "payments"))
        #expect(try !mesh.permits("cluster.local.evil/ns/shop/sa/web", to: "payments"))
        #expect(try mesh.permits("cluster.local/ns/ops/sa/x", to: "payments", port: 1))
        #expect(try mesh.permits(nil, from: "192.0.2.9", to: "payments"))
        #expect(try !mesh.permits(nil, to: "payments"))
    }

    @Test func `with an empty rule matches everything, without rules nothing`() throws {
        let allow = try mesh(Manifest.authorization("p", "rules: [{}]"))
        #expect(try allow.permits(nil, to: "payments"))
        let deny = try mesh(Manifest.authorization("p", "action: DENY\nrules: [{}]"))
        #expect(try !deny.permits(Self.web, to: "payments"))
        let none = try mesh(Manifest.authorization("p", "action: DENY"))
        #expect(try none.permits(nil, to: "payments"))
        #expect(none.translation.warnings.map(\.field) == ["spec.rules"])
    }

    @Test(arguments: [
        ("ambit.dev/dry-run: 'true'", true), ("istio.io/dry-run: 'true'", true),
        ("istio.io/dry-run: 'false'", false),
        ("istio.io/dry-run: 'true', ambit.dev/dry-run: 'false'", false), ("", false),
    ])
    func `may be tried without being enforced`(annotations: String, isDryRun: Bool) throws {
        let mesh = try mesh(
            Manifest.authorization("p", annotations: annotations, "action: DENY\nrules: [{}]")
        )
        #expect(try mesh.policy("p").dryRun == isDryRun)
        #expect(try mesh.permits(Self.web, to: "payments") == isDryRun)
    }

    // MARK: L7

    private static let layer7Rules: [(String, String)] = [
        ("to: [{operation: {methods: [GET]}}]", "to[0].operation.methods"),
        ("to: [{operation: {notMethods: [GET]}}]", "to[0].operation.notMethods"),
        ("to: [{operation: {hosts: [a]}}]", "to[0].operation.hosts"),
        ("to: [{operation: {notHosts: [a]}}]", "to[0].operation.notHosts"),
        ("to: [{operation: {paths: [/a]}}]", "to[0].operation.paths"),
        ("to: [{operation: {notPaths: [/a]}}]", "to[0].operation.notPaths"),
        ("from: [{source: {requestPrincipals: ['*']}}]", "from[0].source.requestPrincipals"),
        ("from: [{source: {notRequestPrincipals: [a]}}]", "from[0].source.notRequestPrincipals"),
        ("from: [{source: {remoteIpBlocks: [10.0.0.1]}}]", "from[0].source.remoteIpBlocks"),
        ("from: [{source: {notRemoteIpBlocks: [10.0.0.1]}}]", "from[0].source.notRemoteIpBlocks"),
        ("when: [{key: 'request.headers[a]', values: [b]}]", "when[0]"),
        ("when: [{key: 'request.auth.claims[a]', notValues: [b]}]", "when[0]"),
        ("when: [{key: remote.ip, values: [10.0.0.1]}]", "when[0]"),
        ("when: [{key: connection.sni, values: [a]}]", "when[0]"),
    ]

    @Test(arguments: layer7Rules)
    func `that denies by HTTP fields alone denies all, with a warning`(
        rule: String,
        field: String
    ) throws {
        let mesh = try mesh(Manifest.authorization("p", "action: DENY\nrules: [{\(rule)}]"))
        #expect(try !mesh.permits(Self.web, to: "payments"))
        #expect(try !mesh.permits(nil, to: "payments"))
        #expect(mesh.translation.refusals.isEmpty)
        #expect(
            mesh.translation.warnings.map(\.description) == [
                "AuthorizationPolicy shop/p: spec.rules[0].\(field): HTTP is not visible at L4: "
                    + "the rule denies as if the field were absent"
            ]
        )
    }

    @Test(arguments: layer7Rules)
    func `that allows by HTTP fields allows nothing, with a warning`(
        rule: String,
        field: String
    ) throws {
        let mesh = try mesh(Manifest.authorization("p", "rules: [{\(rule)}]"))
        #expect(try mesh.policy("p").rules.isEmpty)
        #expect(try !mesh.permits(Self.web, to: "payments"))
        #expect(
            mesh.translation.warnings.map(\.description) == [
                "AuthorizationPolicy shop/p: spec.rules[0].\(field): HTTP is not visible at L4: "
                    + "the rule allows nothing here"
            ]
        )
    }

    @Test func `that denies by HTTP fields too keeps its L4 part`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                """
                action: DENY
                rules:
                - from: [{source: {namespaces: [shop], requestPrincipals: ["*"]}}]
                  to: [{operation: {ports: ["8080"], methods: [DELETE]}}]
                  when: [{key: "request.headers[x]", values: [y]}]
                """
            )
        )
        #expect(try !mesh.permits(Self.web, to: "payments"))
        #expect(try mesh.permits(Self.web, to: "payments", port: 9090))
        #expect(try mesh.permits("cluster.local/ns/ops/sa/x", to: "payments"))
    }

    @Test func `that denies by one alternative of HTTP alone does not lose it`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                """
                action: DENY
                rules:
                - from: [{source: {namespaces: [shop]}}]
                  to: [{operation: {ports: ["1"]}}, {operation: {paths: [/admin]}}]
                """
            )
        )
        #expect(try !mesh.permits(Self.web, to: "payments", port: 8080))
        #expect(try mesh.permits("cluster.local/ns/ops/sa/x", to: "payments"))
    }

    @Test func `for a waypoint has no effect, with a warning`() throws {
        let mesh = try mesh(
            Manifest.authorization("p", "targetRefs: [{kind: Service, name: web}]\nrules: []"),
            Manifest.authorization("q", "targetRef: {kind: Gateway, name: web}\naction: DENY")
        )
        #expect(mesh.translation.state.policies.isEmpty)
        #expect(mesh.translation.warnings.count == 2)
        #expect(mesh.translation.refusals.isEmpty)
    }
}
