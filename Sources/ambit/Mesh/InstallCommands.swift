internal import ArgumentParser
internal import Glibc
internal import Terminal

/// `ambit install`.
struct InstallCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Install Ambit in the cluster, or upgrade it.",
        discussion: """
            Applies the objects of deploy/overlays/default by server-side apply and waits until \
            they run. Running connections go on while it upgrades, and what was set before \
            stays, but for the image. --dry-run prints the objects and asks no cluster. Values for \
            --set: \
            \(Installation.Parameter.allCases.map { "\($0.rawValue) (\($0.help))" }
                .joined(separator: ", ")).
            """
    )

    @Option(name: .customLong("set"), help: "NAME=VALUE; may be given several times.")
    var settings: [String] = []

    @Flag(help: "Print what would be applied, as YAML.")
    var dryRun = false

    @Option(help: "How many seconds to wait for the programs to run; 0 does not wait.")
    var timeout: Int64 = 300

    @OptionGroup var cluster: ClusterChoice

    func run() async throws {
        // Wrong settings are told before a cluster is asked.
        let plain = try Installation(settings)
        guard !dryRun else { return write(plain.yaml, to: STDOUT_FILENO) }
        let installer = Installer(try cluster.connect()) { tell($0) }
        let installed = try await installer.installed()
        let installation = try Installation(settings, keeping: installed)
        for setting in installation.kept { tell("kept \(setting), as it was set before") }
        try await installer.apply(installation)
        guard timeout > 0 else { return }
        try await installer.waitForRollout(seconds: timeout)
        write("Ambit is installed. Next: ambit enrol NAMESPACE\n", to: STDOUT_FILENO)
    }
}

/// `ambit uninstall`.
struct UninstallCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract: "Remove Ambit from the cluster; traffic goes on in the clear.",
        discussion: """
            Nodes release their pods first; connections through the mesh end with it, new ones are \
            made without it. Kinds and policies stay unless --kinds is given. Labels of namespaces \
            stay: they mean nothing without Ambit.
            """
    )

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Delete the kinds of security.ambit.dev too, and with them every policy.")
    var kinds = false

    @Option(help: "How many seconds to wait for the nodes to release their pods.")
    var timeout: Int64 = 120

    @OptionGroup var cluster: ClusterChoice

    func run() async throws {
        tell("Without Ambit all traffic between pods goes on IN THE CLEAR, without identities,")
        tell("and no AuthorizationPolicy or PeerAuthentication of the mesh is enforced any more.")
        if kinds { tell("Every policy of security.ambit.dev is deleted.") }
        if !yes {
            guard isatty(STDIN_FILENO) == 1 else {
                throw ReachError(.usage, "say --yes where nobody can be asked")
            }
            write("Uninstall? Type yes: ", to: STDERR_FILENO)
            guard readLine() == "yes" else { throw ReachError(.failed, "nothing was done") }
        }
        let installer = Installer(try cluster.connect()) { tell($0) }
        try await installer.remove(includingKinds: kinds, seconds: timeout)
        write("Ambit is uninstalled.\n", to: STDOUT_FILENO)
    }
}

/// `ambit enrol`.
struct EnrolCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "enrol",
        abstract: "Take a namespace into the mesh and wait for its pods.",
        discussion: """
            Sets the label ambit.dev/dataplane-mode=ambient. No pod is restarted. A pod with the \
            label ambit.dev/dataplane-mode=none stays out.
            """,
        aliases: ["enroll"]
    )

    @Argument(help: "The namespace.")
    var namespace: String

    @Option(help: "How many seconds to wait for the pods.")
    var timeout: Int64 = 60

    @OptionGroup var cluster: ClusterChoice

    func run() async throws {
        let enrolling = Enrolling(try cluster.connect()) { write($0 + "\n", to: STDOUT_FILENO) }
        try await enrolling.run(namespace, enrol: true, seconds: timeout)
    }
}

/// `ambit unenrol`.
struct UnenrolCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "unenrol",
        abstract: "Take a namespace out of the mesh; its traffic goes on in the clear.",
        aliases: ["unenroll"]
    )

    @Argument(help: "The namespace.")
    var namespace: String

    @Option(help: "How many seconds to wait for the pods.")
    var timeout: Int64 = 60

    @OptionGroup var cluster: ClusterChoice

    func run() async throws {
        let enrolling = Enrolling(try cluster.connect()) { write($0 + "\n", to: STDOUT_FILENO) }
        try await enrolling.run(namespace, enrol: false, seconds: timeout)
    }
}

/// `ambit check`.
struct CheckCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check an installation, or with --pre whether a cluster can take one.",
        discussion: "Ends with 2 when a check fails. Warnings do not count."
    )

    @Flag(help: "Check the cluster before Ambit is installed.")
    var pre = false

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        var report = CheckReport()
        if nodes.admin.isEmpty, nodes.lab == nil {
            let api = try nodes.cluster.connect()
            report = try await pre ? PreflightCheck(api).run() : MeshCheck(api).run()
        }
        if !pre { try await askNodes(&report) }
        format.show(report.value) { report.text($0) }
        if report.failures > 0 { throw ExitCode(ReachError.Kind.findings.rawValue) }
    }

    private func askNodes(_ report: inout CheckReport) async throws {
        var stands: [(dump: NodeDump, pending: String)] = []
        do {
            for source in try await nodes.all() {
                stands.append((try await source.dump(), try await source.pending()))
            }
        } catch let error as ReachError {
            report.begin("What nodes tell")
            report.fail(
                "the nodes answer",
                cause: error.reason,
                remedy: "kubectl -n \(Installation.namespace) get pods -o wide"
            )
            return
        }
        MeshCheck.addNodes(stands, to: &report)
    }
}
