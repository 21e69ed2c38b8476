/// What a client asks of the supervisor, one frame each.
package enum Request: Codable, Sendable {
    /// Adds the objects of the files and changes those that are there.
    case apply(files: [SourceFile])
    /// Removes the objects the files name.
    case delete(files: [SourceFile])
    /// Removes one object.
    case deleteObject(kind: String, namespace: String, name: String)
    /// Answered with a `LabStatus`.
    case status
    /// Runs a command in a pod on the three attached descriptors; answered twice, at start and end.
    case execute(Execution)
    /// Sends a signal to the command this connection runs.
    case signal(Int32)
    /// Answered with the log opened for reading, the older part first when there is one.
    case log(of: LogSource)
    /// Answered with a TCP socket made in a node's or pod's network namespace, not yet connected.
    case socket(at: LogSource, version6: Bool)
    /// Answered with a packet socket on the wire between nodes, or on one node's end of it.
    case packets(node: String?)
    /// Starts, stops, replaces or cuts off a node.
    case node(String, NodeAction)
    /// Replaces the root of the lab's certificates; seconds that both are trusted on either side.
    case rotateRoot(overlap: Int64)
    /// Revokes certificates, by serial numbers in hexadecimal.
    case revoke(serials: [String])
    /// The lab ends when this connection does.
    case attach
    /// The lab no longer ends with this connection.
    case detach
    /// Ends the lab.
    case down
}

/// A file's path, for messages, and its text.
package struct SourceFile: Codable, Sendable {
    package let path: String
    package let text: String

    package init(path: String, text: String) {
        self.path = path
        self.text = text
    }
}

/// A command to run in a pod.
package struct Execution: Codable, Sendable {
    package var namespace: String
    package var pod: String
    package var arguments: [String]
    /// `NAME=VALUE` entries that come after the pod's own.
    package var environment: [String] = []
    package var directory: String?

    package init(namespace: String, pod: String, arguments: [String]) {
        self.namespace = namespace
        self.pod = pod
        self.arguments = arguments
    }
}

/// Whose log or network is meant.
package enum LogSource: Codable, Sendable, Hashable {
    case pod(namespace: String, name: String)
    case node(String)
    case supervisor
}

/// What can be done to a node.
package enum NodeAction: Codable, Sendable, Hashable {
    /// Starts its `ambit-node` unless one runs.
    case start
    /// Signals its `ambit-node` processes and starts no other.
    case stop(signal: Int32)
    /// Signals its `ambit-node` and starts another when it has ended.
    case restart(signal: Int32)
    /// Starts one more `ambit-node` beside the one that runs.
    case startNext
    /// Ends all but the newest `ambit-node` with SIGTERM, so that they drain.
    case retirePrevious
    /// Takes its link to the other nodes down, or up again.
    case cut, mend
}

/// The supervisor's answer to one request.
package struct Reply: Codable, Sendable {
    package var failure: LabError?
    /// What is worth telling though the request was carried out.
    package var warnings: [String] = []
    package var status: LabStatus?
    /// The process a request started, as the lab numbers it.
    package var process: Int32?
    /// How the command ended: its exit code, or 128 plus a signal.
    package var exitCode: Int32?
    /// The bridge's index, whose copies of packets a capture leaves out.
    package var bridgeIndex: UInt32?

    package init() {}

    package init(failure: LabError) {
        self.failure = failure
    }
}
