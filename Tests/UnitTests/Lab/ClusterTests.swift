import Foundation
import Lab
import Mesh
import Testing

@Suite struct `A lab's cluster` {
    private static let twoNodes = """
        apiVersion: v1
        kind: Node
        metadata: {name: one}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: two}
        spec: {podCIDRs: [10.7.0.0/24]}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {ambit.dev/dataplane-mode: ambient}}
        ---

        """

    private static func pod(
        _ name: String,
        node: String = "one",
        extra: String = "",
        status: String = ""
    ) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: shop}
        spec:
          nodeName: \(node)
          containers: [{name: main, command: [sleep, "1"]\(extra)}]
        \(status)
        ---

        """
    }

    private static func cluster(_ text: String) throws -> Cluster {
        var cluster = Cluster()
        try cluster.apply([SourceFile(path: "test.yaml", text: text)])
        return cluster
    }

    @Test func `gives nodes and pods addresses of the families they have`() throws {
        var cluster = try Self.cluster(Self.twoNodes + Self.pod("a") + Self.pod("b", node: "two"))
        let plan = try cluster.plan()
        #expect(plan.nodes.map(\.name) == ["one", "two"])
        #expect(plan.nodes[0].addresses.map(\.description) == ["172.18.0.2", "fd00:172:18::2"])
        #expect(plan.nodes[1].addresses.map(\.description) == ["172.18.0.3"])
        #expect(plan.pods[0].addresses.map(\.description) == ["10.244.0.2", "fd00:10:244::2"])
        #expect(plan.pods[1].addresses.map(\.description) == ["10.7.0.2"])
        #expect(plan.enrolled == ["shop/a", "shop/b"])
    }

    @Test func `keeps what it decided when objects are applied again`() throws {
        let text = Self.twoNodes + Self.pod("a") + Self.pod("b")
        var cluster = try Self.cluster(text)
        let first = try cluster.plan()
        try cluster.delete(kind: "pod", namespace: "shop", name: "a")
        try cluster.apply([SourceFile(path: "c.yaml", text: Self.pod("c"))])
        let second = try cluster.plan()
        // The freed address is given out again, as clusters do.
        #expect(second.pods.map(\.name) == ["b", "c"])
        #expect(second.pods[0] == first.pods[1])
        #expect(second.pods[1].addresses == first.pods[0].addresses)
        #expect(second.pods[1].uid != first.pods[0].uid)
    }

    @Test func `makes a pod anew only when what runs changes`() throws {
        var cluster = try Self.cluster(Self.twoNodes + Self.pod("a"))
        let first = try cluster.plan().pods[0]
        try cluster.apply([SourceFile(path: "a.yaml", text: Self.pod("a"))])
        #expect(try cluster.plan().pods[0] == first)
        let changed = Self.pod("a", extra: ", args: [\"2\"]")
        try cluster.apply([SourceFile(path: "a.yaml", text: changed)])
        let second = try cluster.plan().pods[0]
        #expect(second.uid != first.uid)
        #expect(second.addresses == first.addresses)
        #expect(second.containers[0].arguments == ["sleep", "1", "2"])
    }

    @Test(arguments: [
        ("nodeName", Self.pod("a", node: "three"), "there is no Node three"),
        (
            "podIPs", Self.pod("a", status: "status: {podIP: 10.9.9.9}"),
            "10.9.9.9 is not an address for pods of Node one"
        ),
        (
            "podIPs", Self.pod("a", status: "status: {podIP: 10.244.0.1}"),
            "10.244.0.1 is not an address for pods of Node one"
        ),
        (
            "podIPs",
            Self.pod("a", status: "status: {podIP: 10.244.0.9}")
                + Self.pod("b", status: "status: {podIP: 10.244.0.9}"),
            "10.244.0.9 is Pod shop/a's, too"
        ),
    ])
    func `refuses what does not fit together`(field: String, text: String, reason: String) throws {
        var cluster = try Self.cluster(Self.twoNodes + text)
        let error = #expect(throws: LabError.self) { try cluster.plan() }
        #expect(error?.kind == .data)
        #expect(error?.message.contains(field) == true)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func `refuses a whole file and names file, document and field`() {
        let text = Self.twoNodes + "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n"
        let error = #expect(throws: LabError.self) { try Self.cluster(text) }
        #expect(error?.kind == .data)
        let message = error?.message ?? ""
        #expect(message.contains("test.yaml"))
        #expect(message.contains("(document 4)"))
        #expect(message.contains("spec.containers"))
    }

    @Test func `gives services virtual addresses as Kubernetes would`() throws {
        func service(_ name: String, _ fields: String) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: shop}
            spec: {ports: [{port: 80}]\(fields)}
            ---

            """
        }
        var cluster = try Self.cluster(
            Self.twoNodes + service("plain", "") + service("none", ", clusterIP: None")
                + service("dual", ", ipFamilyPolicy: PreferDualStack")
                + service("six", ", ipFamilies: [IPv6]") + service("own", ", clusterIP: 10.96.0.7")
        )
        let state = try MeshState(json: try cluster.plan().meshState)
        func addresses(_ name: String) -> [String] {
            state.services.first { $0.name == name }?.addresses.map {
                $0.prefix.address.description
            } ?? []
        }
        #expect(addresses("plain") == ["10.96.0.100"])
        #expect(addresses("none") == [])
        #expect(addresses("dual") == ["10.96.0.101", "fd00:10:96::64"])
        #expect(addresses("six") == ["fd00:10:96::65"])
        #expect(addresses("own") == ["10.96.0.7"])
    }

    @Test func `takes what is in a namespace or on a node with it`() throws {
        var cluster = try Self.cluster(Self.twoNodes + Self.pod("a") + Self.pod("b", node: "two"))
        _ = try cluster.plan()
        try cluster.delete(kind: "no", namespace: "", name: "two")
        #expect(try cluster.plan().pods.map(\.name) == ["a"])
        try cluster.delete(kind: "Namespaces", namespace: "", name: "shop")
        #expect(try cluster.plan().pods.isEmpty)
        #expect(throws: LabError.self) {
            try cluster.delete(kind: "pod", namespace: "shop", name: "a")
        }
        #expect(throws: LabError.self) {
            try cluster.delete(kind: "gizmo", namespace: "shop", name: "a")
        }
    }

    @Test func `spreads a virtual address over the service's healthy pods`() throws {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec:
              clusterIP: 10.96.0.7
              selector: {app: web}
              ports: [{port: 80, targetPort: 8080}]
            ---

            """
        func web(_ name: String, _ address: String, ready: Bool) -> String {
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), namespace: shop, labels: {app: web}}
            spec: {nodeName: one, containers: [{name: main}]}
            status:
              podIPs: [{ip: \(address)}]
              conditions: [{type: Ready, status: "\(ready ? "True" : "False")"}]
            ---

            """
        }
        var cluster = try Self.cluster(
            Self.twoNodes + service + web("a", "10.244.0.5", ready: true)
                + web("b", "10.244.0.6", ready: false) + web("c", "10.244.0.7", ready: true)
        )
        let lines = ServiceRules.text(for: try cluster.plan().state).split(separator: "\n")
        #expect(
            lines.filter { $0.contains("daddr") } == [
                "ip daddr 10.96.0.7 tcp dport 80 numgen random mod 2 < 1 "
                    + "dnat ip to 10.244.0.5:8080",
                "ip daddr 10.96.0.7 tcp dport 80 dnat ip to 10.244.0.7:8080",
            ]
        )
    }

    @Test func `names the namespace of each enrolled pod in its node's file`() throws {
        var cluster = try Self.cluster(Self.twoNodes + Self.pod("a"))
        let plan = try cluster.plan()
        let pods = try LocalPods(json: try #require(plan.podFiles["one"])).pods
        #expect(pods.map(\.uid) == plan.pods.map(\.uid))
        #expect(pods.map(\.networkNamespacePath) == ["/dev/shm/ambit-lab/netns/shop_a"])
        #expect(try LocalPods(json: try #require(plan.podFiles["two"])).pods.isEmpty)
    }
}
