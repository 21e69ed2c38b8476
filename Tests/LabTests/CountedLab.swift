import Foundation

/// A place in the relay path where costs are counted.
enum CountedRole: String, CaseIterable, Sendable {
    /// The client's node: captured, routed, sealed.
    case outbound
    /// The server's node: opened, authorized, delivered.
    case inbound
    /// A node that has both: nothing to seal.
    case sameNode = "same node"

    /// Whose worker is counted.
    var node: String { self == .inbound ? "node-2" : "node-1" }

    /// The service that the client asks for.
    var target: String { self == .sameNode ? "near" : "far" }
}

/// The one thread of a node that relays.
struct CountedWorker {
    let role: CountedRole
    /// The node's process, as the lab numbers it.
    let process: Int
    /// The thread, as the host numbers it.
    let thread: Int
    /// Its place among the process's threads in the order they were started, from 1.
    let place: Int
}

/// Counts what workers spend from `begin` to `end`.
protocol WorkerCounter {
    func begin(_ workers: [CountedWorker]) throws
    /// What each spent, in the same order; `name` tells what was counted.
    func end(_ workers: [CountedWorker], _ name: String) throws -> [Int]
}

/// Two nodes with one worker each, a client, a server on each node and a policy that allows it.
///
/// All of it shares one processor. So whoever is woken waits until who woke it has nothing more to
/// do, and wake-ups find the same work each time, whatever else the machine does.
final class CountedLab {
    let lab: TestLab

    init(_ flags: [String]) throws {
        let list = try Self.text("/proc/self/status").split(separator: "\n")
            .first { $0.hasPrefix("Cpus_allowed_list:") }
        guard let processor = list?.split(whereSeparator: { !$0.isNumber }).last else {
            throw TestLab.Failure("no processor in \(list ?? "/proc/self/status")")
        }
        lab = try TestLab(
            Self.manifest,
            // A controller would have its share of the processor.
            flags: ["--node-flag", "worker-threads=1", "--file-state"] + flags,
            launcher: ["taskset", "-c", String(processor)]
        )
        for server in ["mesh/near", "mesh/far"] {
            try lab.eventually("\(server) serves") {
                try lab.lab(["logs", server]).contains("serving")
            }
        }
    }

    /// What one unit of each work costs each role.
    func costs(_ counter: some WorkerCounter) throws -> RelayCosts {
        var costs = RelayCosts()
        for roles in [[CountedRole.outbound, .inbound], [.sameNode]] {
            let workers = try roles.map(worker)
            let load = try CountedLoad(lab, target: roles[0].target)
            for work in CountedWork.allCases {
                try counter.begin(workers)
                try load.run(work)
                let name = "\(roles[0].target)-\(work.rawValue)"
                for (role, spent) in zip(roles, try counter.end(workers, name)) {
                    costs.set(role, work, Double(spent) / Double(work.count))
                }
            }
        }
        return costs
    }

    private func worker(of role: CountedRole) throws -> CountedWorker {
        let status = try lab.status()
        guard let node = status.nodes.first(where: { $0.name == role.node }),
            let process = node.processes.first?.pid,
            let host = Self.child(of: status.supervisor, numbered: process)
        else { throw TestLab.Failure("no process of \(role.node)") }
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(host)/task")
            .compactMap { Int($0) }.sorted()
        let found = try threads.firstIndex { thread in
            try Self.text("/proc/\(host)/task/\(thread)/comm") == "worker-0\n"
        }
        guard let found else { throw TestLab.Failure("no worker in process \(host)") }
        return CountedWorker(
            role: role,
            process: process,
            thread: threads[found],
            place: found + 1
        )
    }

    /// The number on the host of a lab's process, which the lab numbers in a namespace of its own.
    private static func child(of parent: Int, numbered inner: Int) -> Int? {
        let all = try? FileManager.default.contentsOfDirectory(atPath: "/proc")
        return all?.compactMap { Int($0) }.first { process in
            guard let status = try? text("/proc/\(process)/status") else { return false }
            let lines = status.split(separator: "\n")
            return lines.contains("PPid:\t\(parent)")
                && lines.contains("NSpid:\t\(process)\t\(inner)")
        }
    }

    // Files of /proc have no size: they are read to their end.
    private static func text(_ path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    }

    private static var manifest: String {
        let ports =
            "ports: [{name: one, port: 7001}, {name: sixteen, port: 7016}, {name: up, port: 7100}]"
        return """
            apiVersion: v1
            kind: Namespace
            metadata: {name: mesh, labels: {ambit.dev/dataplane-mode: ambient}}
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: node-1}
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: node-2}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: far, namespace: mesh}
            spec: {selector: {app: far}, \(ports)}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: near, namespace: mesh}
            spec: {selector: {app: near}, \(ports)}
            ---
            apiVersion: security.ambit.dev/v1alpha1
            kind: AuthorizationPolicy
            metadata: {name: client-only, namespace: mesh}
            spec:
              action: ALLOW
              rules: [{from: [{source: {principals: [cluster.local/ns/mesh/sa/client]}}]}]
            \(SharedLab.pod("mesh", "client", "node-1", account: "client"))
            \(SharedLab.pod("mesh", "near", "node-1", account: "near", runs: CountedLoad.server))
            \(SharedLab.pod("mesh", "far", "node-2", account: "far", runs: CountedLoad.server))
            """
    }
}

extension TestLab {
    /// A part of what `lab ps -o json` says.
    struct Status: Decodable {
        struct Node: Decodable {
            let name: String
            let processes: [Process]
        }
        struct Process: Decodable {
            let pid: Int
        }
        /// The lab's first process, as the host numbers it.
        let supervisor: Int
        let nodes: [Node]
    }

    /// What runs in the lab.
    func status() throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(try lab(["ps", "-o", "json"]).utf8))
    }
}
