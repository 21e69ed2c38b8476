internal import ArgumentParser
internal import Controller
internal import Foundation
internal import Kubernetes
internal import Mesh

/// `ambit-controller`: options, each also `AMBIT_` and its name in the environment.
struct ControllerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ambit-controller",
        abstract: "Makes the mesh of Kubernetes objects, serves it to nodes, and certifies them.",
        discussion: """
            Every option may be given in the environment instead: --trust-domain as \
            AMBIT_TRUST_DOMAIN, and so on. Lists are separated by commas there.
            """
    )

    @Option(help: "A folder of manifests in place of an API server.")
    var manifests: String?

    @Option(help: "With --manifests: a file that says whose each token is.")
    var tokens: String?

    @Option(help: "A kubeconfig file, in place of the pod's own access.")
    var kubeconfig: String?

    @Option(help: "Where discovery and certificates are served.")
    var address: String?

    @Option(help: "Where /healthz, /readyz and /metrics are.")
    var metricsAddress: String?

    @Option(help: "The port of /debug on 127.0.0.1; 0 for none.")
    var debugPort: UInt16?

    @Option(help: "The trust domain of every identity.")
    var trustDomain: String?

    @Option(help: "The suffix of service names after svc.")
    var clusterDomain: String?

    @Option(name: .customLong("cluster-id"), help: "The name of the cluster.")
    var clusterID: String?

    @Option(help: "The name of the network all pods share.")
    var network: String?

    @Option(help: "The namespace of the mesh's own objects and of mesh-wide policies.")
    var rootNamespace: String?

    @Option(
        name: .customLong("ca-dir"),
        help: "A folder with the authority's certificate and key, read again as it changes."
    )
    var authorityFolder: String?

    @Option(
        name: .customLong("ca-secret"),
        help: "A Secret of the root namespace with the authority, in place of our own ambit-ca."
    )
    var authoritySecret: String?

    @Option(
        name: .customLong("crl-file"),
        help: "A PEM file of revocation lists, in place of ca-crl.pem beside the authority."
    )
    var revocationsPath: String?

    @Option(
        name: .customLong("ca-poll-seconds"),
        help: "How often the authority is looked at."
    )
    var authorityPollSeconds: Int?

    @Option(help: "The longest life of a certificate, in seconds.")
    var certificateSeconds: Int64?

    @Option(help: "The shortest life of a certificate, in seconds, whatever a node asks for.")
    var certificateSecondsMin: Int64?

    @Option(name: .customLong("audience"), help: "An audience tokens may be for.")
    var audiences: [String] = []

    @Option(name: .customLong("node-account"), help: "NAMESPACE/NAME of a node proxy's account.")
    var nodeAccounts: [String] = []

    @Option(name: .customLong("server-name"), help: "One more name or address of the server.")
    var serverNames: [String] = []

    mutating func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let settings = try settings(environment)
        let (cluster, election) = try Self.cluster(settings, environment)
        let program = ControllerProgram(
            settings: settings,
            cluster: cluster,
            election: election
        )
        let signals = EndingSignals()
        try await withThrowingTaskGroup { group in
            group.addTask { try await program.run() }
            let stream = signals.stream
            group.addTask { for await _ in stream { return } }
            defer { group.cancelAll() }
            try await group.next()
        }
        withExtendedLifetime(signals) {}
    }

    private static func cluster(
        _ settings: ControllerSettings,
        _ environment: [String: String]
    ) throws -> (any Cluster, ControllerProgram.Election?) {
        guard settings.manifests.isEmpty else {
            var paths = ManifestFolder.Paths(folder: settings.manifests)
            paths.tokens = settings.tokens
            let folder = try ManifestFolder(paths) { problems in
                for problem in problems {
                    FileHandle.standardError.write(Data("\(problem)\n".utf8))
                }
            }
            return (folder, nil)
        }
        let access: ClusterAccess
        if settings.kubeconfig.isEmpty, environment["KUBERNETES_SERVICE_HOST"] != nil {
            access = try ClusterAccess.inCluster()
        } else {
            var environment = environment
            if !settings.kubeconfig.isEmpty { environment["KUBECONFIG"] = settings.kubeconfig }
            access = try KubeConfig.load(environment: environment).access()
        }
        let server = APIServer(access)
        let election = LeaderElection(
            cluster: server,
            settings: LeaderElection.Settings(
                namespace: settings.mesh.rootNamespace,
                name: "ambit-controller",
                identity: settings.instance
            )
        )
        return (server, { await election.run($0) })
    }
}
