import AmbientProtocol
import Discovery
import Mesh
import SwiftProtobuf
import Testing

private struct BrokenProperty: Error, CustomStringConvertible {
    var description: String
}

@Suite struct `Fuzzed discovery` {
    private func workload() -> Workload {
        var workload = Workload(uid: "c//Pod/shop/web", name: "web", namespace: "shop")
        workload.addresses = [IPAddress(v4: 7), IPAddress(v6High: 1, low: 2)]
        workload.services = ["shop/a": [ServicePort(servicePort: 80, targetPort: 8080)]]
        workload.authorizationPolicies = ["shop/p"]
        workload.waypoint = GatewayAddress(
            destination: .hostname(namespace: "shop", hostname: "wp"),
            hboneMTLSPort: 15_008
        )
        return workload
    }

    private func service() -> Service {
        var service = Service(name: "a", namespace: "shop", hostname: "a.shop")
        service.ports = [ServicePort(servicePort: 80, targetPort: 0)]
        service.addresses = [
            Service.VirtualAddress(network: "n", prefix: IPPrefix(host: IPAddress(v4: 9)))
        ]
        service.loadBalancing.routingPreference = [.network, .zone]
        return service
    }

    private func policy() -> Policy {
        var match = Policy.Match()
        match.principals = [.exact("a"), .prefix("b"), .suffix("c"), .presence]
        match.sourceIPs = [IPPrefix(host: IPAddress(v4: 9))]
        match.destinationPorts = [80]
        var policy = Policy(name: "p", namespace: "shop", scope: .namespace, action: .deny)
        policy.rules = [Policy.Rule(clauses: [Policy.Clause(matches: [match])])]
        return policy
    }

    @Test func `a workload is refused or comes back the same`() throws {
        let corpus: [[UInt8]] = [try workload().wire.serializedBytes()]
        fuzz("workload", corpus: corpus) { input, _ in
            guard let wire = try? Istio_Workload_Workload(serializedBytes: input),
                let first = try? Workload(wire, resource: "r")
            else { return }
            guard try Workload(first.wire, resource: "r") == first else {
                throw BrokenProperty(description: "\(first)")
            }
        }
    }

    @Test func `a service is refused or comes back the same`() throws {
        let corpus: [[UInt8]] = [try service().wire.serializedBytes()]
        fuzz("service", corpus: corpus) { input, _ in
            guard let wire = try? Istio_Workload_Service(serializedBytes: input),
                let first = try? Service(wire, resource: "r")
            else { return }
            guard try Service(first.wire, resource: "r") == first else {
                throw BrokenProperty(description: "\(first)")
            }
        }
    }

    @Test func `a policy is refused or comes back the same`() throws {
        let corpus: [[UInt8]] = [try policy().wire.serializedBytes()]
        fuzz("policy", corpus: corpus) { input, _ in
            guard let wire = try? Istio_Security_Authorization(serializedBytes: input),
                let first = try? Policy(wire, resource: "r")
            else { return }
            guard try Policy(first.wire, resource: "r") == first else {
                throw BrokenProperty(description: "\(first)")
            }
        }
    }

    @Test func `a response changes only what it names, and removes only what is held`() throws {
        var address = Istio_Workload_Address()
        address.workload = workload().wire
        var resource = Envoy_Service_Discovery_V3_Resource()
        resource.name = workload().uid
        resource.version = "1"
        resource.resource.typeURL = TypeURL.address
        resource.resource.value = try address.serializedData()
        var response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse()
        response.typeURL = TypeURL.address
        response.resources = [resource]
        response.removedResources = ["c//Pod/shop/web", "shop/a.shop"]
        let corpus: [[UInt8]] = [try response.serializedBytes()]
        fuzz("response", corpus: corpus) { input, _ in
            var held = HeldResources()
            guard let first = held.take(serialized: input) else { return }
            // Nothing was held: nothing can be removed.
            guard first.change.removedWorkloads.isEmpty, first.change.removedServices.isEmpty,
                first.change.removedPolicies.isEmpty
            else { throw BrokenProperty(description: "\(first.change)") }
            let names = first.change.workloads.map(\.uid) + first.change.services.map(\.key)
            guard Set(names).count == names.count else {
                throw BrokenProperty(description: "twice in \(names)")
            }
            _ = held.take(serialized: input)
        }
    }

    @Test func `an endpoint is refused or names a host and a port`() {
        let texts = ["a.b:1", "[::1]:65535", "https://x:15012", "1.2.3.4:5,b:6"]
        let corpus = texts.map { Array($0.utf8) }
        fuzz("endpoint", corpus: corpus) { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            guard let endpoint = ControlEndpoint(text, roots: .system) else { return }
            let isGood = endpoint.places.allSatisfy { place in
                place.port > 0 && !place.host.isEmpty
                    && place.host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            }
            guard isGood, (1...ControlEndpoint.placesMax).contains(endpoint.places.count) else {
                throw BrokenProperty(description: "\(endpoint)")
            }
        }
    }
}
