import Kubernetes
import Testing

@Suite struct `A manifest` {
    private func read(_ text: String, name: String = "mesh.yaml") -> Manifests {
        Manifests(files: [(name, Array(text.utf8))])
    }

    private static func object(
        _ kind: String,
        version: String = "v1",
        _ spec: String = "",
        name: String = "web"
    ) -> String {
        """
        apiVersion: \(version)
        kind: \(kind)
        metadata: {name: \(name), namespace: shop}
        \(spec)
        """
    }

    private static let policy = "security.istio.io/v1"
    private static let slice = "discovery.k8s.io/v1"

    private static let nameRule =
        "must be at most 253 lower-case letters, digits, '-' and '.', none at the ends"
    private static let labelRule = "must be at most 63 letters, digits, '-', '_' and '.'"
    private static let command = "spec.containers[0].command[1]"
    private static let ports = "spec.rules[0].to[0].operation.ports[0]"
    private static let hint = "; put it in quotes"

    private static let mistakes: [(text: String, message: String)] = [
        (
            object("Pod", "spec: {}"),
            "Pod shop/web: spec.containers: must have at least one container"
        ),
        (object("Pod"), "Pod shop/web: spec: is required"),
        (object("Pod", "spec: 5"), "Pod shop/web: spec: must be a map, found the number 5"),
        (
            object("Pod", "spec: {containers: [{name: a, command: [sleep, 5]}]}"),
            "Pod shop/web: \(command): must be a string, found the number 5\(hint)"
        ),
        (
            object("Pod", "spec: {containers: [{name: a}, {command: []}]}"),
            "Pod shop/web: spec.containers[1].name: is required"
        ),
        (
            object("Pod", "spec: {containers: [{name: a}]}\nstatus: {podIPs: [{ip: 1.2.3}]}"),
            "Pod shop/web: status.podIPs[0].ip: must be an IPv4 or IPv6 address, found \"1.2.3\""
        ),
        (
            object("Pod", "spec: {nodeName: ../x, containers: [{name: a}]}"),
            "Pod shop/web: spec.nodeName: \(nameRule), found \"../x\""
        ),
        (
            object("Pod", "spec: {hostNetwork: maybe, containers: [{name: a}]}"),
            "Pod shop/web: spec.hostNetwork: must be true or false, found a string"
        ),
        (
            object("Service", "spec: {ports: [{port: 65536}]}"),
            "Service shop/web: spec.ports[0].port: must be 1 to 65535, found 65536"
        ),
        (
            object("Service", "spec: {ports: [{name: a, port: 1}, {port: 2}]}"),
            "Service shop/web: spec.ports[1]: must have a name, since the service has several ports"
        ),
        (
            object("Service", "spec: {ports: [{name: a, port: 1}, {name: a, port: 2}]}"),
            "Service shop/web: spec.ports[1].name: is repeated, found \"a\""
        ),
        (
            object("Service", "spec: {ports: [{name: a, port: 1}, {name: b, port: 1}]}"),
            "Service shop/web: spec.ports[1].port: is repeated"
        ),
        (
            object("Service", "spec: {ports: [{port: 80, targetPort: 0}]}"),
            "Service shop/web: spec.ports[0].targetPort: must be 1 to 65535, found 0"
        ),
        (
            object("Service", "spec: {clusterIPs: [none]}"),
            "Service shop/web: spec.clusterIPs[0]: must be an IPv4 or IPv6 address, found \"none\""
        ),
        (
            object("Service", "spec: {selector: [app]}"),
            "Service shop/web: spec.selector: must be a map, found a list"
        ),
        (
            object("EndpointSlice", version: slice, "endpoints: []"),
            "EndpointSlice shop/web: addressType: is required"
        ),
        (
            object("EndpointSlice", version: slice, "addressType: IPv4\nendpoints: [{}]"),
            "EndpointSlice shop/web: endpoints[0].addresses: is required"
        ),
        (
            object("AuthorizationPolicy", version: policy, "spec: {rules: [null]}"),
            "AuthorizationPolicy shop/web: spec.rules[0]: must be a map, found null"
        ),
        (
            object("AuthorizationPolicy", version: policy, "spec: {rules: [{from: [{}]}]}"),
            "AuthorizationPolicy shop/web: spec.rules[0].from[0].source: is required"
        ),
        (
            object(
                "AuthorizationPolicy",
                version: policy,
                "spec: {rules: [{to: [{operation: {ports: [80]}}]}]}"
            ),
            "AuthorizationPolicy shop/web: \(ports): must be a string, found the number 80\(hint)"
        ),
        (
            object(
                "PeerAuthentication",
                version: policy,
                "spec: {portLevelMtls: {http: {mode: STRICT}}}"
            ),
            "PeerAuthentication shop/web: spec.portLevelMtls.http: "
                + "the key must be a port from 1 to 65535"
        ),
        (
            object("Pod", name: "Web"),
            "Pod shop/Web: metadata.name: \(nameRule), found \"Web\""
        ),
        (object("Service", name: "[a]"), "Service: metadata.name: must be a string, found a list"),
        ("kind: Pod", "Pod: apiVersion: is required"),
        ("apiVersion: v1", "kind: is required"),
        ("- a", "must be a map, found a list"),
        (
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]",
            "Pod a: items[0].spec: is required"
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: 1}}",
            "Namespace a: metadata.labels.x: must be a string, found the number 1\(hint)"
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: a b}}",
            "Namespace a: metadata.labels.x: \(labelRule), found \"a b\""
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, creationTimestamp: now}",
            "Namespace a: metadata.creationTimestamp: must be a time such as 2026-11-21T10:00:00Z"
        ),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {podCIDRs: [10.0.0.0/33]}",
            "Node a: spec.podCIDRs[0]: must be a block of addresses such as 10.1.0.0/24"
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\u001b[2J\"}",
            "Pod a?[2J: metadata.name: \(nameRule), found \"a?[2J\""
        ),
    ]

    @Test(arguments: mistakes)
    func `names object, field and reason of a mistake`(text: String, message: String) {
        let manifests = read("# comment\n---\n# two\n---\n" + text)
        #expect(manifests.problems.map(\.description) == ["mesh.yaml:4 (document 1): " + message])
        #expect(manifests.objects == ObjectSet())
        #expect(manifests.warnings.isEmpty)
    }

    @Test func `is read to its end whatever is wrong with a document`() {
        let manifests = read(
            """
            apiVersion: v1
            kind: Namespace
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: [
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: -}
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: two}
            """
        )
        #expect(manifests.objects.namespaces.map(\.metadata.name) == ["one", "two"])
        #expect(manifests.problems.map(\.place.document) == [2, 3])
        #expect(manifests.problems.map(\.place.line) == [7, 7])
    }

    @Test func `is refused as a whole when it is not text`() {
        let manifests = Manifests(files: [("x.bin", [0xFF, 0xFE, 0x00])])
        #expect(manifests.problems.map(\.description) == ["x.bin: the text is not UTF-8"])
    }

    @Test func `may hold objects in a list`() {
        let manifests = read(
            """
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Namespace, metadata: {name: a}}
            - {apiVersion: v1, kind: ServiceAccount, metadata: {name: b, namespace: a}}
            """
        )
        #expect(manifests.problems.isEmpty)
        #expect(manifests.objects.keys.map(\.description) == ["Namespace a", "ServiceAccount a/b"])
    }

    @Test(arguments: [
        "security.ambit.dev/v1alpha1 AuthorizationPolicyy",
        "security.ambit.dev/v1 AuthorizationPolicy", "security.istio.io/v2 PeerAuthentication",
    ])
    func `refuses what looks like a policy and is of no type that is read`(type: String) {
        let words = type.split(separator: " ")
        let text = "{apiVersion: \(words[0]), kind: \(words[1]), metadata: {name: p}}"
        let manifests = Manifests(files: [("a.yaml", Array(text.utf8))])
        #expect(manifests.problems.first?.reason.contains("no type \"\(type)\"") == true)
        #expect(manifests.warnings.isEmpty)
    }

    @Test func `only warns of a policy that is a waypoint's`() {
        let text = """
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {name: p}
            """
        let manifests = Manifests(files: [("a.yaml", Array(text.utf8))])
        #expect(manifests.problems.isEmpty)
        #expect(manifests.warnings.count == 1)
    }

    @Test func `names the line of a file that cannot be taken apart`() {
        func place(_ line: Int) -> String {
            ManifestPlace(file: "a.yaml", document: 0, line: line).description
        }
        #expect(place(1) == "a.yaml")
        #expect(place(7) == "a.yaml:7")
    }

    @Test func `warns of kinds and versions that are not read`() {
        let manifests = read(
            Self.object("Deployment", version: "apps/v1") + "\n---\n"
                + Self.object("Pod", version: "v2") + "\n---\n"
                + Self.object("AuthorizationPolicy", version: "v1")
        )
        #expect(manifests.problems.isEmpty)
        #expect(
            manifests.warnings.map(\.description) == [
                "mesh.yaml:1 (document 1): Deployment shop/web: "
                    + "objects of type \"apps/v1 Deployment\" are not read",
                "mesh.yaml:5 (document 2): Pod shop/web: objects of type \"v2 Pod\" are not read",
                "mesh.yaml:10 (document 3): AuthorizationPolicy shop/web: "
                    + "objects of type \"v1 AuthorizationPolicy\" are not read",
            ]
        )
    }

    @Test func `defines an object once in each API group, in whichever file`() {
        let first = Self.object("PeerAuthentication", version: "security.ambit.dev/v1alpha1")
        let second = Self.object("PeerAuthentication", version: "security.istio.io/v1beta1")
        var manifests = read(first, name: "a.yaml")
        manifests.read(Array(second.utf8), from: "b.yaml")
        #expect(manifests.problems.isEmpty)
        #expect(manifests.objects.peerAuthentications.count == 2)
        manifests.read(Array(first.utf8), from: "c.yaml")
        #expect(
            manifests.problems.map(\.description) == [
                "c.yaml:1 (document 1): PeerAuthentication shop/web: "
                    + "the object is already defined in a.yaml:1 (document 1)"
            ]
        )
        #expect(manifests.objects.peerAuthentications.count == 2)
    }

    @Test func `replaces and deletes objects of a set by their key`() {
        func namespaces(_ text: String) -> ObjectSet {
            read(text.split(separator: ";").joined(separator: "\n---\n")).objects
        }
        let head = "{apiVersion: v1, kind: Namespace, metadata: "
        var objects = namespaces("\(head){name: a}};\(head){name: b}}")
        objects.apply(namespaces("\(head){name: c}};\(head){name: a, labels: {x: y}}}"))
        #expect(objects.namespaces.map(\.metadata.name) == ["a", "b", "c"])
        #expect(objects.namespaces.first?.metadata.labels == ["x": "y"])
        objects.delete([ObjectKey(kind: "Namespace", namespace: "", name: "b")])
        objects.delete([ObjectKey(kind: "Pod", namespace: "", name: "a")])
        #expect(objects.keys.map(\.name) == ["a", "c"])
    }
}
