internal import Kubernetes
internal import Mesh

/// A lab's objects as they were written, with what a real cluster would have filled in: the folder
/// that the controller reads, and the tokens it believes.
struct ObjectFile {
    /// The namespace and account of the lab's node proxies.
    static let nodeNamespace = "ambit-system"
    static let nodeAccount = "ambit-node"

    private var documents: [Value] = []

    /// Lays what is filled in over what was written.
    init(_ objects: ObjectSet, written: [ObjectKey: Value]) {
        let known = Set(objects.namespaces.map(\.metadata.name))
        if !known.contains(Self.nodeNamespace) {
            documents.append(Self.document("Namespace", "", Self.nodeNamespace))
        }
        for object in objects.namespaces {
            documents.append(
                written[object.key] ?? Self.document("Namespace", "", object.metadata.name)
            )
        }
        for object in objects.nodes { add(object, written[object.key]) }
        for object in objects.pods { add(object, written[object.key]) }
        for object in objects.services { add(object, written[object.key]) }
        let others =
            objects.serviceAccounts.map(\.key) + objects.endpointSlices.map(\.key)
            + objects.authorizationPolicies.map(\.key) + objects.peerAuthentications.map(\.key)
            + objects.gateways.map(\.key)
        documents += others.compactMap { written[$0] }
        for node in objects.nodes { documents.append(Self.proxy(of: node)) }
    }

    /// The file, one JSON document a line, which is YAML too.
    var bytes: [UInt8] {
        documents.map { Array("---\n".utf8) + $0.jsonBytes() + Array("\n".utf8) }.flatMap(\.self)
    }

    /// The file of tokens: the token of each node's proxy, by the node's name.
    static func tokens(_ tokens: [String: String]) -> [UInt8] {
        Value.list(
            tokens.sorted { $0.key < $1.key }.map { node, token in
                [
                    "token": .string(token),
                    "username": .string("system:serviceaccount:\(nodeNamespace):\(nodeAccount)"),
                    "audiences": ["ambit-ca"],
                    "podName": .string(proxyName(node)),
                    "podUID": .string(proxyName(node)),
                    "nodeName": .string(node),
                ]
            }
        ).jsonBytes()
    }

    /// The name and uid of the pod that stands for a node's proxy.
    static func proxyName(_ node: String) -> String { "ambit-node-" + node }

    private static func document(_ kind: String, _ namespace: String, _ name: String) -> Value {
        var document: Value = [
            "apiVersion": "v1", "kind": .string(kind), "metadata": ["name": .string(name)],
        ]
        if !namespace.isEmpty { document["metadata"]["namespace"] = .string(namespace) }
        return document
    }

    private static func proxy(of node: Node) -> Value {
        var pod = document("Pod", nodeNamespace, proxyName(node.metadata.name))
        pod["metadata"]["uid"] = .string(proxyName(node.metadata.name))
        pod["spec"] = [
            "nodeName": .string(node.metadata.name),
            "hostNetwork": true,
            "serviceAccountName": .string(nodeAccount),
            "containers": [["name": "ambit-node"]],
        ]
        pod["status"] = ["phase": "Running", "hostIPs": ips(node.addresses)]
        return pod
    }

    private static func ips(_ addresses: [IPAddress]) -> Value {
        .list(addresses.map { ["ip": .string($0.description)] })
    }

    private mutating func add(_ node: Node, _ written: Value?) {
        guard var document = written else { return }
        document["spec"]["podCIDRs"] = .list(node.podCIDRs.map { .string("\($0)") })
        document["status"]["addresses"] = .list(
            node.addresses.map { ["type": "InternalIP", "address": .string("\($0)")] }
        )
        documents.append(document)
    }

    private mutating func add(_ pod: Pod, _ written: Value?) {
        guard var document = written else { return }
        document["metadata"]["uid"] = .string(pod.metadata.uid)
        document["spec"]["nodeName"] = .string(pod.nodeName)
        document["status"]["podIPs"] = Self.ips(pod.addresses)
        document["status"]["hostIPs"] = Self.ips(pod.hostAddresses)
        document["status"]["phase"] = .string(pod.phase.rawValue)
        documents.append(document)
    }

    private mutating func add(_ service: Kubernetes.Service, _ written: Value?) {
        guard var document = written else { return }
        if let first = service.clusterIPs.first {
            document["spec"]["clusterIP"] = .string("\(first)")
            document["spec"]["clusterIPs"] = .list(service.clusterIPs.map { .string("\($0)") })
        }
        documents.append(document)
    }
}
