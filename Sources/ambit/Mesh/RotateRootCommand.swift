internal import ArgumentParser
internal import Glibc
internal import Kubernetes
internal import Terminal

/// `ambit rotate-root`.
struct RotateRootOfClusterCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-root",
        abstract: "Replace the root of the mesh's certificates, in overlapping steps.",
        discussion: """
            The leading controller makes a new root, which is trusted beside the old one for one \
            step, then signs for one step, then stands alone. No connection fails if a step is a \
            certificate's lifetime (a day by default) at least. The stage is in the annotations \
            of the Secret \(Installation.namespace)/ambit-ca.
            """
    )

    @Option(help: "Seconds that each step takes.")
    var step: Int64 = 86_400

    @OptionGroup var cluster: ClusterChoice

    func validate() throws {
        guard (1...(365 * 86_400)).contains(step) else {
            throw ValidationError("--step must be from a second to a year")
        }
    }

    func run() async throws {
        let secret = ObjectReference(
            .secrets,
            namespace: Installation.namespace,
            name: "ambit-ca"
        )
        _ = try await cluster.connect().patch(
            secret,
            subresource: "",
            with: ["metadata": ["annotations": ["ambit.dev/rotate-root": .string("\(step)")]]]
        )
        let end = Listing.duration(seconds: 2 * step)
        write("A new root is on its way; the old one is dropped in \(end).\n", to: STDOUT_FILENO)
    }
}
