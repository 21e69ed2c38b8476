import AmbientProtocol
import Discovery
import FoundationEssentials
import Mesh
import SwiftProtobuf
import Testing

@Suite("The wire form of the mesh")
struct WireTests {
    private func fullWorkload() -> Workload {
        var workload = Sample.workload("web-1", at: "10.0.0.7")
        workload.addresses.append(IPAddress(v6High: 0x2001_0db8 << 32, low: 9))
        workload.hostname = "web.example"
        workload.network = "net"
        workload.trustDomain = "other.domain"
        workload.serviceAccount = "web"
        workload.node = "node-1"
        workload.canonicalName = "web"
        workload.canonicalRevision = "v2"
        workload.kind = .cronJob
        workload.workloadName = "web"
        workload.nativeTunnel = true
        workload.clusterID = "c2"
        workload.status = .unhealthy
        workload.locality.region = "r"
        workload.locality.zone = "z"
        workload.locality.subzone = "s"
        workload.networkMode = .hostNetwork
        workload.capacity = 0
        workload.waypoint = GatewayAddress(
            destination: .hostname(namespace: "shop", hostname: "wp.shop"),
            hboneMTLSPort: 15_008
        )
        workload.networkGateway = GatewayAddress(
            destination: .address(network: "n2", IPAddress(v4: 0x0102_0304)),
            hboneMTLSPort: 15_009
        )
        workload.services = [
            "shop/a.example": [ServicePort(servicePort: 80, targetPort: 8080)],
            "shop/b.example": [ServicePort(servicePort: 443, targetPort: 0)],
        ]
        workload.authorizationPolicies = ["shop/p"]
        return workload
    }

