import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A waypoint that is asked for` {
    private static func gateway(
        _ namespace: String,
        from: String = "Same",
        serves: String = "service",
        className: String = "ambit-waypoint"
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: w, namespace: \(namespace), labels: {istio.io/waypoint-for: \(serves)}}
        spec:
          gatewayClassName: \(className)
          listeners:
          - name: mesh
            port: 15008
            protocol: HBONE
            allowedRoutes:
              namespaces: {from: \(from), selector: {matchLabels: {team: shop}}}
        """
    }

    private static let good = "w.shop.svc.cluster.local"
    private static let bad = "w.shop.invalid"

    private func hosts(
        _ labels: String,
        _ others: [String],
        object: String = ""
    ) throws -> [String?] {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: s, namespace: shop, labels: {\(object)}}
            spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
            """
        let mesh = try MeshFixture(
            Manifest.joined(
                [
                    Manifest.namespace("shop", labels), service,
                    Manifest.pod("p", labels: object),
                ] + others
            )
        )
        return [try mesh.service("s").waypoint, try mesh.workload("p").waypoint].map { address in
            guard case .hostname(_, let host)? = address?.destination else { return nil }
            return host
        }
    }

    @Test(
        arguments: [
            ("service", [good, nil]), ("workload", [nil, good]), ("all", [good, good]),
            ("none", [nil, nil]), ("what", [bad, bad]),
        ] as [(String, [String?])]
    )
    func `takes the traffic it is for`(serves: String, expected: [String?]) throws {
        let hosts = try hosts(
            "ambit.dev/use-waypoint: w",
            [Self.gateway("shop", serves: serves)]
        )
        #expect(hosts == expected)
    }

    @Test(arguments: [
        ("ambit.dev/use-waypoint: none", nil as String?), ("istio.io/use-waypoint: none", nil),
        ("team: a", good), ("istio.io/use-waypoint: other", "other.shop.invalid"),
        ("ambit.dev/use-waypoint: none, istio.io/use-waypoint: w", nil),
        ("gateway.networking.k8s.io/gateway-name: w", nil),
    ])
    func `by the namespace may be left or changed by the object`(
        labels: String,
        expected: String?
    ) throws {
        let hosts = try hosts(
            "istio.io/use-waypoint: w",
            [Self.gateway("shop")],
            object: labels
        )
        #expect(hosts[0] == expected)
    }

    @Test(arguments: [
        ("All", "w.infra.svc.cluster.local"), ("Same", "w.infra.invalid"),
        ("Selector", "w.infra.svc.cluster.local"), ("None", "w.infra.invalid"),
    ])
    func `in another namespace must let this one in`(from: String, expected: String) throws {
        let label = "ambit.dev/use-waypoint: w, ambit.dev/use-waypoint-namespace: infra, team: shop"
        let gateway = Self.gateway("infra", from: from)
        #expect(try hosts(label, [gateway])[0] == expected)
    }

    @Test func `but is not there, or is no waypoint, has a name that nobody has`() throws {
        let label = "ambit.dev/use-waypoint: w"
        #expect(try hosts(label, []) == [Self.bad, Self.bad])
        let other = Self.gateway("shop", className: "nginx")
        #expect(try hosts(label, [other]) == [Self.bad, Self.bad])
    }
}
