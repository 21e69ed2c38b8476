internal import ArgumentParser
internal import Glibc
internal import Lab

/// `ambit lab restart`.
struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "End a node's ambit-node and start another; returns when that is ready.",
        discussion: """
            A controller, controller-1 and so on, can be restarted in the same way, but for \
            --rolling.

            With --rolling the new process is started first; when it is ready, the old one gets \
            SIGTERM and drains.
            """
    )

    /// The signals that end a process.
    enum EndSignal: String, ExpressibleByArgument {
        case term = "TERM"
        case kill = "KILL"

        var number: Int32 { self == .term ? SIGTERM : SIGKILL }
    }

    @Argument(help: "The node or controller.")
    var node: String

    @Option(help: "TERM or KILL.")
    var signal = EndSignal.term

    @Flag(help: "Start the new process before the old one is told to end.")
    var rolling = false

    @Option(help: "How many seconds to wait for the new process to be ready.")
    var timeout: UInt64 = 60

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            let readiness = Readiness(client, seconds: timeout)
            let controllers = try client.call(.status).status?.controllers(called: node) ?? []
            if !controllers.isEmpty {
                guard !rolling else {
                    throw LabError(.usage, "a controller hands nothing over: leave out --rolling")
                }
                try client.call(.node(node, .restart(signal: signal.number)))
                let old = controllers.compactMap(\.process)
                try readiness.wait(forControllers: node, after: old)
            } else if rolling {
                let process = try client.call(.node(node, .startNext)).process
                try readiness.wait(forNode: node, process: process)
                try client.call(.node(node, .retirePrevious))
            } else {
                let old = try Self.processes(of: node, client)
                try client.call(.node(node, .restart(signal: signal.number)))
                try readiness.wait(forNode: node, after: old)
            }
        }
    }

    private static func processes(
        of name: String,
        _ client: ControlClient
    ) throws(LabError) -> [Int32] {
        let nodes = try client.call(.status).status?.nodes ?? []
        return nodes.first { $0.name == name }?.processes.map(\.pid) ?? []
    }
}

/// `ambit lab stop`.
struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End a node's ambit-node, or a controller, and start no other."
    )

    @Argument(help: "The node; or controller-1 and so on, or controller for all of those.")
    var node: String

    @Option(help: "TERM or KILL.")
    var signal = RestartCommand.EndSignal.term

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            try lab.connect().call(.node(node, .stop(signal: signal.number)))
        }
    }
}

/// `ambit lab start`.
struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start a node's ambit-node again, or a controller; returns when it is ready."
    )

    @Argument(help: "The node; or controller-1 and so on, or controller for all of those.")
    var node: String

    @Option(help: "How many seconds to wait for it to be ready.")
    var timeout: UInt64 = 60

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            let process = try client.call(.node(node, .start)).process
            let readiness = Readiness(client, seconds: timeout)
            let status = try client.call(.status).status
            if status?.controllers(called: node).isEmpty == false {
                try readiness.wait(forControllers: node)
            } else {
                try readiness.wait(forNode: node, process: process)
            }
        }
    }
}

/// `ambit lab cut`.
struct CutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cut",
        abstract: "Take a node's link to the other nodes down."
    )

    @Argument(help: "The node.")
    var node: String

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting { try lab.connect().call(.node(node, .cut)) }
    }
}

/// `ambit lab mend`.
struct MendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mend",
        abstract: "Take a node's link to the other nodes up again."
    )

    @Argument(help: "The node.")
    var node: String

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting { try lab.connect().call(.node(node, .mend)) }
    }
}

/// `ambit lab metrics`.
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print a node's metrics."
    )

    @Argument(help: "The node.")
    var node: String

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            try fetch("GET", "/metrics", node, port: 15020, client)
        }
    }
}

/// `ambit lab admin`.
struct AdminCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Make a request to a node's admin port, such as /config_dump."
    )

    @Argument(help: "The node.")
    var node: String

    @Argument(help: "The path, with its query.")
    var path: String

    @Option(name: [.customShort("X"), .long], help: "The method.")
    var method = "GET"

    @Option(help: "The port on the node.")
    var port: UInt16 = 15000

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            try fetch(method, path, node, port: port, try lab.connect())
        }
    }
}

/// `ambit lab rotate-root`.
struct RotateRootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-root",
        abstract: "Replace the root of the lab's certificates.",
        discussion: """
            Both roots are trusted for the overlap before the new one signs and as long after. No \
            connection fails if the overlap is a certificate's lifetime (the nodes' \
            certificate-lifetime, a day by default) at least.
            """
    )

    @Option(help: "Seconds that both are trusted, before the new one signs and after.")
    var overlap: Int64 = 86_400

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting { try lab.connect().call(.rotateRoot(overlap: overlap)) }
    }
}

/// `ambit lab revoke`.
struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke certificates of the lab, by serial number as ambit certs shows them."
    )

    @Argument(help: "Serial numbers in hexadecimal.")
    var serials: [String]

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting { try lab.connect().call(.revoke(serials: serials)) }
    }
}

/// Prints an answer's body; one that is no success fails the command.
private func fetch(
    _ method: String,
    _ path: String,
    _ node: String,
    port: UInt16,
    _ client: ControlClient
) throws {
    let response = try NodeHTTP(client).request(method, path, at: .node(node), port: port)
    try Output.write(response.body, to: STDOUT_FILENO)
    guard (200..<300).contains(response.status) else {
        throw LabError(.failed, "Node \(node) answered \(response.status)")
    }
}
