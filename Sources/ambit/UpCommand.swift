internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Lab

/// `ambit lab up`.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start a lab with the objects of files; returns when it is ready.",
        discussion: """
            The lab goes on in the background until `ambit lab down`. It lives in namespaces of \
            its own: whatever ends it, nothing is left.

            ambit-controller reads the objects from a folder, as it reads them from the API server \
            in a cluster; the nodes follow it and get their certificates from it.
            """
    )

    @Argument(help: "YAML files with Kubernetes objects; - is standard input.")
    var files: [String]

    @OptionGroup var lab: LabChoice

    @Flag(help: "Stay, and end the lab when this command ends.")
    var foreground = false

    @Option(
        name: .customLong("node-flag"),
        help: "A setting for every ambit-node, as KEY=VALUE; may be given several times."
    )
    var nodeFlags: [String] = []

    @Option(help: "The ambit-node to run instead of the one beside this program.")
    var nodeBinary: String?

    @Option(help: "How many replicas of ambit-controller to run.")
    var controllers = 1

    @Flag(help: "Do without a controller: nodes read files, the lab's own process certifies them.")
    var fileState = false

    @Option(help: "The ambit-controller to run instead of the one beside this program.")
    var controllerBinary: String?

    @Option(
        help: ArgumentHelp(
            "A PEM file with a root's certificate and private key, to certify with.",
            discussion: "With it, certificates for foreign peers can be made by other means."
        )
    )
    var authority: String?

    @Flag(name: .customLong("no-mesh"), help: "Make the network and the pods only.")
    var withoutMesh = false

    @Option(help: "How many seconds to wait for the lab to be ready.")
    var timeout: UInt64 = 60

    func validate() throws {
        for flag in nodeFlags where !flag.contains("=") || flag.hasPrefix("-") {
            throw ValidationError("--node-flag must be KEY=VALUE, found \(flag)")
        }
        guard (1...SupervisorOptions.controllersMax).contains(controllers) else {
            let most = SupervisorOptions.controllersMax
            throw ValidationError("--controllers must be 1 to \(most), found \(controllers)")
        }
        if fileState, controllers != 1 || controllerBinary != nil {
            throw ValidationError("--file-state does without the controllers that are asked for")
        }
    }

    func run() throws {
        try reporting {
            var options = SupervisorOptions(name: lab.name)
            options.nodeFlags = nodeFlags
            options.authority = authority.map { URL(fileURLWithPath: $0).path }
            try LabLauncher.check(name: lab.name)
            if !withoutMesh { options.nodeBinary = try nodeBinary ?? LabLauncher.nodeBinary() }
            if !fileState && !withoutMesh {
                options.controllerBinary = try controllerBinary ?? LabLauncher.controllerBinary()
                options.controllers = controllers
            }
            let sources = try Output.read(files)
            let client = try LabLauncher.start(options)
            do {
                try bringUp(client, sources)
            } catch let error as LabError {
                report(error)
                try? LabLauncher.end(client)
                throw ExitCode(error.kind.rawValue)
            }
            guard foreground else { return }
            let stop = try StopSignals()
            stop.wait(orEndOf: client)
            try? LabLauncher.end(client)
        }
    }

    // The logs end with the lab, which ends when it does not become ready.
    private func showLogs(_ client: ControlClient) {
        guard let status = try? client.call(.status).status else { return }
        let nodes = status.nodes.filter { $0.state != "NoMesh" }.map(\.name)
        for name in status.controllers.map(\.name) + nodes {
            guard let reader = try? LogReader(client, of: .node(name)),
                let lines = try? reader.readOn()
            else { continue }
            for line in lines.suffix(20) { tell("\(name): \(line)") }
        }
    }

    private func bringUp(_ client: ControlClient, _ sources: [SourceFile]) throws(LabError) {
        let reply = try client.call(.apply(files: sources))
        for warning in reply.warnings { tell("warning: \(warning)") }
        do throws(LabError) {
            try Readiness(client, seconds: timeout).waitForAll()
        } catch {
            showLogs(client)
            throw error
        }
        if !foreground { try client.call(.detach) }
        let status = try client.call(.status).status
        let counts = "\(status?.nodes.count ?? 0) nodes, \(status?.pods.count ?? 0) pods"
        tell("lab \(lab.name) is up: \(counts)")
    }
}

/// `ambit lab down`.
struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "End a lab and everything in it."
    )

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            try LabLauncher.check(name: lab.name)
            try LabLauncher.end(lab.name)
        }
    }
}

/// `ambit lab supervise`: how `up` starts the lab's init process.
struct SuperviseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise",
        abstract: "Be the init process of a lab.",
        shouldDisplay: false
    )

    @OptionGroup var lab: LabChoice

    @Option(name: .customLong("node-flag"))
    var nodeFlags: [String] = []

    @Option var nodeBinary: String?
    @Option var controllerBinary: String?
    @Option var controllers = 1

    @Option var authority: String?

    func run() throws {
        try reporting {
            try LabLauncher.check(name: lab.name)
            var options = SupervisorOptions(name: lab.name)
            options.nodeBinary = nodeBinary
            options.controllerBinary = controllerBinary
            options.controllers = controllers
            options.nodeFlags = nodeFlags
            options.authority = authority
            throw ExitCode(SupervisorStart.run(options))
        }
    }
}
