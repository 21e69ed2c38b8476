internal import ArgumentParser
internal import Glibc
internal import Lab

/// `ambit lab exec`.
struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command in a pod and end with its exit code.",
        usage: "ambit lab exec [-n NAMESPACE] POD -- COMMAND…"
    )

    @Option(name: [.customShort("n"), .long], help: "The pod's namespace.")
    var namespace = "default"

    @Argument(help: "The pod, as NAME or NAMESPACE/NAME.")
    var pod: String

    @Option(name: [.customShort("e"), .customLong("env")], help: "A variable, as NAME=VALUE.")
    var environment: [String] = []

    @Option(name: .customLong("cwd"), help: "The directory the command starts in.")
    var directory: String?

    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String]

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let name = PodName(pod, namespace: namespace)
            var execution = Execution(
                namespace: name.namespace,
                pod: name.name,
                arguments: command
            )
            execution.environment = Output.terminalEnvironment + environment
            execution.directory = directory
            let client = try lab.connect()
            throw ExitCode(try ExecutionSession.run(execution, over: client))
        }
    }
}

/// A pod as people name it.
struct PodName {
    let namespace: String
    let name: String

    /// Splits `NAMESPACE/NAME`; a bare name is in the given namespace.
    init(_ text: String, namespace: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.namespace = parts.count == 2 ? String(parts[0]) : namespace
        name = String(parts.last ?? "")
    }
}

/// `ambit lab logs`.
struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a pod's containers, a node's ambit-node or a controller wrote."
    )

    @Argument(
        help: """
            A pod as NAME or NAMESPACE/NAME, a node, controller-1 (controller where there is only \
            one), or nothing for the supervisor.
            """
    )
    var name: String?

    @Option(name: [.customShort("n"), .long], help: "The pod's namespace.")
    var namespace: String?

    @Flag(name: .shortAndLong, help: "Go on printing what is written.")
    var follow = false

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            let reader = try LogReader(client, of: try source(client))
            try reader.copy(to: STDOUT_FILENO, following: follow)
        }
    }

    // A bare name that is a node's or a controller's means that.
    private func source(_ client: ControlClient) throws(LabError) -> LogSource {
        guard let name else { return .supervisor }
        let status = try client.call(.status).status
        let isNode = status?.nodes.contains { $0.name == name } ?? false
        let isController = status?.controllers(called: name).isEmpty == false
        if namespace == nil, isNode || isController { return .node(name) }
        let pod = PodName(name, namespace: namespace ?? "default")
        return .pod(namespace: pod.namespace, name: pod.name)
    }
}
