import Authorization
import Controller
import JSON
import Kubernetes
import Mesh
import Testing

/// A mesh translated from YAML in which every pod without an address gets one.
struct MeshFixture {
    let translation: Translation
    let snapshot: Snapshot

    init(_ text: String, settings: MeshSettings = MeshSettings()) throws {
        let manifests = Manifests(files: [("test.yaml", Array(text.utf8))])
        try #require(manifests.problems.isEmpty, "\(manifests.problems)")
        var objects = manifests.objects
        for index in objects.pods.indices where objects.pods[index].addresses.isEmpty {
            objects.pods[index].addresses = [IPAddress(v4: 0x0A01_0000 + UInt32(index) + 1)]
        }
        translation = translate(objects, settings: settings)
        // What a node would make of it: the file form must be taken.
        let state = try MeshState(json: translation.state.json.compact())
        try #require(state == translation.state)
        snapshot = Snapshot(
            version: 1,
            workloads: state.workloads,
            services: state.services,
            policies: state.policies
        )
    }

    func workload(_ name: String) throws -> Workload {
        try #require(translation.state.workloads.first { $0.name == name })
    }

    func service(_ name: String) throws -> Mesh.Service {
        try #require(translation.state.services.first { $0.name == name })
    }

    func policy(_ name: String) throws -> Policy {
        try #require(translation.state.policies.first { $0.name == name })
    }

    /// Whether a connection to a pod's port is permitted; `principal` is nil for plaintext.
    func permits(
        _ principal: String?,
        from address: String = "10.9.9.9",
        to name: String,
        port: UInt16 = 8080
    ) throws -> Bool {
        let identity = try principal.map { try #require(SPIFFEID(uri: "spiffe://" + $0)) }
        let record = try #require(snapshot.workload(uid: try workload(name).uid))
        let destination = try #require(record.workload.addresses.first)
        let flow = Flow(
            source: try #require(IPAddress(address)),
            identity: identity,
            destination: SocketAddress(destination, port)
        )
        switch authorize(flow, to: record) {
        case .permitted: return true
        case .denied: return false
        }
    }
}

/// YAML of one object on few lines.
enum Manifest {
    static func namespace(_ name: String, _ labels: String = "") -> String {
        "{apiVersion: v1, kind: Namespace, metadata: {name: \(name), labels: {\(labels)}}}"
    }

    static func pod(
        _ name: String,
        namespace: String = "shop",
        labels: String = "",
        metadata: String = "",
        spec: String = "",
        status: String = ""
    ) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)
          namespace: \(namespace)
          labels: {\(labels)}
        \(metadata.indented(by: 2))
        spec:
          containers: [{name: a, ports: [{name: http, containerPort: 8080}]}]
        \(spec.indented(by: 2))
        status: {\(status)}
        """
    }

    static func service(_ name: String, namespace: String = "shop", _ spec: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: \(namespace)}
        spec:
        \(spec.indented(by: 2))
        """
    }

    static func slice(
        _ name: String,
        of service: String,
        labels: String = "",
        _ rest: String
    ) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata:
          name: \(name)
          namespace: shop
          labels: {kubernetes.io/service-name: \(service), \(labels)}
        addressType: IPv4
        \(rest)
        """
    }

    static func authorization(
        _ name: String,
        namespace: String = "shop",
        annotations: String = "",
        _ spec: String
    ) -> String {
        """
        apiVersion: security.ambit.dev/v1alpha1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: \(namespace), annotations: {\(annotations)}}
        spec:
        \(spec.indented(by: 2))
        """
    }

    static func peers(
        _ name: String,
        namespace: String = "shop",
        created: String = "",
        _ spec: String
    ) -> String {
        """
        apiVersion: security.ambit.dev/v1alpha1
        kind: PeerAuthentication
        metadata:
          name: \(name)
          namespace: \(namespace)
          creationTimestamp: \(created)
        spec: {\(spec)}
        """
    }

    static func joined(_ documents: [String]) -> String {
        documents.joined(separator: "\n---\n")
    }
}

extension String {
    fileprivate func indented(by count: Int) -> String {
        split(separator: "\n").map { String(repeating: " ", count: count) + $0 }
            .joined(separator: "\n")
    }
}
