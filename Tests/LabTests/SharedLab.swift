import Foundation
import Synchronization
import Testing

/// The mesh most tests share: two nodes; servers on both, in the mesh and outside.
///
/// `mesh/client` is on node-1 with `mesh/near`, as is `plain/client` outside the mesh; `mesh/far`
/// and `plain/far` are on node-2. All servers run `Programs.server`.
enum SharedLab {
    private static let started = Mutex<Result<TestLab, any Error>?>(nil)

    /// The lab, started by the first test that asks and ended with the process.
    static func lab() throws -> TestLab {
        try started.withLock { held in
            if held == nil {
                held = Result { try make() }
                atexit { SharedLab.end() }
            }
            guard let held else { throw TestLab.Failure("no lab") }
            return try held.get()
        }
    }

    /// Starts a lab of its own with the same objects; its servers serve when it returns.
    static func make(_ flags: [String] = []) throws -> TestLab {
        let lab = try TestLab(manifest, flags: flags)
        for server in ["mesh/near", "mesh/far", "plain/far"] {
            try lab.eventually("\(server) serves") {
                try lab.lab(["logs", server]).contains("serving")
            }
        }
        return lab
    }

    private static func end() {
        started.withLock { $0 = nil }
    }

    /// Objects of two namespaces, one enrolled, and the servers.
    static var manifest: String {
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: mesh, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: plain}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: node-1}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: node-2}
        \(pod("mesh", "client", "node-1", account: "client"))
        \(pod("mesh", "near", "node-1", account: "near", runs: Programs.server))
        \(pod("mesh", "far", "node-2", account: "far", runs: Programs.server))
        \(pod("plain", "client", "node-1"))
        \(pod("plain", "far", "node-2", runs: Programs.server))
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: far, namespace: mesh}
        spec:
          selector: {app: far}
          ports: [{name: greet, port: 80, targetPort: 7001}, {name: who, port: 81, targetPort: who}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: headless, namespace: mesh}
        spec: {clusterIP: None, selector: {app: far}, ports: [{name: greet, port: 7001}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: client, namespace: mesh}
        spec: {selector: {app: client}, ports: [{name: greet, port: 80, targetPort: 7001}]}
        """
    }

    /// A pod that runs a Python program, or sleeps.
    static func pod(
        _ namespace: String,
        _ name: String,
        _ node: String,
        account: String? = nil,
        labels: String? = nil,
        runs program: String? = nil
    ) -> String {
        let command = program.map { ["python3", "-u", "-c", $0] } ?? ["sleep", "infinity"]
        let extra = labels.map { ", \($0)" } ?? ""
        let json = (try? JSONEncoder().encode(command)).map { String(decoding: $0, as: UTF8.self) }
        let identity = account.map {
            """
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata: {name: \($0), namespace: \(namespace)}

            """
        }
        return """
            \(identity ?? "")---
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), namespace: \(namespace), labels: {app: \(name)\(extra)}}
            spec:
              nodeName: \(node)
              serviceAccountName: \(account ?? "default")
              containers:
              - name: main
                command: \(json ?? "[]")
                ports: [{name: who, containerPort: 7006}]
            """
    }
}

/// What `ambit lab ps -o json` says of a pod.
struct LabPod: Decodable {
    let name: String
    let namespace: String
    let addresses: [String]
    let node: String
}

extension TestLab {
    private struct Listing: Decodable {
        let pods: [LabPod]
    }

    /// The address of a pod `NAMESPACE/POD`, of the wanted family.
    func address(_ pod: String, v6: Bool = false) throws -> String {
        let text = try lab(["ps", "-o", "json"])
        let listing = try JSONDecoder().decode(Listing.self, from: Data(text.utf8))
        guard let found = listing.pods.first(where: { "\($0.namespace)/\($0.name)" == pod }),
            let address = found.addresses.first(where: { $0.contains(":") == v6 })
        else { throw Failure("\(pod) has no such address: \(text)") }
        return address
    }

    /// Runs a Python program in a pod, after the clients' prelude.
    func python(_ pod: String, _ program: String, timeout: Double = 60) throws -> Outcome {
        try exec(pod, ["python3", "-u", "-c", Programs.client + program], timeout: timeout)
    }

    /// Starts a Python program in a pod.
    func start(_ pod: String, _ program: String, _ arguments: [String]) throws -> Running {
        try run(pod, ["python3", "-u", "-c", program] + arguments)
    }

    /// Puts load on a port for some seconds; the numbers of good and bad connections.
    func load(_ pod: String, _ host: String, _ port: Int, seconds: Double) throws -> Load {
        try Load(start(pod, Programs.load, [host, "\(port)", "\(seconds)"]).finish(seconds + 60))
    }
}

/// What `Programs.load` counted.
struct Load {
    let good: Int
    let bad: Int
    let errors: String

    init(_ outcome: TestLab.Outcome) throws {
        let numbers = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 2 else {
            throw TestLab.Failure("load said \(outcome.output) \(outcome.error)")
        }
        good = numbers[0]
        bad = numbers[1]
        errors = outcome.error
    }
}
