internal import Bench
internal import Foundation

/// A pod of a lab: how to get into its network, and its address.
struct Place {
    let name: String
    let address: String
    /// The path of its network namespace.
    let network: String

    /// The file that tells what its interfaces carried.
    var devices: String { network.replacing("/ns/net", with: "/net/dev") }

    /// The arguments that run a program there.
    func command(_ arguments: [String]) -> [String] {
        ["nsenter", "--net=\(network)"] + arguments
    }
}

/// A running lab of the benchmark.
final class Testbed {
    private let name: String
    private let ambit: String
    private let folder: URL
    private var status: Status

    // What is read of `ambit lab ps -o json`.
    private struct Status: Decodable {
        struct Node: Decodable {
            struct Process: Decodable { var pid: Int32 }
            var name: String
            var processes: [Process]
        }
        struct Pod: Decodable {
            var namespace: String
            var name: String
            var node: String
            var addresses: [String]
            var processes: [Int32]
        }
        var supervisor: Int32
        var nodes: [Node]
        var pods: [Pod]
    }

    /// Brings a lab up with the objects of the YAML text and a node program for its nodes.
    init(_ name: String, manifest: String, nodeBinary: String, _ files: ProgramFiles) throws {
        self.name = name
        ambit = files.ambit
        folder = files.folder
        let yaml = folder.appending(path: "\(name).yaml")
        try Data(manifest.utf8).write(to: yaml)
        let up =
            [ambit, "lab", "up", yaml.path, "--name", name, "--node-binary", nodeBinary]
            // Nothing but the data path is to cost processor time while it is measured.
            + ["--timeout", "300", "--file-state"]
            + ["--node-flag", "access-log=false"]
        try Program.run(up, name: "lab-up", in: folder)
        let text = try Program.run(
            [ambit, "lab", "ps", "-o", "json", "--name", name],
            name: "lab-ps",
            in: folder
        )
        status = try JSONDecoder().decode(Status.self, from: text)
    }

    /// Ends the lab.
    func down() {
        _ = try? Program.run([ambit, "lab", "down", "--name", name], name: "lab-down", in: folder)
    }

    /// The pods by name; the lab's names for pods are unique over its namespaces here.
    func places() throws -> [String: Place] {
        let own = ProcessFiles.children(of: status.supervisor)
        var places: [String: Place] = [:]
        for pod in status.pods {
            guard let inner = pod.processes.first, let process = own[inner],
                let address = pod.addresses.first(where: { !$0.contains(":") })
            else { throw BenchFailure("the lab's pod \(pod.name) does not run") }
            places[pod.name] = Place(
                name: pod.name,
                address: address,
                network: "/proc/\(process)/ns/net"
            )
        }
        return places
    }

    /// The pods as a mesh has them.
    var meshPods: [MeshCrowd.Pod] {
        status.pods.map { pod in
            MeshCrowd.Pod(
                name: pod.name,
                namespace: pod.namespace,
                node: pod.node,
                addresses: pod.addresses
            )
        }
    }

    /// Sets the kernel settings of every pod's and node's network.
    func applySettings(congestion: String) throws {
        let networks =
            try places().values.map(\.network)
            + nodeProcesses().values.map { "/proc/\($0)/ns/net" }
        for network in networks {
            try NetworkSettings.apply(network, congestion: congestion, folder)
        }
    }

    /// The processes of `ambit-node`, by node.
    func nodeProcesses() throws -> [String: Int32] {
        let own = ProcessFiles.children(of: status.supervisor)
        var processes: [String: Int32] = [:]
        for node in status.nodes {
            guard let inner = node.processes.first?.pid, let process = own[inner] else {
                throw BenchFailure("the lab's node \(node.name) does not run")
            }
            processes[node.name] = process
        }
        return processes
    }
}
