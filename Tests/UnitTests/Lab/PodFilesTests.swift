import Lab
import Mesh
import Testing

@Suite struct `A pod's resolver file` {
    private static func plan(_ spec: String) throws -> PodPlan {
        let text = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web.with.dots, namespace: shop}
            spec: {containers: [{name: main}]\(spec)}
            """
        var cluster = Cluster()
        try cluster.apply([SourceFile(path: "test.yaml", text: text)])
        return try cluster.plan().pods[0]
    }

    @Test func `searches the pod's namespace first`() throws {
        let plan = try Self.plan("")
        #expect(
            plan.resolverFile == """
                nameserver 10.96.0.10
                search shop.svc.cluster.local svc.cluster.local cluster.local
                options ndots:5

                """
        )
        #expect(plan.hostname == "web")
        #expect(plan.hostsFile?.contains("10.244.0.2 web\n") == true)
    }

    @Test func `is the host's for a pod that says so or shares its network`() throws {
        #expect(try Self.plan(", dnsPolicy: Default").resolverFile == nil)
        let hostNetwork = try Self.plan(", hostNetwork: true")
        #expect(hostNetwork.resolverFile == nil)
        #expect(hostNetwork.hostsFile == nil)
        #expect(hostNetwork.addresses.map(\.description) == ["172.18.0.2", "fd00:172:18::2"])
    }

    @Test func `adds and replaces what the pod's dnsConfig says`() throws {
        let config =
            ", dnsConfig: {nameservers: [1.2.3.4], searches: [example.org],"
            + " options: [{name: ndots, value: \"2\"}, {name: edns0}]}"
        #expect(
            try Self.plan(config).resolverFile == """
                nameserver 10.96.0.10
                nameserver 1.2.3.4
                search shop.svc.cluster.local svc.cluster.local cluster.local example.org
                options ndots:2 edns0

                """
        )
        #expect(
            try Self.plan(", dnsPolicy: None" + config).resolverFile == """
                nameserver 1.2.3.4
                search example.org
                options ndots:2 edns0

                """
        )
    }
}

@Suite struct `An address pool` {
    @Test func `gives the lowest free address and never the broadcast one`() throws {
        let prefix = try #require(IPPrefix("10.1.0.0/29"))
        let used = Set([IPAddress("10.1.0.3")].compactMap { $0 })
        var pool = AddressPool(prefix, from: 2, used: used)
        var given: [String] = []
        while let address = pool.take() { given.append(address.description) }
        #expect(given == ["10.1.0.2", "10.1.0.4", "10.1.0.5", "10.1.0.6"])
    }
}

@Suite struct `An interface name` {
    @Test func `fits the kernel's limit and differs between pods`() {
        let names = (0..<2_000).map { InterfaceName.link(ofPod: "shop/web-\($0)") }
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.utf8.count <= 15 })
        #expect(InterfaceName.port(ofNode: "web") != InterfaceName.link(ofPod: "web"))
    }
}
