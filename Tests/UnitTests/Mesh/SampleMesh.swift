import Mesh
import Testing

/// A mesh under construction for tests of lookups, policy and routing.
struct SampleMesh {
    var workloads: [Workload] = []
    var services: [Service] = []
    var policies: [Policy] = []

    /// Adds a healthy HBONE pod, then lets `edit` change it.
    mutating func pod(
        _ name: String,
        _ namespace: String = "shop",
        at addresses: String...,
        edit: (inout Workload) -> Void = { _ in }
    ) throws {
        var workload = Workload(
            uid: "c//Pod/\(namespace)/\(name)",
            name: name,
            namespace: namespace
        )
        workload.addresses = try addresses.map { try #require(IPAddress($0)) }
        workload.tunnelProtocol = .hbone
        workload.serviceAccount = name
        edit(&workload)
        workloads.append(workload)
    }

    /// Adds a canonical service that leads port 80 to 8080, then lets `edit` change it.
    mutating func service(
        _ name: String,
        _ namespace: String = "shop",
        at addresses: String...,
        edit: (inout Service) -> Void = { _ in }
    ) throws {
        var service = Service(
            name: name,
            namespace: namespace,
            hostname: "\(name).\(namespace).svc.cluster.local"
        )
        service.addresses = try addresses.map {
            Service.VirtualAddress(network: "", prefix: try #require(IPPrefix($0)))
        }
        service.ports = [ServicePort(servicePort: 80, targetPort: 8080)]
        service.canonical = true
        edit(&service)
        services.append(service)
    }

    var state: MeshState {
        MeshState(workloads: workloads, services: services, policies: policies)
    }

    func snapshot(version: UInt64 = 1) -> Snapshot {
        Snapshot(
            version: version,
            workloads: workloads,
            services: services,
            policies: policies
        )
    }

    /// The snapshot after another one, and how it differs.
    func snapshot(after old: Snapshot) -> (snapshot: Snapshot, diff: SnapshotDiff) {
        old.applying(MeshChange(from: old, to: state), version: old.version + 1)
    }
}

/// The key of a sample service.
func sampleKey(_ name: String, _ namespace: String = "shop") -> String {
    "\(namespace)/\(name).\(namespace).svc.cluster.local"
}
