package import Foundation

/// A mesh state of any size, as a node reads it from a file: the pods that carry load, and a crowd
/// of workloads, services and policies that no connection of theirs touches.
package struct MeshCrowd: Sendable {
    /// A pod that carries load.
    package struct Pod: Sendable {
        package var name: String
        package var namespace: String
        package var node: String
        package var addresses: [String]

        package init(name: String, namespace: String, node: String, addresses: [String]) {
            self.name = name
            self.namespace = namespace
            self.node = node
            self.addresses = addresses
        }
    }

    /// What does not fit the addresses that the crowd has.
    package struct Invalid: Error, CustomStringConvertible {
        package let description: String
    }

    /// Workloads that share a service and a service account, and services that share a namespace.
    private static let workloadsPerService = 10
    private static let servicesPerNamespace = 10
    private static let workloadsPerNode = 100
    /// 100.64.0.0 and 100.96.0.0, halves of a block that no lab uses.
    private static let firstAddress: UInt32 = 0x6440_0000
    private static let firstVirtualAddress: UInt32 = 0x6460_0000
    /// What fits between the two.
    package static let workloadsMax = 1_000_000

    private let pods: [Pod]
    private let crowd: Int
    private let policies: Int

    /// Plans a mesh of so many workloads, the pods among them, and so many policies.
    package init(workloads: Int, policies: Int, around pods: [Pod]) throws(Invalid) {
        guard (pods.count...Self.workloadsMax).contains(workloads), policies > 0, !pods.isEmpty
        else {
            throw Invalid(
                description: "no mesh of \(workloads) workloads and \(policies) policies "
                    + "around \(pods.count) pods"
            )
        }
        self.pods = pods
        crowd = workloads - pods.count
        self.policies = policies
    }

    /// The file.
    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return try encoder.encode(state)
    }

    // The fields of a mesh state file that are used here.
    private struct State: Encodable {
        var workloads: [Workload]
        var services: [Service]
        var policies: [Policy]
    }

    private struct Port: Encodable {
        var servicePort = 80
        var targetPort = 8080
    }

    private struct PortList: Encodable { var ports = [Port()] }

    private struct Workload: Encodable {
        var uid: String
        var name: String
        var namespace: String
        var addresses: [String]
        var tunnelProtocol = "HBONE"
        var serviceAccount = "default"
        var node: String
        var workloadName: String
        var canonicalName: String
        var services: [String: PortList] = [:]
    }

    private struct Service: Encodable {
        var name: String
        var namespace: String
        var hostname: String
        var addresses: [String]
        var ports = [Port()]
    }

    private struct Policy: Encodable {
        struct Match: Encodable {
            var namespaces: [[String: String]]
        }
        struct Clause: Encodable { var matches: [Match] }
        struct Rule: Encodable { var clauses: [Clause] }
        var name: String
        var namespace: String
        var scope: String
        var action = "ALLOW"
        var rules: [Rule]

        init(_ name: String, in namespace: String, scope: String) {
            self.name = name
            self.namespace = namespace
            self.scope = scope
            let match = Match(namespaces: [["exact": namespace]])
            rules = [Rule(clauses: [Clause(matches: [match])])]
        }
    }

    private var state: State {
        let services = (crowd + Self.workloadsPerService - 1) / Self.workloadsPerService
        return State(
            workloads: pods.map(Self.workload) + (0..<crowd).map(Self.workload),
            services: (0..<services).map(Self.service),
            policies: (0..<policies).map(policy)
        )
    }

    private static func workload(_ pod: Pod) -> Workload {
        Workload(
            uid: "Kubernetes//Pod/\(pod.namespace)/\(pod.name)",
            name: pod.name,
            namespace: pod.namespace,
            addresses: pod.addresses,
            node: pod.node,
            workloadName: pod.name,
            canonicalName: pod.name
        )
    }

    private static func workload(_ index: Int) -> Workload {
        let service = index / workloadsPerService
        let namespace = namespace(of: service)
        let name = "app-\(service)"
        return Workload(
            uid: "Kubernetes//Pod/\(namespace)/\(name)-\(index)",
            name: "\(name)-\(index)",
            namespace: namespace,
            addresses: [address(firstAddress, index)],
            serviceAccount: name,
            node: "far-\(index / workloadsPerNode)",
            workloadName: name,
            canonicalName: name,
            services: ["\(namespace)/\(hostname(of: service))": PortList()]
        )
    }

    private static func service(_ index: Int) -> Service {
        Service(
            name: "app-\(index)",
            namespace: namespace(of: index),
            hostname: hostname(of: index),
            addresses: [address(firstVirtualAddress, index)]
        )
    }

    /// The first is what lets the pods' own traffic through; the others concern the crowd, by
    /// namespace and by selector.
    private func policy(_ index: Int) -> Policy {
        guard index > 0 else {
            let namespace = pods.first?.namespace ?? "default"
            return Policy("own", in: namespace, scope: "NAMESPACE")
        }
        let scope = index.isMultiple(of: 2) ? "NAMESPACE" : "WORKLOAD_SELECTOR"
        let namespace = "crowd-\(index % 100)"
        return Policy("rule-\(index)", in: namespace, scope: scope)
    }

    private static func namespace(of service: Int) -> String {
        "crowd-\(service / servicesPerNamespace)"
    }

    private static func hostname(of service: Int) -> String {
        "app-\(service).\(namespace(of: service)).svc.cluster.local"
    }

    private static func address(_ first: UInt32, _ index: Int) -> String {
        let value = first &+ UInt32(truncatingIfNeeded: index)
        return (0..<4).reversed().map { String(value >> (8 * UInt32($0)) & 0xFF) }
            .joined(separator: ".")
    }
}
