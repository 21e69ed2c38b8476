import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A PeerAuthentication at L4` {
    private static let web = "cluster.local/ns/shop/sa/web"
    private static let strictKey = "ambit-system/istio_converted_static_strict"
    private static let pods = [
        Manifest.pod("db", labels: "app: db"), Manifest.pod("other"),
        Manifest.pod("away", namespace: "elsewhere", labels: "app: db"),
    ]
    private static let selectsDB = "selector: {matchLabels: {app: db}}"

    private func mesh(_ documents: [String]) throws -> MeshFixture {
        try MeshFixture(Manifest.joined(Self.pods + documents))
    }

    private func takesPlaintext(_ mesh: MeshFixture) throws -> [Bool] {
        try ["db", "other", "away"].map { try mesh.permits(nil, to: $0) }
    }

    @Test func `is not there: plaintext is taken and no policy is made`() throws {
        let mesh = try mesh([])
        #expect(mesh.translation.state.policies.isEmpty)
        #expect(try takesPlaintext(mesh) == [true, true, true])
    }

    @Test(
        arguments: [
            // Mesh, namespace, workload; each overrules the one before.
            (["STRICT", nil, nil], [false, false, false]),
            (["PERMISSIVE", nil, nil], [true, true, true]),
            (["UNSET", nil, nil], [true, true, true]),
            ([nil, "STRICT", nil], [false, false, true]),
            (["STRICT", "PERMISSIVE", nil], [true, true, false]),
            (["STRICT", "DISABLE", nil], [true, true, false]),
            (["STRICT", "UNSET", nil], [false, false, false]),
            ([nil, nil, "STRICT"], [false, true, true]),
            ([nil, "STRICT", "PERMISSIVE"], [true, false, true]),
            ([nil, "STRICT", "DISABLE"], [true, false, true]),
            ([nil, "STRICT", "UNSET"], [false, false, true]),
            (["STRICT", "UNSET", "UNSET"], [false, false, false]),
            (["STRICT", "DISABLE", "STRICT"], [false, true, false]),
        ] as [([String?], [Bool])]
    )
    func `holds for the mesh, a namespace or a workload`(
        modes: [String?],
        plaintext: [Bool]
    ) throws {
        var documents: [String] = []
        if let mode = modes[0] {
            documents.append(
                Manifest.peers("m", namespace: "ambit-system", "mtls: {mode: \(mode)}")
            )
        }
        if let mode = modes[1] { documents.append(Manifest.peers("n", "mtls: {mode: \(mode)}")) }
        if let mode = modes[2] {
            documents.append(Manifest.peers("w", "\(Self.selectsDB), mtls: {mode: \(mode)}"))
        }
        let mesh = try mesh(documents)
        #expect(try takesPlaintext(mesh) == plaintext)
        for name in ["db", "other", "away"] { #expect(try mesh.permits(Self.web, to: name)) }
        // The strict policy is there as soon as any object is.
        #expect(mesh.translation.state.policies.map(\.key) == [Self.strictKey])
        #expect(try mesh.policy("istio_converted_static_strict").scope == .workloadSelector)
        #expect(mesh.translation.warnings.isEmpty)
    }

    @Test(arguments: [
        // Namespace mode, own mode, ports, then plaintext taken on 8080, 9090 and 7070.
        ("PERMISSIVE", "STRICT", "8080: {mode: PERMISSIVE}", [true, false, false]),
        (
            "PERMISSIVE", "STRICT", "8080: {mode: DISABLE}, 9090: {mode: PERMISSIVE}",
            [true, true, false]
        ),
        ("PERMISSIVE", "STRICT", "8080: {mode: STRICT}", [false, false, false]),
        ("PERMISSIVE", "STRICT", "8080: {mode: UNSET}, 9090: {}", [false, false, false]),
        (
            "PERMISSIVE", "STRICT", "8080: {mode: UNSET}, 9090: {mode: DISABLE}",
            [false, true, false]
        ),
        ("STRICT", "PERMISSIVE", "8080: {mode: STRICT}", [false, true, true]),
        ("STRICT", "DISABLE", "8080: {mode: STRICT}, 9090: {mode: STRICT}", [false, false, true]),
        ("STRICT", "PERMISSIVE", "8080: {mode: DISABLE}", [true, true, true]),
        ("STRICT", "UNSET", "8080: {mode: PERMISSIVE}", [true, false, false]),
        ("PERMISSIVE", "UNSET", "8080: {mode: STRICT}", [false, true, true]),
        ("PERMISSIVE", "UNSET", "8080: {mode: PERMISSIVE}", [true, true, true]),
    ])
    func `may have modes for single ports`(
        namespaceMode: String,
        mode: String,
        ports: String,
        plaintext: [Bool]
    ) throws {
        let mesh = try mesh([
            Manifest.peers("n", "mtls: {mode: \(namespaceMode)}"),
            Manifest.peers(
                "w",
                "\(Self.selectsDB), mtls: {mode: \(mode)}, portLevelMtls: {\(ports)}"
            ),
        ])
        let taken = try [8080, 9090, 7070].map { try mesh.permits(nil, to: "db", port: $0) }
        #expect(taken == plaintext)
        for port in [8080, 9090, 7070] as [UInt16] {
            #expect(try mesh.permits(Self.web, to: "db", port: port))
        }
        let isUniform = Set(plaintext).count == 1
        let keys = mesh.translation.state.policies.map(\.key)
        #expect(
            keys == [Self.strictKey] + (isUniform ? [] : ["shop/converted_peer_authentication_w"])
        )
        #expect(try mesh.workload("db").authorizationPolicies.count <= 1)
    }

    @Test func `with modes for ports becomes one policy as istiod makes it`() throws {
        let mesh = try mesh([
            Manifest.peers(
                "w",
                "\(Self.selectsDB), mtls: {mode: STRICT}, "
                    + "portLevelMtls: {9090: {mode: DISABLE}, 8080: {mode: PERMISSIVE}}"
            )
        ])
        let policy = try mesh.policy("converted_peer_authentication_w")
        var plaintext = Policy.Match()
        plaintext.notPrincipals = [.presence]
        var first = Policy.Match()
        first.notDestinationPorts = [8080]
        var second = Policy.Match()
        second.notDestinationPorts = [9090]
        #expect(policy.action == .deny)
        #expect(policy.scope == .workloadSelector)
        #expect(
            policy.rules.map { $0.clauses.map(\.matches) } == [[[plaintext], [first], [second]]]
        )
        #expect(try mesh.workload("db").authorizationPolicies == [policy.key])
    }

    @Test(arguments: [
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", true),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", false),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", true),
        ("", "", true),
        ("", "2026-01-01T00:00:00Z", false),
    ])
    func `gives way to an older one of its level, at equal age to the first name`(
        first: String,
        second: String,
        isStrict: Bool
    ) throws {
        let wide = try mesh([
            Manifest.peers("b", created: second, "mtls: {mode: PERMISSIVE}"),
            Manifest.peers("a", created: first, "mtls: {mode: STRICT}"),
        ])
        #expect(try takesPlaintext(wide) == [!isStrict, !isStrict, true])
        let loser = isStrict ? "b" : "a"
        #expect(wide.translation.warnings.map(\.object.name) == [loser])
        let own = try mesh([
            Manifest.peers("b", created: second, "\(Self.selectsDB), mtls: {mode: PERMISSIVE}"),
            Manifest.peers("a", created: first, "\(Self.selectsDB), mtls: {mode: STRICT}"),
        ])
        #expect(try takesPlaintext(own) == [!isStrict, true, true])
        #expect(own.translation.warnings.map(\.object.name) == [loser])
    }

    @Test func `with a selector in the root namespace selects only there, with a warning`() throws {
        let mesh = try mesh([
            Manifest.pod("root", namespace: "ambit-system", labels: "app: db"),
            Manifest.peers(
                "w",
                namespace: "ambit-system",
                "\(Self.selectsDB), mtls: {mode: STRICT}"
            ),
        ])
        #expect(try takesPlaintext(mesh) == [true, true, true])
        #expect(try !mesh.permits(nil, to: "root"))
        #expect(mesh.translation.warnings.map(\.field) == ["spec.selector"])
    }

    @Test(arguments: [
        ("mtls: {mode: HARD}", "spec.mtls.mode"), ("mtls: {mode: ''}", "spec.mtls.mode"),
        ("mtls: {made: STRICT}", "spec.mtls.made"), ("mtsl: {mode: STRICT}", "spec.mtsl"),
        ("portLevelMtls: {80: {mode: STRICT}}", "spec.portLevelMtls"),
        ("selector: {}, portLevelMtls: {80: {mode: STRICT}}", "spec.portLevelMtls"),
        (
            "selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: hard}}",
            "spec.portLevelMtls.80.mode"
        ),
        ("selector: {matchExpressions: []}", "spec.selector.matchExpressions"),
    ])
    func `is refused whole when it cannot be understood`(spec: String, field: String) throws {
        let mesh = try mesh([
            Manifest.peers("a", spec), Manifest.peers("b", "mtls: {mode: STRICT}"),
        ])
        #expect(mesh.translation.refusals.map(\.field) == [field])
        // The other one still holds.
        #expect(try takesPlaintext(mesh) == [false, false, true])
    }

    @Test func `stands beside policies that select the workload`() throws {
        let mesh = try mesh([
            Manifest.peers("n", "mtls: {mode: STRICT}"),
            Manifest.authorization("z", "\(Self.selectsDB)\nrules: [{}]"),
            Manifest.authorization(
                "y",
                namespace: "ambit-system",
                "\(Self.selectsDB)\naction: DENY\nrules: [{to: [{operation: {ports: ['1']}}]}]"
            ),
        ])
        #expect(
            try mesh.workload("db").authorizationPolicies == [
                "shop/z", "ambit-system/y", Self.strictKey,
            ]
        )
        #expect(try mesh.workload("away").authorizationPolicies == ["ambit-system/y"])
        #expect(try !mesh.permits(nil, to: "db"))
        #expect(try !mesh.permits(Self.web, to: "db", port: 1))
        #expect(try mesh.permits(Self.web, to: "db"))
    }
}
