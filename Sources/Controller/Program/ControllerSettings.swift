package import Mesh

/// All that the program is told when it starts.
package struct ControllerSettings: Sendable {
    package var mesh = MeshSettings()
    /// A folder of manifests in place of an API server; empty for the API server.
    package var manifests = ""
    /// In folder mode: the file that says whose each token is.
    package var tokens = ""
    /// A kubeconfig file; empty for the pod's own access, or `$KUBECONFIG`.
    package var kubeconfig = ""
    /// Where discovery and certificates are served.
    package var address = SocketAddress(IPAddress(v6High: 0, low: 0), 15012)
    /// Where health and metrics are.
    package var metricsAddress = SocketAddress(IPAddress(v6High: 0, low: 0), 15014)
    /// Port on loopback for debugging; 0 for none.
    package var debugPort: UInt16 = 15016
    /// A folder with the authority, read again as it changes; empty for a Secret.
    package var authorityFolder = ""
    /// The Secret with the authority, in the root namespace; empty for our own, `ambit-ca`.
    package var authoritySecret = ""
    /// A file of revocation lists, read again as it changes; empty for what stands beside the
    /// authority as `ca-crl.pem`.
    package var revocationsPath = ""
    /// How often the authority is looked at, in seconds.
    package var authorityPollSeconds = 5
    /// The longest life of a certificate, in seconds; also what a step of a rotation takes.
    package var certificateSeconds: Int64 = 24 * 3600
    /// The shortest life of a certificate, in seconds, whatever is asked for.
    package var certificateSecondsMin: Int64 = 60
    package var audiences = ["ambit-ca", "istio-ca"]
    package var nodeAccounts: Set<String> = ["ambit-system/ambit-node", "istio-system/ztunnel"]
    /// More names that the server's certificate is good for.
    package var serverNames: [String] = []
    /// What names this replica; the pod's name.
    package var instance = "ambit-controller"

    /// The defaults.
    package init() {}

    /// The names and addresses of the server's certificate.
    var allServerNames: [String] {
        let service = "ambit-controller.\(mesh.rootNamespace)"
        return [
            "\(service).svc", "\(service).svc.\(mesh.clusterDomain)", service, "localhost",
            "127.0.0.1", "::1",
        ] + serverNames
    }
}
