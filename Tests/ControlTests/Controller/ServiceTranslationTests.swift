import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A Kubernetes service in the mesh` {
    private static let webKey = "shop/web.shop.svc.cluster.local"

    @Test func `has its addresses, ports and name`() throws {
        var settings = MeshSettings()
        settings.clusterDomain = "corp"
        settings.network = "lan"
        let mesh = try MeshFixture(
            Manifest.service(
                "web",
                """
                clusterIPs: [10.96.0.1, "fd00::1"]
                ipFamilies: [IPv4, IPv6]
                ports:
                - {name: a, port: 80, targetPort: http}
                - {name: b, port: 81, targetPort: 8081}
                - {name: c, port: 53, protocol: UDP}
                """
            ),
            settings: settings
        )
        let web = try mesh.service("web")
        #expect(web.hostname == "web.shop.svc.corp")
        #expect(web.addresses.map(\.prefix.description) == ["10.96.0.1/32", "fd00::1/128"])
        #expect(web.addresses.map(\.network) == ["lan", "lan"])
        #expect(
            web.ports == [
                ServicePort(servicePort: 80, targetPort: 0),
                ServicePort(servicePort: 81, targetPort: 8081),
            ]
        )
        #expect(web.ipFamilies == .dual)
        #expect(web.canonical)
        #expect(web.visibility == .everywhere)
        #expect(web.loadBalancing == LoadBalancing())
    }

    @Test(arguments: [
        ("ipFamilies: [IPv4]", Mesh.Service.IPFamilies.v4Only),
        ("ipFamilies: [IPv6]", .v6Only),
        ("ipFamilies: []", .automatic),
    ])
    func `keeps its families`(line: String, families: Mesh.Service.IPFamilies) throws {
        let mesh = try MeshFixture(Manifest.service("web", line))
        #expect(try mesh.service("web").ipFamilies == families)
    }

    @Test(arguments: [
        ("internalTrafficPolicy: Local", LoadBalancing.Mode.strict, [LoadBalancing.Scope.node]),
        ("internalTrafficPolicy: Cluster", .unspecified, []),
        ("trafficDistribution: PreferClose", .failover, [.network, .region, .zone]),
        ("trafficDistribution: PreferSameZone", .failover, [.network, .region, .zone]),
        (
            "trafficDistribution: PreferSameNode", .failover,
            [.network, .region, .zone, .subzone, .node]
        ),
        ("trafficDistribution: Tomorrow", .unspecified, []),
        (
            "trafficDistribution: PreferSameZone\ninternalTrafficPolicy: Local", .strict, [.node]
        ),
    ])
    func `prefers near endpoints as it says`(
        line: String,
        mode: LoadBalancing.Mode,
        scopes: [LoadBalancing.Scope]
    ) throws {
        let balancing = try MeshFixture(Manifest.service("web", line)).service("web").loadBalancing
        #expect(balancing.mode == mode)
        #expect(balancing.routingPreference == scopes)
        #expect(balancing.healthPolicy == .onlyHealthy)
    }

    @Test func `may use endpoints that are not ready`() throws {
        let mesh = try MeshFixture(Manifest.service("web", "publishNotReadyAddresses: true"))
        #expect(try mesh.service("web").loadBalancing.healthPolicy == .allowAll)
    }

    @Test func `that is an external name is left to DNS, with a warning`() throws {
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.service(
                    "web",
                    "type: ExternalName\nexternalName: example.com\nselector: {app: web}"
                ),
                Manifest.pod("pod", labels: "app: web"),
            ])
        )
        #expect(mesh.translation.state.services.isEmpty)
        #expect(try mesh.workload("pod").services.isEmpty)
        #expect(mesh.translation.warnings.map(\.field) == ["spec.type"])
    }

    @Test func `finds its pods by labels in its namespace, named ports pod by pod`() throws {
        let ports = "ports: [{name: w, port: 80, targetPort: http}, {name: m, port: 90}]"
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.service("web", "selector: {app: web, tier: a}\n" + ports),
                Manifest.service("pods", "clusterIP: None\nselector: {app: web}\n" + ports),
                Manifest.service("none", "ports: [{port: 80}]"),
                Manifest.pod("one", labels: "app: web, tier: a"),
                Manifest.pod("two", labels: "app: web"),
                Manifest.pod("far", namespace: "other", labels: "app: web, tier: a"),
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: bare, namespace: shop, labels: {app: web, tier: a}}
                spec: {containers: [{name: a, ports: [{name: web, containerPort: 1}]}]}
                """,
            ])
        )
        let both = [
            ServicePort(servicePort: 80, targetPort: 8080),
            ServicePort(servicePort: 90, targetPort: 90),
        ]
        let podsKey = "shop/pods.shop.svc.cluster.local"
        #expect(try mesh.workload("one").services == [Self.webKey: both, podsKey: both])
        #expect(try mesh.workload("two").services == [podsKey: both])
        #expect(try mesh.workload("far").services.isEmpty)
        let bare = [ServicePort(servicePort: 90, targetPort: 90)]
        #expect(try mesh.workload("bare").services == [Self.webKey: bare, podsKey: bare])
    }
}

@Suite struct `An endpoint slice in the mesh` {
    private static let webKey = "shop/web.shop.svc.cluster.local"
    private static let endpoints = """
        endpoints:
        - {addresses: [192.0.2.1], nodeName: node-1, zone: z}
        - {addresses: [192.0.2.2], conditions: {ready: false}}
        - {addresses: [192.0.2.1]}
        - {addresses: [10.1.0.1]}
        - {addresses: [10.1.0.2], targetRef: {kind: Pod, name: two}}
        - {addresses: [10.1.0.77], targetRef: {kind: Pod, name: gone}}
        ports: [{name: http, port: 9080}, {name: other, port: 1}]
        """
    private static let mapped = [ServicePort(servicePort: 80, targetPort: 9080)]

    @Test func `gives a service without selector its endpoints, pods and others`() throws {
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.pod("one"), Manifest.pod("two"),
                Manifest.service("web", "ports: [{name: http, port: 80}, {name: x, port: 81}]"),
                Manifest.slice("web-1", of: "web", Self.endpoints),
            ])
        )
        #expect(mesh.translation.warnings.isEmpty)
        #expect(try mesh.workload("one").services == [Self.webKey: Self.mapped])
        #expect(try mesh.workload("two").services == [Self.webKey: Self.mapped])
        let outside = mesh.translation.state.workloads.filter { $0.name == "web-1" }
        let prefix = "Kubernetes/discovery.k8s.io/EndpointSlice/shop/web-1/"
        #expect(outside.map(\.uid) == [prefix + "192.0.2.1", prefix + "192.0.2.2"])
        #expect(outside.map(\.status) == [.healthy, .unhealthy])
        #expect(outside.map(\.tunnelProtocol) == [.none, .none])
        #expect(outside.map(\.locality.zone) == ["z", ""])
        #expect(outside.map(\.node) == ["node-1", ""])
        #expect(
            outside.map(\.services) == [[Self.webKey: Self.mapped], [Self.webKey: Self.mapped]]
        )
        #expect(outside.map(\.workloadName) == ["web", "web"])
    }

    @Test(arguments: [false, true])
    func `gives no pod that it calls not ready, unless the service publishes those`(
        publishes: Bool
    ) throws {
        let spec = "ports: [{port: 80}]\npublishNotReadyAddresses: \(publishes)"
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.pod("one"), Manifest.pod("two"), Manifest.service("web", spec),
                Manifest.slice(
                    "web-1",
                    of: "web",
                    """
                    endpoints:
                    - addresses: [10.1.0.1]
                      conditions: {ready: false, serving: true, terminating: true}
                    - addresses: [10.1.0.2]
                      targetRef: {kind: Pod, name: two}
                      conditions: {ready: false}
                    ports: [{port: 9080}]
                    """
                ),
            ])
        )
        let services = [Self.webKey: Self.mapped]
        #expect(try mesh.workload("one").services == (publishes ? services : [:]))
        #expect(try mesh.workload("two").services == (publishes ? services : [:]))
    }

    @Test func `that Kubernetes made of a selector adds nothing, one made by hand does`() throws {
        func mesh(labels: String) throws -> MeshFixture {
            try MeshFixture(
                Manifest.joined([
                    Manifest.service(
                        "web",
                        "selector: {app: web}\nports: [{name: http, port: 80}]"
                    ),
                    Manifest.slice("web-1", of: "web", labels: labels, Self.endpoints),
                ])
            )
        }
        let managed =
            "endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io"
        #expect(try mesh(labels: managed).translation.state.workloads.isEmpty)
        #expect(try mesh(labels: "").translation.state.workloads.count == 3)
    }

    @Test func `without a service, or of names, is left out with a warning`() throws {
        let names = Manifest.slice("names", of: "web", "endpoints: [{addresses: [a.example]}]")
            .replacing("IPv4", with: "FQDN")
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.service("web", "ports: [{port: 80}]"), names,
                Manifest.slice("lost", of: "gone", Self.endpoints),
            ])
        )
        #expect(mesh.translation.state.workloads.isEmpty)
        #expect(
            mesh.translation.warnings.map(\.description) == [
                "EndpointSlice shop/names: addressType: "
                    + "endpoints by name (FQDN) are not supported",
                "EndpointSlice shop/lost: metadata.labels.kubernetes.io/service-name: "
                    + "there is no Service shop/gone",
            ]
        )
    }
}
