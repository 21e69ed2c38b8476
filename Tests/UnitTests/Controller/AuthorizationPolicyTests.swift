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

    private func match(_ change: (inout Policy.Match) -> Void) -> Policy.Match {
        var match = Policy.Match()
        change(&match)
        return match
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

    @Test func `keeps every L4 field`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                """
                action: DENY
                rules:
                - from:
                  - source:
                      principals: ["\(Self.web)", "spiffe://cluster.local/ns/a/sa/b", "*"]
                      notPrincipals: ["cluster.local/ns/x/*", "*/sa/y", "spiffe://*"]
                      namespaces: [a, "b*"]
                      notNamespaces: ["*c"]
                      ipBlocks: [10.0.0.0/8, 192.0.2.1, "fd00::/16"]
                      notIpBlocks: ["::1"]
                  - source: {serviceAccounts: [web, other/robot.a], notServiceAccounts: [x/y]}
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
        )
        #expect(mesh.translation.warnings.isEmpty, "\(mesh.translation.warnings)")
        let policy = try mesh.policy("p")
        #expect(policy.action == .deny)
        let clauses = try #require(policy.rules.first).clauses.map(\.matches)
        func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
        let expected: [[Policy.Match]] = [
            [
                match {
                    $0.destinationPorts = [80, 65535]
                    $0.notDestinationPorts = [1]
                }
            ],
            [
                try {
                    var match = Policy.Match()
                    match.principals = [
                        .exact(Self.web), .exact("cluster.local/ns/a/sa/b"), .presence,
                    ]
                    match.notPrincipals = [
                        .prefix("cluster.local/ns/x/"), .suffix("/sa/y"), .presence,
                    ]
                    match.namespaces = [.exact("a"), .prefix("b")]
                    match.notNamespaces = [.suffix("c")]
                    match.sourceIPs = [
                        try prefix("10.0.0.0/8"), try prefix("192.0.2.1"), try prefix("fd00::/16"),
                    ]
                    match.notSourceIPs = [try prefix("::1")]
                    return match
                }(),
                match {
                    $0.serviceAccounts = [
                        Policy.ServiceAccountMatch(namespace: "shop", serviceAccount: "web"),
                        Policy.ServiceAccountMatch(namespace: "other", serviceAccount: "robot.a"),
                    ]
                    $0.notServiceAccounts = [
                        Policy.ServiceAccountMatch(namespace: "x", serviceAccount: "y")
                    ]
                },
            ],
            [
                try {
                    var match = Policy.Match()
                    match.sourceIPs = [try prefix("10.0.0.1")]
                    match.notSourceIPs = [try prefix("10.0.0.2")]
                    return match
                }()
            ],
            [match { $0.notNamespaces = [.prefix("n")] }],
            [match { $0.principals = [.suffix("/sa/z")] }],
            [
                match {
                    $0.serviceAccounts = [
                        Policy.ServiceAccountMatch(namespace: "shop", serviceAccount: "q")
                    ]
                }
            ],
            [
                try {
                    var match = Policy.Match()
                    match.destinationIPs = [try prefix("fd00::1")]
                    match.notDestinationIPs = [try prefix("10.0.0.0/24")]
                    return match
                }()
            ],
            [
                match {
                    $0.destinationPorts = [8080]
                    $0.notDestinationPorts = [9090]
                }
            ],
        ]
        #expect(clauses == expected)
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

    // MARK: Refusals

    private static let refusals: [(spec: String, reason: String)] = [
        ("action: CUSTOM", "spec.action: CUSTOM is not supported"),
        ("action: AUDIT", "spec.action: AUDIT is not supported"),
        ("action: allow", "spec.action: must be ALLOW or DENY"),
        ("rule: []", "spec.rule: is not a known field"),
        ("selector: {app: web}", "spec.selector.app: is not a known field"),
        (
            "targetRefs: [{name: a}]\nselector: {}",
            "spec.targetRefs: cannot stand beside a selector"
        ),
        ("rules: [{from: []}]", "spec.rules[0].from: \(empty)"),
        ("rules: [{to: []}]", "spec.rules[0].to: \(empty)"),
        ("rules: [{when: []}]", "spec.rules[0].when: \(empty)"),
        (
            "rules: [{}, {from: [{source: {}}]}]",
            "spec.rules[1].from[0].source: must have at least one field"
        ),
        (
            "rules: [{to: [{operation: {}}]}]",
            "spec.rules[0].to[0].operation: must have at least one field"
        ),
        (
            "rules: [{from: [{source: {principals: []}}]}]",
            "spec.rules[0].from[0].source.principals: \(empty)"
        ),
        (
            "rules: [{from: [{source: {principals: [a, '']}}]}]",
            "spec.rules[0].from[0].source.principals[1]: must be \(principal), found \"\""
        ),
        (
            "rules: [{from: [{source: {notPrincipals: ['a*b']}}]}]",
            "spec.rules[0].from[0].source.notPrincipals[0]: must be \(principal), found \"a*b\""
        ),
        (
            "rules: [{from: [{source: {principals: ['spiffe://']}}]}]",
            "spec.rules[0].from[0].source.principals[0]: must be \(principal), "
                + "found \"spiffe://\""
        ),
        (
            "rules: [{from: [{source: {namespaces: ['*a*']}}]}]",
            "spec.rules[0].from[0].source.namespaces[0]: must be \(name), found \"*a*\""
        ),
        (
            "rules: [{from: [{source: {namespaces: [\"a\\0\"]}}]}]",
            "spec.rules[0].from[0].source.namespaces[0]: must be \(name), found \"a?\""
        ),
        (
            "rules: [{from: [{source: {ipBlocks: [10.0.0.0/33]}}]}]",
            "spec.rules[0].from[0].source.ipBlocks[0]: must be \(block), found \"10.0.0.0/33\""
        ),
        (
            "rules: [{from: [{source: {notIpBlocks: [example.com]}}]}]",
            "spec.rules[0].from[0].source.notIpBlocks[0]: must be \(block), found \"example.com\""
        ),
        (
            "rules: [{from: [{source: {serviceAccounts: ['a/*']}}]}]",
            "spec.rules[0].from[0].source.serviceAccounts[0]: must be \(account), found \"a/*\""
        ),
        (
            "rules: [{from: [{source: {serviceAccounts: [a/b/c]}}]}]",
            "spec.rules[0].from[0].source.serviceAccounts[0]: must be \(account), found \"a/b/c\""
        ),
        (
            "rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]",
            "spec.rules[0].from[0].source.serviceAccounts: "
                + "cannot stand beside principals or namespaces"
        ),
        (
            "rules: [{to: [{operation: {ports: ['0']}}]}]",
            "spec.rules[0].to[0].operation.ports[0]: must be \(port), found \"0\""
        ),
        (
            "rules: [{to: [{operation: {notPorts: ['http']}}]}]",
            "spec.rules[0].to[0].operation.notPorts[0]: must be \(port), found \"http\""
        ),
        (
            "rules: [{to: [{operation: {ports: ['+80']}}]}]",
            "spec.rules[0].to[0].operation.ports[0]: must be \(port), found \"+80\""
        ),
        (
            "rules: [{when: [{key: source.ip}]}]",
            "spec.rules[0].when[0]: must have values or notValues"
        ),
        (
            "rules: [{when: [{key: source.ipp, values: [a]}]}]",
            "spec.rules[0].when[0].key: \"source.ipp\" is not a known attribute"
        ),
        (
            "rules: [{when: [{key: destination.port, values: ['80', x]}]}]",
            "spec.rules[0].when[0].values[1]: must be \(port), found \"x\""
        ),
        (
            "rules: [{when: [{key: source.ip, notValues: []}]}]",
            "spec.rules[0].when[0].notValues: \(empty)"
        ),
    ]

    @Test(arguments: refusals)
    func `is refused whole when it cannot be understood`(spec: String, reason: String) throws {
        let mesh = try mesh(
            Manifest.authorization("bad", spec),
            Manifest.authorization("good", "rules: [{}]")
        )
        #expect(
            mesh.translation.refusals.map(\.description) == [
                "AuthorizationPolicy shop/bad: \(reason)"
            ]
        )
        #expect(mesh.translation.state.policies.map(\.name) == ["good"])
    }

    private static let empty = "must not be empty; leave it out to match all"
    private static let principal =
        "TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT with at most one *, at an end"
    private static let name = "a name with at most one *, at an end"
    private static let block = "an address or a block such as 10.0.0.0/8"
    private static let account = "NAMESPACE/ACCOUNT without *"
    private static let port = "a port from 1 to 65535"

    @Test func `is refused when its dry-run annotation is no truth value`() throws {
        let mesh = try mesh(
            Manifest.authorization("p", annotations: "ambit.dev/dry-run: maybe", "rules: []")
        )
        #expect(
            mesh.translation.refusals.map(\.field) == ["metadata.annotations.ambit.dev/dry-run"]
        )
    }

    @Test(arguments: [
        "other.org/ns/shop/sa/web", "cluster.local/sa/web", "cluster.local/ns/shop/sa/web/",
        "Cluster.local/ns/shop/sa/web", "web",
    ])
    func `warns of a principal that no workload has`(principal: String) throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                "rules: [{from: [{source: {principals: ['\(principal)']}}]}]"
            )
        )
        #expect(
            mesh.translation.warnings.map(\.field) == ["spec.rules[0].from[0].source.principals[0]"]
        )
        #expect(try !mesh.permits(Self.web, to: "payments"))
    }

    @Test func `matches names to the letter, dots included`() throws {
        let mesh = try mesh(
            Manifest.authorization(
                "p",
                "rules: [{from: [{source: {serviceAccounts: [shop/web.api]}}]}]"
            )
        )
        #expect(try mesh.permits("cluster.local/ns/shop/sa/web.api", to: "payments"))
        #expect(try !mesh.permits("cluster.local/ns/shop/sa/webxapi", to: "payments"))
    }
}
