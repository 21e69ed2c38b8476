import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A pod's workload` {
    @Test func `carries identity, place and names`() throws {
        var settings = MeshSettings()
        settings.trustDomain = "example.org"
        settings.clusterID = "east"
        settings.network = "lan"
        let node = """
            apiVersion: v1
            kind: Node
            metadata:
              name: node-1
              labels:
                topology.kubernetes.io/region: r
                topology.kubernetes.io/zone: z
                topology.istio.io/subzone: s
            """
        let mesh = try MeshFixture(
            Manifest.joined([
                node,
                Manifest.pod(
                    "web",
                    labels: "app: shopfront, version: v2",
                    spec: "nodeName: node-1\nserviceAccountName: robot\nsubdomain: pods",
                    status: "podIPs: [{ip: 10.1.0.9}, {ip: 'fd00::9'}]"
                ),
            ]),
            settings: settings
        )
        let web = try mesh.workload("web")
        #expect(web.uid == "east//Pod/shop/web")
        #expect(web.identity.description == "spiffe://example.org/ns/shop/sa/robot")
        #expect(web.addresses.map(\.description) == ["10.1.0.9", "fd00::9"])
        #expect(web.network == "lan")
        #expect(web.node == "node-1")
        #expect(web.clusterID == "east")
        #expect(web.canonicalName == "shopfront")
        #expect(web.canonicalRevision == "v2")
        #expect((web.workloadName, web.kind) == ("web", .pod))
        #expect(web.hostname == "web.pods.shop.svc.cluster.local")
        let locality = web.locality
        #expect((locality.region, locality.zone, locality.subzone) == ("r", "z", "s"))
        #expect(web.capacity == 1)
    }

    @Test(arguments: [
        ("networking.istio.io/tunnel: http", true), ("ambit.dev/tunnel: http", true),
        ("ambit.dev/tunnel: none, networking.istio.io/tunnel: http", false), ("app: web", false),
    ])
    func `outside the mesh speaks HBONE when its label says so`(
        labels: String,
        speaks: Bool
    ) throws {
        let mesh = try MeshFixture(Manifest.pod("web", labels: labels))
        #expect(try mesh.workload("web").tunnelProtocol == (speaks ? .hbone : .none))
    }

    @Test(arguments: [
        ("app: a, app.kubernetes.io/name: b, service.istio.io/canonical-name: c", "c", "latest"),
        ("app: a, app.kubernetes.io/name: b, version: x", "b", "x"),
        ("app: a, version: x, app.kubernetes.io/version: y", "a", "y"),
        ("app: '', version: ''", "web", "latest"),
    ])
    func `has a canonical name and revision`(
        labels: String,
        name: String,
        revision: String
    ) throws {
        let web = try MeshFixture(Manifest.pod("web", labels: labels)).workload("web")
        #expect((web.canonicalName, web.canonicalRevision) == (name, revision))
    }

    @Test(arguments: [
        ("ReplicaSet", "web-5d4", "5d4", "web", Workload.Kind.deployment),
        ("ReplicaSet", "web-5d4", "5d5", "web-5d4", .pod),
        ("ReplicaSet", "bare", "", "bare", .pod),
        ("Job", "backup-29384756", "", "backup", .cronJob),
        ("Job", "backup-1234567", "", "backup-1234567", .job),
        ("Job", "29384756", "", "29384756", .job),
        ("StatefulSet", "db", "", "db", .pod),
        ("DaemonSet", "agent", "", "agent", .pod),
    ])
    func `is named for what runs the pod`(
        owner: String,
        ownerName: String,
        hash: String,
        name: String,
        kind: Workload.Kind
    ) throws {
        let web = try MeshFixture(
            Manifest.pod(
                "web-1",
                labels: "pod-template-hash: '\(hash)'",
                metadata: """
                    ownerReferences:
                    - {kind: Other, name: x}
                    - {kind: \(owner), name: '\(ownerName)', controller: true}
                    """
            )
        ).workload("web-1")
        #expect((web.workloadName, web.kind) == (name, kind))
        #expect(web.canonicalName == name)
    }

    @Test(arguments: [
        ("", true, Workload.Status.healthy),
        ("", false, .unhealthy),
        ("conditions: [{type: Ready, status: 'True'}]", false, .healthy),
        ("conditions: [{type: Ready, status: 'False'}]", true, .unhealthy),
    ])
    func `is healthy when the pod is ready`(
        status: String,
        assumesReady: Bool,
        expected: Workload.Status
    ) throws {
        var settings = MeshSettings()
        settings.assumesReady = assumesReady
        let mesh = try MeshFixture(Manifest.pod("web", status: status), settings: settings)
        #expect(try mesh.workload("web").status == expected)
    }

    @Test func `is unhealthy once the pod's deletion has begun`() throws {
        let mesh = try MeshFixture(
            Manifest.pod(
                "web",
                metadata: "deletionTimestamp: '2026-11-21T10:00:00Z'",
                status: "conditions: [{type: Ready, status: 'True'}]"
            )
        )
        #expect(try mesh.workload("web").status == .unhealthy)
    }

    @Test(arguments: ["Succeeded", "Failed"])
    func `ends with the pod`(phase: String) throws {
        let mesh = try MeshFixture(Manifest.pod("web", status: "phase: \(phase)"))
        #expect(mesh.translation.state.workloads.isEmpty)
    }

    @Test func `waits for the pod's address`() throws {
        let pod = Manifest.pod("web", labels: "ambit.dev/dataplane-mode: ambient")
        let objects = Manifests(files: [("pod.yaml", Array(pod.utf8))]).objects
        try #require(objects.pods.count == 1)
        #expect(translate(objects, settings: MeshSettings()).state == MeshState())
        #expect(translate(objects, settings: MeshSettings()).localPods.isEmpty)
    }

    @Test func `on its node's network has the node's address`() throws {
        let mesh = try MeshFixture(
            Manifest.pod(
                "web",
                spec: "hostNetwork: true",
                status: "podIP: 192.168.0.2, hostIP: 192.168.0.2"
            )
        )
        #expect(try mesh.workload("web").addresses.map(\.description) == ["192.168.0.2"])
    }
}
