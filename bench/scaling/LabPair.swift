internal import Foundation

/// A lab with two nodes and a pod on each, whose controller has a simulated cluster beside it.
final class LabPair {
    private static let clientNode = "near"
    private static let serverNode = "far"
    static let nodeNames = [clientNode, serverNode]
    private let name = "scale-\(ProcessInfo.processInfo.processIdentifier)"
    private let tools: Tools
    private let orders: URL
    private let report: URL
    private var server: Process?
    private var status: Status

    // What is read of `ambit lab ps -o json`.
    private struct Status: Decodable {
        struct Node: Decodable {
            struct Proxy: Decodable { var pid: Int32 }
            var name: String
            var processes: [Proxy]
        }
        struct Pod: Decodable {
            var name: String
            var addresses: [String]
            var processes: [Int32]
        }
        var supervisor: Int32
        var nodes: [Node]
        var pods: [Pod]
    }

    init(pods: Int, _ tools: Tools) throws {
        self.tools = tools
        orders = tools.folder.appending(path: "orders")
        report = tools.folder.appending(path: "report")
        let manifest = tools.folder.appending(path: "lab.yaml")
        try Data(Self.manifest.utf8).write(to: manifest)
        try Data("0 0\n".utf8).write(to: orders)
        let script = tools.folder.appending(path: "controller")
        // In a cluster it runs on another machine; here it must not take the nodes' processors.
        try Data(
            """
            #!/bin/sh
            exec chrt --idle 0 \(tools.own) lab-control --pods \(pods) --orders \(orders.path) \
            --report \(report.path) "$@"

            """.utf8
        ).write(to: script)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: script.path
        )
        try tools.run(
            [tools.ambit, "lab", "up", manifest.path, "--name", name, "--timeout", "120"]
                + ["--node-binary", tools.ambitNode, "--controller-binary", script.path]
                + ["--node-flag", "access-log=false"]
        )
        status = Status(supervisor: 0, nodes: [], pods: [])
        do {
            try readStatus()
            server = try startServer()
            try wait("an answer through the lab") { try answers }
        } catch {
            down()
            throw error
        }
    }

    /// Ends everything.
    func down() {
        server?.terminate()
        _ = try? tools.run([tools.ambit, "lab", "down", "--name", name])
    }

    private static func pod(_ name: String, _ node: String) -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: traffic}
        spec:
          nodeName: \(node)
          containers: [{name: wait, command: [sleep, infinity]}]

        """
    }

    private static let manifest =
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: traffic, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: \(clientNode)}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: \(serverNode)}

        """ + pod("client", clientNode) + pod("server", serverNode)

    private func readStatus() throws {
        let text = try tools.run([tools.ambit, "lab", "ps", "-o", "json", "--name", name])
        status = try JSONDecoder().decode(Status.self, from: text)
    }

    // MARK: the simulated cluster

    /// Tells the controller whether the simulated cluster is there, and how fast it changes.
    func order(isFull: Bool, changesPerSecond: Int) throws {
        try Data("\(isFull ? 1 : 0) \(changesPerSecond)\n".utf8).write(to: orders, options: .atomic)
    }

    /// How many resources the nodes were sent; nil while the simulated cluster is not there.
    var pushedResources: Int? {
        let words = (try? String(contentsOf: report, encoding: .utf8))?.split { $0.isWhitespace }
        guard let words, words.count == 2, words[0] == "1" else { return nil }
        return Int(words[1])
    }

    /// Ends a node's proxy and starts another; returns after how long that is ready.
    func restart(_ node: String) throws -> Double {
        let begun = Gauge.moment
        try tools.run(
            [tools.ambit, "lab", "restart", node, "--timeout", "120", "--name", name]
        )
        let took = Gauge.moment - begun
        try readStatus()
        return took
    }

    // MARK: processes

    /// What the nodes' proxies take, by node.
    func usage() throws -> [String: (bytes: Double, seconds: Double)] {
        let own = children
        var usage: [String: (bytes: Double, seconds: Double)] = [:]
        for node in status.nodes {
            guard let inner = node.processes.last?.pid, let process = own[inner] else {
                throw ScaleFailure("the lab's node \(node.name) does not run")
            }
            usage[node.name] = Gauge.usage(of: process)
        }
        return usage
    }

    private func pod(_ name: String) throws -> (address: String, enter: [String]) {
        guard let pod = status.pods.first(where: { $0.name == name }),
            let inner = pod.processes.first, let process = children[inner],
            let address = pod.addresses.first(where: { !$0.contains(":") })
        else { throw ScaleFailure("the lab's pod \(name) does not run") }
        return (address, ["nsenter", "--net=/proc/\(process)/ns/net"])
    }

    /// The lab's processes by their numbers in it: the children of its first process.
    private var children: [Int32: Int32] {
        var found: [Int32: Int32] = [:]
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for process in all.compactMap({ Int32($0) }) {
            var isChild = false
            var inner: [Int32] = []
            for line in Gauge.text("/proc/\(process)/status").split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" }
                if words.first == "PPid:" {
                    isChild = words.last.flatMap { Int32($0) } == status.supervisor
                }
                if words.first == "NSpid:" { inner = words.dropFirst().compactMap { Int32($0) } }
            }
            if isChild, inner.count > 1, let last = inner.last { found[last] = process }
        }
        return found
    }

    // MARK: traffic

    private func startServer() throws -> Process {
        let place = try pod("server")
        let folder = tools.folder.path
        let configuration = """
            daemon off;
            user root;
            worker_processes 2;
            pid \(folder)/nginx.pid;
            error_log stderr crit;
            events { worker_connections 4096; }
            http {
                access_log off;
                keepalive_requests 1000000000;
                tcp_nodelay on;
                server {
                    listen 8080;
                    location / {
                        default_type text/plain;
                        return 200 "A small answer, as a service gives it.\\n";
                    }
                }
            }

            """
        let file = tools.folder.appending(path: "nginx.conf")
        try Data(configuration.utf8).write(to: file)
        return try tools.start(place.enter + ["nginx", "-c", file.path, "-e", "stderr"])
    }

    private func url() throws -> String { "http://\(try pod("server").address):8080/" }

    private var answers: Bool {
        get throws {
            let curl = ["curl", "-sf", "-m", "2", "-o", "/dev/null", try url()]
            return (try? tools.run(try pod("client").enter + curl)) != nil
        }
    }

    /// Asks again and again until something holds.
    func wait(_ what: String, seconds: Double = 60, _ condition: () throws -> Bool) throws {
        let end = Gauge.moment + seconds
        while Gauge.moment < end {
            if try condition() { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        throw ScaleFailure("not within \(Int(seconds)) s: \(what)")
    }

    /// Requests at a fixed rate over 16 connections; the log of `h2load`.
    func requests(perSecond rate: Int, seconds: Int) throws -> String {
        let log = tools.folder.appending(path: "h2load.log")
        try? FileManager.default.removeItem(at: log)
        try tools.run(
            try pod("client").enter + [
                "h2load", "--h1", "-t", "1", "-c", "16", "--rps", "\(rate / 16)",
                "-D", "\(seconds)", "--log-file", log.path, try url(),
            ]
        )
        return try String(contentsOf: log, encoding: .utf8)
    }
}

/// The programs of the lab, and the folder for what they write.
struct Tools {
    let folder: URL
    let own: String
    let ambit: String
    let ambitNode: String

    /// Finds the programs beside this one; nil when one of them is missing.
    init?(folder: URL) {
        guard let own = Bundle.main.executablePath else { return nil }
        let beside = URL(fileURLWithPath: own).resolvingSymlinksInPath()
            .deletingLastPathComponent()
        self.folder = folder
        self.own = own
        ambit = beside.appending(path: "ambit").path
        ambitNode = beside.appending(path: "ambit-node").path
        guard
            [ambit, ambitNode].allSatisfy({ FileManager.default.isExecutableFile(atPath: $0) })
        else { return nil }
    }

    /// Starts a program; what it writes goes to files in the folder.
    func start(_ arguments: [String], to output: URL? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let errors = folder.appending(path: "errors")
        for file in [output, errors].compactMap(\.self) { try Data().write(to: file) }
        process.standardOutput =
            try output.map { try FileHandle(forWritingTo: $0) } ?? FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        return process
    }

    /// Runs a program to its end and returns what it wrote.
    @discardableResult
    func run(_ arguments: [String]) throws -> Data {
        let output = folder.appending(path: "output")
        let process = try start(arguments, to: output)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let said = (try? Data(contentsOf: folder.appending(path: "errors"))) ?? Data()
            let words = arguments.prefix(4).joined(separator: " ")
            throw ScaleFailure(
                "\(words): ended with \(process.terminationStatus): "
                    + String(decoding: said.suffix(2_000), as: UTF8.self)
            )
        }
        return try Data(contentsOf: output)
    }
}
