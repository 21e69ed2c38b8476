/// Where a lab keeps its files: a tmpfs of its own, seen only in its mount namespace.
enum LabPaths {
    /// The mount point; every Linux has the directory, so nothing is made on the host's disk.
    static let mountPoint = "/dev/shm"
    static let root = mountPoint + "/ambit-lab"
    static let namespaces = root + "/netns"
    static let pods = root + "/pods"
    static let nodes = root + "/nodes"
    /// A file system of its own, so that logs cannot take the room of state files.
    static let logs = root + "/logs"
    static let meshState = root + "/mesh.json"
    /// The objects as the controller reads them.
    static let objects = root + "/objects"
    static let objectFile = objects + "/lab.yaml"
    /// Whose each node's token is.
    static let tokens = root + "/tokens.json"
    /// The certificate authority's folder, which the controller reads.
    static let authority = root + "/ca"
    static let authorityRoots = authority + "/root-cert.pem"
    static let authorityCertificate = authority + "/ca-cert.pem"
    static let authorityKey = authority + "/ca-key.pem"
    /// The revocation lists that the controller reads.
    static let authorityRevocations = authority + "/ca-crl.pem"
    /// The revocation lists that nodes read where there is no controller, in a folder of their own.
    static let revocations = root + "/revocation"
    static let revocationFile = revocations + "/lists.pem"
    static let supervisorLog = logs + "/supervisor"

    /// The network namespace of a pod; object names have neither slash nor underscore.
    static func namespace(ofPod namespace: String, _ name: String) -> String {
        namespaces + "/" + namespace + "_" + name
    }

    /// The network namespace of a node.
    static func namespace(ofNode name: String) -> String { namespaces + "/" + name }

    /// The directory of a pod's own `/etc` files.
    static func files(ofPod namespace: String, _ name: String) -> String {
        pods + "/" + namespace + "_" + name
    }

    /// The file a node reads its pods from.
    static func podsFile(ofNode name: String) -> String { nodes + "/" + name + ".json" }

    /// Where a node gets its certificates.
    static func signerSocket(ofNode name: String) -> String { nodes + "/" + name + ".signer" }

    /// The token a node shows the controller.
    static func token(ofNode name: String) -> String { nodes + "/" + name + ".token" }

    static func log(ofPod namespace: String, _ name: String) -> String {
        logs + "/pod_" + namespace + "_" + name
    }

    static func log(ofNode name: String) -> String { logs + "/node_" + name }

    static func log(ofController name: String) -> String { logs + "/" + name }
}