    private func fullService() throws -> Service {
        var service = Sample.service("web")
        service.addresses = [
            Service.VirtualAddress(network: "net", prefix: try #require(IPPrefix("10.1.0.1"))),
            Service.VirtualAddress(network: "", prefix: try #require(IPPrefix("10.2.0.0/16"))),
            Service.VirtualAddress(network: "", prefix: try #require(IPPrefix("2001:db8::/64"))),
        ]
        service.subjectAltNames = ["spiffe://cluster.local/ns/shop/sa/web", "web.example"]
        service.weightedWaypoints = [
            Service.WeightedWaypoint(
                destination: GatewayAddress(
                    destination: .address(network: "", IPAddress(v4: 7)),
                    hboneMTLSPort: 1
                ),
                weight: 3
            )
        ]
        service.loadBalancing.routingPreference = [.network, .region, .zone, .subzone, .node]
        service.loadBalancing.mode = .failover
        service.loadBalancing.healthPolicy = .allowAll
        service.ipFamilies = .dual
        service.canonical = true
        service.visibility = .namespace
        return service
    }

    private func fullPolicy() throws -> Policy {
        var match = Policy.Match()
        match.namespaces = [.exact("a")]
        match.notNamespaces = [.prefix("b")]
        match.principals = [.suffix("/sa/c"), .presence]
        match.notPrincipals = [.presence]
        match.sourceIPs = [try #require(IPPrefix("10.0.0.0/8"))]
        match.notSourceIPs = [try #require(IPPrefix("2001:db8::/32"))]
        match.destinationIPs = [try #require(IPPrefix("0.0.0.0/0"))]
        match.notDestinationIPs = [try #require(IPPrefix("1.2.3.4"))]
        match.destinationPorts = [80, 65_535]
        match.notDestinationPorts = [0]
        match.serviceAccounts = [.init(namespace: "n", serviceAccount: "s")]
        match.notServiceAccounts = [.init(namespace: "m", serviceAccount: "t")]
        var policy = Policy(
            name: "p",
            namespace: "shop",
            scope: .workloadSelector,
            action: .deny
        )
        policy.rules = [
            Policy.Rule(clauses: [Policy.Clause(matches: [match]), Policy.Clause(matches: [])]),
            Policy.Rule(clauses: []),
        ]
        policy.dryRun = true
        return policy
    }

    @Test func `carries every field there and back`() throws {
        let workload = fullWorkload()
        let sent = try Istio_Workload_Workload(serializedBytes: workload.wire.bytes())
        #expect(try Workload(sent, resource: workload.uid) == workload)
        let service = try fullService()
        let sentService = try Istio_Workload_Service(serializedBytes: service.wire.bytes())
        #expect(try Service(sentService, resource: service.key) == service)
        let policy = try fullPolicy()
        let sentPolicy = try Istio_Security_Authorization(serializedBytes: policy.wire.bytes())
        #expect(try Policy(sentPolicy, resource: policy.key) == policy)
    }

    @Test func `fills in what the protocol leaves out`() throws {
        var wire = Istio_Workload_Workload()
        (wire.uid, wire.name, wire.namespace) = ("u", "n", "ns")
        let workload = try Workload(wire, resource: "u")
        #expect(workload.trustDomain == "cluster.local")
        #expect(workload.serviceAccount == "default")
        #expect(workload.clusterID == "Kubernetes")
        #expect(workload.capacity == 1)
        #expect(workload.kind == .deployment)
    }

    private static let workloadFaults:
        [(field: String, spoil: @Sendable (inout Istio_Workload_Workload) -> Void)] = [
            ("addresses[0]", { $0.addresses = [Data([1, 2, 3])] }),
            ("uid", { $0.uid = "" }),
            ("name", { $0.name = "a\nb" }),
            ("namespace", { $0.namespace = "a/b" }),
            ("service_account", { $0.serviceAccount = "../admin" }),
            ("service_account", { $0.trustDomain = "UPPER" }),
            ("tunnel_protocol", { $0.tunnelProtocol = .legacyIstioMtls }),
            ("tunnel_protocol", { $0.tunnelProtocol = .UNRECOGNIZED(9) }),
            ("workload_type", { $0.workloadType = .UNRECOGNIZED(9) }),
            ("status", { $0.status = .UNRECOGNIZED(2) }),
            ("network_mode", { $0.networkMode = .UNRECOGNIZED(2) }),
            ("waypoint", { $0.waypoint = .init() }),
            (
                "waypoint.hbone_mtls_port",
                {
                    $0.waypoint.hostname.namespace = "a"
                    $0.waypoint.hostname.hostname = "b"
                    $0.waypoint.hboneMtlsPort = 70_000
                }
            ),
            ("services[nokey]", { $0.services["nokey"] = .init() }),
            ("services[a/b].ports[0]", { $0.services["a/b"] = .with { $0.ports = [.init()] } }),
            ("application_tunnel", { $0.applicationTunnel.protocol = .proxy }),
            ("canonical_name", { $0.canonicalName = String(repeating: "x", count: 3000) }),
            ("node", { $0.node = "a\u{85}b" }),
        ]

    @Test func `a workload with a bad field is refused by its name`() throws {
        for (field, spoil) in Self.workloadFaults {
            var wire = fullWorkload().wire
            spoil(&wire)
            let error = #expect(throws: ResourceRejection.self) {
                try Workload(wire, resource: "the-name")
            }
            #expect(error?.field == field)
            #expect(error?.description.hasPrefix("the-name: \(field): ") == true)
        }
    }

    private static let serviceFaults:
        [(field: String, spoil: @Sendable (inout Istio_Workload_Service) -> Void)] = [
            ("hostname", { $0.hostname = "" }),
            ("addresses[0]", { $0.addresses[0].address = Data() }),
            ("addresses[1]", { $0.addresses[1].length = 33 }),
            ("addresses[2]", { $0.addresses[2].length = 129 }),
            ("ports[0]", { $0.ports[0].servicePort = 0 }),
            ("ports[0]", { $0.ports[0].targetPort = 65_536 }),
            ("ports[0].app_protocol", { $0.ports[0].appProtocol = .UNRECOGNIZED(77) }),
            ("weighted_waypoints[0]", { $0.weightedWaypoints[0].clearDestination() }),
            ("load_balancing.mode", { $0.loadBalancing.mode = .UNRECOGNIZED(8) }),
            ("load_balancing.health_policy", { $0.loadBalancing.healthPolicy = .UNRECOGNIZED(8) }),
            (
                "load_balancing.routing_preference[0]",
                {
                    $0.loadBalancing.routingPreference = [.unspecifiedScope]
                }
            ),
            ("ip_families", { $0.ipFamilies = .UNRECOGNIZED(8) }),
        ]

    @Test func `a service with a bad field is refused by its name`() throws {
        for (field, spoil) in Self.serviceFaults {
            var wire = try fullService().wire
            spoil(&wire)
            let error = #expect(throws: ResourceRejection.self) {
                try Service(wire, resource: "s")
            }
            #expect(error?.field == field)
        }
    }

    @Test func `only an unknown visibility counts as public`() throws {
        var wire = try fullService().wire
        wire.visibility = .UNRECOGNIZED(9)
        #expect(try Service(wire, resource: "s").visibility == .everywhere)
    }

    private static let policyFaults:
        [(field: String, spoil: @Sendable (inout Istio_Security_Authorization) -> Void)] = [
            ("scope", { $0.scope = .UNRECOGNIZED(9) }),
            ("action", { $0.action = .UNRECOGNIZED(9) }),
            ("extensions", { $0.extensions = [.init()] }),
            (
                "groups[0].rules[0].matches[0].source_ips[0]",
                {
                    $0.groups[0].rules[0].matches[0].sourceIps[0].length = 40
                }
            ),
            (
                "groups[0].rules[0].matches[0].not_source_ips[0]",
                {
                    $0.groups[0].rules[0].matches[0].notSourceIps[0].address = Data([1])
                }
            ),
            (
                "groups[0].rules[0].matches[0].destination_ports[1]",
                {
                    $0.groups[0].rules[0].matches[0].destinationPorts[1] = 65_536
                }
            ),
            (
                "groups[0].rules[0].matches[0].principals[1]",
                {
                    $0.groups[0].rules[0].matches[0].principals[1] = .init()
                }
            ),
            (
                "groups[0].rules[0].matches[0].namespaces[0]",
                {
                    $0.groups[0].rules[0].matches[0].namespaces[0].exact = ""
                }
            ),
            (
                "groups[0].rules[0].matches[0].extensions",
                {
                    $0.groups[0].rules[0].matches[0].extensions = [.init()]
                }
            ),
            (
                "groups[0].rules[0].matches[0].service_accounts[0].namespace",
                {
                    $0.groups[0].rules[0].matches[0].serviceAccounts[0].namespace = ""
                }
            ),
        ]

    @Test func `a policy is refused whole for one bad part`() throws {
        for (field, spoil) in Self.policyFaults {
            var wire = try fullPolicy().wire
            spoil(&wire)
            let error = #expect(throws: ResourceRejection.self) {
                try Policy(wire, resource: "p")
            }
            #expect(error?.field == field)
        }
    }

    @Test func `a policy with a condition that is not known here is refused`() throws {
        // Field 100 of a match, as a later version of the protocol might have it.
        let condition: [UInt8] = [0xA2, 0x06, 0x01, 0x41]
        let match = try Istio_Security_Match(serializedBytes: condition)
        var wire = try fullPolicy().wire
        wire.groups[0].rules[0].matches = [match]
        #expect(throws: ResourceRejection.self) { try Policy(wire, resource: "p") }
    }

    @Test func `a mapped block is the IPv4 block it stands for`() throws {
        var wire = try fullPolicy().wire
        let mapped = Data([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0])
        wire.groups[0].rules[0].matches[0].sourceIps[0].address = mapped
        wire.groups[0].rules[0].matches[0].sourceIps[0].length = 104
        let policy = try Policy(wire, resource: "p")
        #expect(policy.rules[0].clauses[0].matches[0].sourceIPs == [IPPrefix("10.0.0.0/8")])
        wire.groups[0].rules[0].matches[0].sourceIps[0].length = 32
        #expect(throws: ResourceRejection.self) { try Policy(wire, resource: "p") }
    }
}

extension Message {
    fileprivate func bytes() throws -> [UInt8] { try serializedBytes() }
}
