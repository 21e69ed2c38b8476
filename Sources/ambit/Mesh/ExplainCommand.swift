internal import ArgumentParser
internal import Glibc
internal import Terminal

/// `ambit explain`.
struct ExplainCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tell what would become of a connection, and why.",
        discussion: """
            Runs the node's own routing and policy over the mesh as a node holds it; nothing is \
            sent. Ends with 0 when the connection is allowed or never leaves the pod, with 2 when \
            it is denied or refused.

              ambit explain shop/web payments.shop:80
              ambit explain shop/web 10.244.2.17:8080
            """
    )

    @Argument(help: "The client: NAMESPACE/POD, NAMESPACE/DEPLOYMENT, or a pod's address.")
    var source: String

    @Argument(help: "What it dials: HOST:PORT, NAMESPACE/SERVICE:PORT or ADDRESS:PORT.")
    var destination: String

    @Option(name: [.customShort("n"), .long], help: "The namespace of a client without one.")
    var namespace = "default"

    @Option(help: "The DNS suffix of the cluster's services.")
    var clusterDomain = "cluster.local"

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        let view = try await nodes.any().mesh()
        var explanation = try explain(view, [])
        var dumps: [NodeDump] = []
        var asked: Set<String> = []
        var names = Set(explanation.nodesNotAsked)
        // Which ports a pod excludes its own node knows alone. The source's is asked first; if the
        // connection passes the mesh by, those of the destinations matter too.
        while !names.isEmpty {
            asked.formUnion(names)
            for reached in await nodes.reachable(names) {
                if let dump = try? await reached.dump() { dumps.append(dump) }
            }
            explanation = try explain(view, dumps)
            names = Set(explanation.nodesNotAsked).subtracting(asked)
        }
        format.show(explanation.value) { explanation.text($0) }
        if explanation.outcome != .allowed, explanation.outcome != .local {
            throw ExitCode(ReachError.Kind.findings.rawValue)
        }
    }

    private func explain(
        _ view: MeshView,
        _ dumps: [NodeDump]
    ) throws(ReachError) -> Explanation {
        let explainer = Explainer(
            view,
            clusterDomain: clusterDomain,
            excluded: ExcludedPorts(dumps)
        )
        return try explainer.explain(from: source, to: destination, namespace: namespace)
    }
}

/// `ambit dump`.
struct DumpCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print all that a node knows, as JSON."
    )

    @Argument(help: "A page of the admin server; / lists them.")
    var path = "/config_dump"

    @OptionGroup var nodes: NodeChoice

    func run() async throws {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ReachError(.usage, "the path must begin with / and have no spaces")
        }
        let bytes = try await nodes.any().get(path)
        write(String(decoding: bytes, as: UTF8.self), to: STDOUT_FILENO)
    }
}

/// `ambit log`.
struct LogCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show or change what nodes write to their logs.",
        discussion: """
            A level is error, warning, info, debug or trace, for all or for one part: \
            ambit log info,dns=debug. It holds until the node restarts; --reset undoes it.
            """
    )

    @Argument(help: "The new level; without it, the level is shown.")
    var level: String?

    @Flag(help: "Go back to the level the node was started with.")
    var reset = false

    @OptionGroup var nodes: NodeChoice

    func validate() throws {
        guard !reset || level == nil else {
            throw ValidationError("--reset cannot stand beside a level")
        }
        let isPlain = level?.utf8.allSatisfy {
            ($0 >= 0x61 && $0 <= 0x7A) || "=,_-".utf8.contains($0)
        }
        guard isPlain ?? true else { throw ValidationError("such a level there is not") }
    }

    func run() async throws {
        for source in try await nodes.all() {
            let bytes: [UInt8]
            if let level {
                bytes = try await source.post("/logging?level=\(level)")
            } else if reset {
                bytes = try await source.post("/logging?reset")
            } else {
                bytes = try await source.get("/logging")
            }
            let text = String(decoding: bytes, as: UTF8.self)
            for line in text.split(separator: "\n") {
                write("\(source.name): \(Terminal.printable(String(line)))\n", to: STDOUT_FILENO)
            }
        }
    }
}

/// `ambit completion`.
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print the completion script of a shell.",
        discussion: "source <(ambit completion bash)"
    )

    /// The shells that there are scripts for.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        write(Ambit.completionScript(for: kind) + "\n", to: STDOUT_FILENO)
    }
}
