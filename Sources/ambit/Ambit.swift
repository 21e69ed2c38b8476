internal import ArgumentParser
internal import Glibc
internal import Lab

/// The program for a person's terminal.
struct Ambit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ambit",
        abstract: "A service mesh without sidecars.",
        discussion: """
            Exit codes: 0 success; 1 the operation failed or took too long; 2 it went well but \
            something is not as it should be (check, status, certs) or the connection is not \
            allowed (explain); 64 the command line is wrong; 65 an object or a name is wrong; 66 \
            a file cannot be read; 69 nobody answers, or no such lab is up; 73 a lab of that name \
            is up already; 77 it takes root, or rights in the cluster. `ambit lab exec` ends with \
            the exit code of its command, 126 or 127 when that cannot be run.
            """,
        subcommands: [VersionCommand.self, CompletionCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Run",
                subcommands: [
                    InstallCommand.self, UninstallCommand.self, CheckCommand.self,
                    EnrolCommand.self, UnenrolCommand.self, RotateRootOfClusterCommand.self,
                    RevokeInClusterCommand.self,
                ]
            ),
            CommandGroup(
                name: "Look",
                subcommands: [
                    StatusCommand.self, WorkloadsCommand.self, ServicesCommand.self,
                    PoliciesCommand.self, CertsCommand.self, ConnectionsCommand.self,
                    ExplainCommand.self, DumpCommand.self, LogCommand.self,
                ]
            ),
            CommandGroup(name: "Without a cluster", subcommands: [LabCommand.self]),
        ]
    )
}

/// `ambit version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version."
    )

    func run() {
        print("ambit \(Version.text)")
    }
}

/// `ambit lab …`.
struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Run a whole mesh on this machine from Kubernetes YAML, without Kubernetes.",
        subcommands: [
            UpCommand.self, ApplyCommand.self, DeleteCommand.self, PsCommand.self,
            ExecCommand.self, LogsCommand.self, CaptureCommand.self, MetricsCommand.self,
            AdminCommand.self, RestartCommand.self, StopCommand.self, StartCommand.self,
            RotateRootCommand.self, RevokeCommand.self, CutCommand.self, MendCommand.self,
            DownCommand.self, DemoCommand.self, SuperviseCommand.self,
        ]
    )
}

/// Which lab a command is about.
struct LabChoice: ParsableArguments {
    @Option(
        name: .customLong("name"),
        help: "The lab's name; without it, that of $AMBIT_LAB, or default."
    )
    var name = Output.variable("AMBIT_LAB") ?? "default"

    /// Connects to the lab, which must be up.
    func connect() throws(LabError) -> ControlClient {
        try LabLauncher.check(name: name)
        return try ControlClient(lab: name)
    }
}

/// Runs a command's body; a failure of the lab is told in one line and becomes the exit code.
func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as LabError {
        report(error)
        throw ExitCode(error.kind.rawValue)
    }
}

/// Tells a failure on standard error.
func report(_ error: LabError) {
    for line in error.message.split(separator: "\n") { tell("ambit: \(line)") }
}

/// Writes a line to standard error.
func tell(_ line: String) {
    write(line + "\n", to: STDERR_FILENO)
}

/// Writes bytes or text to a descriptor; a reader that is gone is not an error.
func write(_ text: String, to descriptor: Int32) {
    try? Output.write(Array(text.utf8), to: descriptor)
}
