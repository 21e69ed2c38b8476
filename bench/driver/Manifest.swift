internal import Bench

/// The Kubernetes objects of the benchmark's labs.
enum Manifest {
    static let clientNode = "node-1"
    static let serverNode = "node-2"

    /// A client's and a server's pod for each contender; only Ambit's are in the mesh.
    static func pairs(_ names: [ContenderName], near: [ContenderName]) -> String {
        let pairs = names.map { name in
            pod("\(name.rawValue)-client", clientNode, name)
                + pod("\(name.rawValue)-server", serverNode, name)
        }
        let nearPairs = near.map { name in
            pod("\(name.rawValue)-near-client", clientNode, name)
                + pod("\(name.rawValue)-near-server", clientNode, name)
        }
        return frame + pairs.joined() + nearPairs.joined()
    }

    /// A node full of pods in the mesh, and as many beside them that are not.
    static func fullNode(pods: Int) -> String {
        let enrolled = (0..<pods).map { pod("enrolled-\($0)", clientNode, .ambit) }
        let plain = fullNodePlainPods(pods: pods).map { pod($0, clientNode, .envoyL4) }
        return frame + enrolled.joined() + plain.joined()
    }

    /// A node full of pods in the mesh, each with an identity of its own.
    static func idleNode(pods: Int) -> String {
        frame
            + (0..<pods).map { pod("idle-\($0)", clientNode, .ambit, account: "idle-\($0)") }
            .joined()
    }

    /// The names of those that are not in the mesh.
    static func fullNodePlainPods(pods: Int) -> [String] { (0..<pods).map { "plain-\($0)" } }

    private static let frame = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: mesh, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: plain}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: \(clientNode)}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: \(serverNode)}

        """

    private static func pod(
        _ name: String,
        _ node: String,
        _ contender: ContenderName,
        account: String = "default"
    ) -> String {
        let isMesh = contender == .ambit || contender == .ambitB
        return """
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), namespace: \(isMesh ? "mesh" : "plain")}
            spec:
              nodeName: \(node)
              serviceAccountName: \(account)
              containers: [{name: wait, command: [sleep, infinity]}]

            """
    }
}
