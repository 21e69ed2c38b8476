import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `An index of the mesh` {
    private static func objects(_ yaml: String) throws -> ObjectSet {
        let manifests = Manifests(files: [("test.yaml", Array(yaml.utf8))])
        try #require(manifests.problems.isEmpty, "\(manifests.problems) in \(yaml)")
        return manifests.objects
    }

    private static func sorted(_ state: MeshState) -> MeshState {
        MeshState(
            workloads: state.workloads.map { workload in
                var workload = workload
                for key in workload.services.keys {
                    workload.services[key]?.sort { $0.servicePort < $1.servicePort }
                }
                return workload
            }.sorted { $0.uid < $1.uid },
            services: state.services.sorted { $0.key < $1.key },
            policies: state.policies.sorted { $0.key < $1.key }
        )
    }

    private static var settings: MeshSettings {
        var settings = MeshSettings()
        settings.assumesReady = false
        return settings
    }

    /// Changes objects at random and compares what was told with the objects that are left.
    @Test(arguments: 0..<25 as Range<UInt64>)
    func `ends where a fresh list of the objects begins, whatever came before`(
        seed: UInt64
    ) throws {
        var random = RandomObjects(seed: seed)
        var index = MeshIndex(settings: Self.settings)
        var left = ObjectSet()
        var told = MeshState()
        for _ in 0..<250 {
            if random.number(below: 4) == 0, let key = left.keys.randomElement(&random) {
                index.remove(key)
                left.delete([key])
            } else {
                let new = try Self.objects(random.object())
                index.set(new)
                // A refused object leaves the last good one in force.
                if new.keys.allSatisfy({ index.refusal(of: $0) == nil }) { left.apply(new) }
            }
            if random.number(below: 3) == 0 { told.apply(index.takeChange()) }
        }
        told.apply(index.takeChange())
        let fresh = translate(left, settings: Self.settings)
        #expect(Self.sorted(told) == Self.sorted(fresh.state))
        #expect(Self.sorted(index.state) == Self.sorted(told))
        for key in left.keys where index.refusal(of: key) == nil {
            let expected = fresh.warnings.filter { $0.object == key }
            if key.kind != "Gateway" { #expect(index.warnings(of: key) == expected) }
        }
    }

    private static let mesh = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: a, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        {apiVersion: v1, kind: Node, metadata: {name: n, labels: {topology.kubernetes.io/zone: z}}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: s, namespace: a}
        spec: {clusterIP: 10.96.0.1, selector: {app: x}, ports: [{port: 80}]}
        """

    private static func pod(
        _ name: String,
        namespace: String = "a",
        app: String = "x",
        node: String = "n",
        ready: Bool = true
    ) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: \(namespace), labels: {app: \(app)}}
        spec: {nodeName: \(node), containers: [{name: c}]}
        status:
          podIPs: [{ip: 10.0.\(namespace.count).\(name.dropFirst())}]
          conditions: [{type: Ready, status: '\(ready ? "True" : "False")'}]
        """
    }

    private static func index(_ documents: [String]) throws -> MeshIndex {
        var index = MeshIndex(settings: settings)
        index.set(try objects(documents.joined(separator: "\n---\n")))
        _ = index.takeChange()
        return index
    }

    @Test func `tells of one pod's change only that pod, and nothing when nothing came of it`()
        throws
    {
        var index = try Self.index([Self.mesh] + (1...50).map { Self.pod("p\($0)") })
        index.set(try Self.objects(Self.pod("p7", ready: false)))
        let change = index.takeChange()
        #expect(change.workloads.map(\.name) == ["p7"])
        #expect(change.services.isEmpty && change.policies.isEmpty)
        index.set(try Self.objects(Self.pod("p7", ready: false)))
        #expect(index.takeChange().isEmpty)
        // There and back between two looks is no change.
        index.set(try Self.objects(Self.pod("p7", ready: true)))
        index.set(try Self.objects(Self.pod("p7", ready: false)))
        #expect(index.takeChange().isEmpty)
    }

    @Test func `tells of a namespace's label, a node's zone and a policy only their pods`() throws {
        var index = try Self.index([
            Self.mesh, Self.pod("p1"), Self.pod("p2", app: "y"), Self.pod("p3", node: "m"),
            Self.pod("p4", namespace: "bb"),
        ])
        index.set(try Self.objects(Manifest.namespace("a", "team: one")))
        #expect(index.takeChange().workloads.map(\.name) == ["p1", "p2", "p3"])
        index.set(try Self.objects(Manifest.namespace("a", "team: two")))
        #expect(index.takeChange().isEmpty)
        let zone = "{topology.kubernetes.io/zone: y}"
        index.set(
            try Self.objects("{apiVersion: v1, kind: Node, metadata: {name: n, labels: \(zone)}}")
        )
        #expect(index.takeChange().workloads.map(\.name) == ["p1", "p2", "p4"])
        let deny = Manifest.authorization(
            "deny",
            namespace: "a",
            "selector: {matchLabels: {app: y}}\naction: DENY\nrules: [{}]"
        )
        index.set(try Self.objects(deny))
        let change = index.takeChange()
        #expect(change.workloads.map(\.name) == ["p2"])
        #expect(change.workloads.map(\.authorizationPolicies) == [["a/deny"]])
        #expect(change.policies.map(\.key) == ["a/deny"])
    }

    @Test func `keeps the last good version of a policy, and says what is wrong with the new`()
        throws
    {
        var index = try Self.index([Self.mesh, Self.pod("p1")])
        index.set(
            try Self.objects(
                Manifest.authorization("p", namespace: "a", "action: DENY\nrules: [{}]")
            )
        )
        #expect(index.takeChange().policies.count == 1)
        let bad = try Self.objects(
            Manifest.authorization("p", namespace: "a", "action: DENY\nrules: [{to: []}]")
        )
        index.set(bad)
        #expect(index.takeChange().isEmpty)
        let key = try #require(bad.keys.first)
        #expect(index.refusal(of: key)?.field == "spec.rules[0].to")
        #expect(index.takeChangedFindings() == [key])
        index.remove(key)
        #expect(index.takeChange().removedPolicies == ["a/p"])
        #expect(index.refusal(of: key) == nil)
    }

    private static func authorization(
        _ spec: String,
        wasEnforced reason: String
    ) -> String {
        Manifest.authorization("p", namespace: "a", spec) + """

            status:
              conditions:
              - {type: Enforced, status: "\(reason == "Enforced" ? "True" : "False")",
                 reason: \(reason)}
            """
    }

    @Test(arguments: ["Enforced", "LastGoodVersion", "FailsClosed"])
    func `refuses all that a policy is about whose good version is lost`(reason: String) throws {
        let bad = "rules: [{to: []}]"
        var index = try Self.index([
            Self.mesh, Self.authorization(bad, wasEnforced: reason),
        ])
        #expect(index.state.policies.map(\.action) == [.allow])
        #expect(index.state.policies.map(\.rules) == [[]])
        // Mended, it is what it says; refused again, what it was.
        index.set(try Self.objects(Manifest.authorization("p", namespace: "a", "rules: [{}]")))
        #expect(index.takeChange().policies.map(\.rules.count) == [1])
        index.set(try Self.objects(Self.authorization(bad, wasEnforced: reason)))
        #expect(index.takeChange().policies.isEmpty)
        let denying = try Self.index([
            Self.mesh, Self.authorization("action: DENY\n" + bad, wasEnforced: reason),
        ])
        #expect(denying.state.policies.map(\.action) == [.deny])
        #expect(denying.state.policies.map(\.rules) == [[Policy.Rule(clauses: [])]])
    }

    @Test func `enforces nothing of a policy that never was in force`() throws {
        for text in [
            Self.authorization("rules: [{to: []}]", wasEnforced: "Invalid"),
            Self.authorization("action: AUDIT", wasEnforced: "Enforced"),
            Manifest.authorization("p", namespace: "a", "rules: [{to: []}]"),
        ] {
            #expect(try Self.index([Self.mesh, text]).state.policies.isEmpty)
        }
    }

    @Test func `refuses plaintext where a good PeerAuthentication is lost`() throws {
        let text = """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: p, namespace: a}
            spec: {mtls: {mode: LATER}}
            status: {conditions: [{type: Enforced, status: "True", reason: Enforced}]}
            """
        var index = try Self.index([Self.mesh, text])
        let lost = index.state.policies
        #expect(lost.count == 1)
        let strict = try Self.index([Self.mesh, text.replacing("LATER", with: "STRICT")])
        #expect(lost == strict.state.policies)
        index.remove(try #require(Self.objects(text).keys.first))
        #expect(index.takeChange().removedPolicies == lost.map(\.key))
    }

    @Test func `keeps policies of the two groups apart`() throws {
        let own = Manifest.authorization("p", namespace: "a", "action: DENY\nrules: [{}]")
        let foreign = own.replacing(
            "security.ambit.dev/v1alpha1",
            with: "security.istio.io/v1beta1"
        )
        var index = try Self.index([Self.mesh, own, foreign])
        #expect(index.state.policies.map(\.key) == ["a/p", "a/p@security.istio.io"])
        index.remove(try #require(Self.objects(foreign).keys.first))
        #expect(index.takeChange().removedPolicies == ["a/p@security.istio.io"])
        #expect(index.state.policies.map(\.key) == ["a/p"])
    }
}

extension [ObjectKey] {
    fileprivate func randomElement(_ random: inout RandomObjects) -> ObjectKey? {
        isEmpty ? nil : self[random.number(below: count)]
    }
}
