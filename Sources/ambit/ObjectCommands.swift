internal import ArgumentParser
internal import Lab

/// `ambit lab apply`.
struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Add objects to a lab, and change those that are there.",
        discussion: "Returns when the pods are ready. Nothing changes if any is wrong."
    )

    @Argument(help: "YAML files with Kubernetes objects; - is standard input.")
    var files: [String]

    @OptionGroup var lab: LabChoice

    @Option(help: "How many seconds to wait for the pods to be ready.")
    var timeout: UInt64 = 60

    func run() throws {
        try reporting {
            let sources = try Output.read(files)
            let client = try lab.connect()
            let reply = try client.call(.apply(files: sources))
            for warning in reply.warnings { tell("warning: \(warning)") }
            try Readiness(client, seconds: timeout).waitForAll()
        }
    }
}

/// `ambit lab delete`.
struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Remove objects from a lab: those a file names, or one by kind and name.",
        usage: "ambit lab delete FILE…\n       ambit lab delete KIND NAME [-n NAMESPACE]"
    )

    @Argument(help: "A kind and a name, or YAML files.")
    var what: [String]

    @Option(name: [.customShort("n"), .long], help: "The object's namespace.")
    var namespace = "default"

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            if what.count == 2, !what[0].contains("."), !what[0].contains("/"), what[0] != "-" {
                try client.call(
                    .deleteObject(kind: what[0], namespace: namespace, name: what[1])
                )
            } else {
                try client.call(.delete(files: try Output.read(what)))
            }
        }
    }
}

/// `ambit lab ps`.
struct PsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        abstract: "List what runs in a lab."
    )

    /// How the list is printed.
    enum Format: String, ExpressibleByArgument { case table, json }

    @Option(name: [.customShort("o"), .long], help: "table or json.")
    var output = Format.table

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            guard var status = try client.call(.status).status else { return }
            status.supervisor = client.supervisor
            switch output {
            case .json: print(try Output.json(status))
            case .table: print(Self.table(status), terminator: "")
            }
        }
    }

    private static func table(_ status: LabStatus) -> String {
        var rows = [["NODE", "STATE", "ADDRESSES", "POD BLOCKS", "PID", "RESTARTS"]]
        for node in status.nodes {
            rows.append([
                node.name,
                node.isCut ? "\(node.state), cut off" : node.state,
                node.addresses.joined(separator: ","),
                node.podPrefixes.joined(separator: ","),
                node.processes.map { String($0.pid) }.joined(separator: ","),
                String(node.restarts),
            ])
        }
        var text = align(rows) + "\n"
        if !status.controllers.isEmpty {
            rows = [["CONTROLLER", "STATE", "PID", "RESTARTS"]]
            for controller in status.controllers {
                rows.append([
                    controller.name,
                    controller.state,
                    controller.process.map(String.init) ?? "",
                    String(controller.restarts),
                ])
            }
            text += align(rows) + "\n"
        }
        rows = [["POD", "STATE", "MESH", "NODE", "ADDRESSES", "PID", "RESTARTS"]]
        for pod in status.pods {
            rows.append([
                pod.namespace + "/" + pod.name,
                pod.state,
                pod.enrolled ? "yes" : "no",
                pod.node,
                pod.addresses.joined(separator: ","),
                pod.processes.map(String.init).joined(separator: ","),
                String(pod.restarts),
            ])
        }
        text += align(rows)
        return text
    }

    private static func align(_ rows: [[String]]) -> String {
        let widths = (rows.first ?? []).indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
        }.joined()
    }
}
