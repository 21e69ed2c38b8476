import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A mistaken AuthorizationPolicy` {
    private static let web = "cluster.local/ns/shop/sa/web"

    private func mesh(_ documents: String...) throws -> MeshFixture {
        try MeshFixture(
            Manifest.joined([Manifest.pod("payments", labels: "app: payments")] + documents)
        )
    }

    private static let refusals: [(spec: String, reason: String)] = [
        ("action: CUSTOM", "spec.action: CUSTOM is not supported"),
        ("action: AUDIT", "spec.action: AUDIT is not supported"),
        ("action: allow", "spec.action: must be ALLOW or DENY"),
        ("rule: []", "spec.rule: is not a known field"),
        ("selector: {app: web}", "spec.selector.app: is not a known field"),
        (
            "targetRefs: [{kind: Gateway, name: a}]\nselector: {}",
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

    @Test(arguments: [
        (
            "[{kind: Pod, name: a}]",
            "[0].kind: must be one of Gateway, GatewayClass, Service, ServiceEntry, found \"Pod\""
        ),
        ("[{kind: Service}]", "[0].name: is required"),
        ("[{kind: Service, name: ''}]", "[0].name: must not be empty"),
        ("[{name: a}]", "[0].kind: is required"),
        ("[{kind: Service, name: a}, {kind: 7, name: a}]", "[1].kind: must be a string"),
        (
            "[{group: apps, kind: Gateway, name: a}]",
            "[0].group: must be \"gateway.networking.k8s.io\" for a Gateway"
        ),
        (
            "[{kind: Service, name: a, namespace: other}]",
            "[0].namespace: must be the policy's own, or left out"
        ),
    ])
    func `is refused when it is for what no waypoint stands for`(
        targets: String,
        reason: String
    ) throws {
        let text = Manifest.authorization("p", "action: DENY\ntargetRefs: \(targets)")
        let problems = Manifests(files: [("a.yaml", Array(text.utf8))]).problems
        let found = problems.map(\.description).joined()
        #expect(found.contains("spec.targetRefs\(reason)"), "\(found)")
    }

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
