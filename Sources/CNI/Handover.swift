internal import JSON

/// What the plugin and the node proxy say to each other over the Unix socket.
///
/// One request and one answer on each connection, both four bytes of length (big-endian) and JSON.
/// The network namespace comes as a descriptor with the first byte of the request, so that no path
/// has to mean the same on both sides.
package enum Handover {
    /// The form of the messages; unknown members are ignored, so it rarely changes.
    static let formVersion: Int64 = 1
    /// The largest message, its length not counted.
    package static let bytesMax = 64 << 10
    /// The bytes before a message.
    package static let prefixBytes = 4

    /// What the plugin asks for.
    package struct Request: Sendable, Equatable {
        /// What is to happen.
        package enum Command: String, Sendable, Equatable {
            /// Capture the pod; answered when that is done.
            case add
            /// The pod's sandbox is going away.
            case remove
            /// Tell whether the pod is captured as it should be.
            case check
        }

        package var command: Command
        package var pod: CNIInvocation.Pod
        package var containerID: String
        /// As the runtime named it; for messages, the descriptor is what counts.
        package var networkNamespace: String

        package init(
            _ command: Command,
            pod: CNIInvocation.Pod,
            containerID: String,
            networkNamespace: String
        ) {
            self.command = command
            self.pod = pod
            self.containerID = containerID
            self.networkNamespace = networkNamespace
        }

        /// The message without its length.
        package var text: [UInt8] {
            JSON.object([
                ("version", .integer(formVersion)), ("command", .string(command.rawValue)),
                ("namespace", .string(pod.namespace)), ("name", .string(pod.name)),
                ("uid", .string(pod.uid)), ("sandbox", .string(pod.sandbox)),
                ("container", .string(containerID)), ("netns", .string(networkNamespace)),
            ]).compact()
        }

        /// Reads a message without its length.
        package init(_ bytes: [UInt8]) throws(Refusal) {
            let root = try Handover.root(bytes)
            let command = try Handover.string(root, "command")
            guard let known = Command(rawValue: command) else {
                throw Refusal(reason: "command must be add, remove or check")
            }
            self.command = known
            pod = CNIInvocation.Pod(
                namespace: try Handover.string(root, "namespace"),
                name: try Handover.string(root, "name"),
                uid: try Handover.string(root, "uid"),
                sandbox: try Handover.string(root, "sandbox")
            )
            guard !pod.namespace.isEmpty, !pod.name.isEmpty else {
                throw Refusal(reason: "namespace and name must not be empty")
            }
            containerID = try Handover.string(root, "container")
            networkNamespace = try Handover.string(root, "netns")
        }
    }

    /// What the node proxy answers.
    package enum Answer: Sendable, Equatable {
        /// Capture is in force; for `remove`, gone.
        case done
        /// The pod is not in the mesh.
        case notEnrolled
        /// The pod is in the mesh and its capture is not in force.
        case failed(reason: String)
        /// The node proxy cannot tell yet whether the pod is in the mesh.
        case unknown(reason: String)

        /// The message without its length; a reason is cut to 4,096 bytes.
        package var text: [UInt8] {
            let (status, reason): (String, String) =
                switch self {
                case .done: ("done", "")
                case .notEnrolled: ("not-enrolled", "")
                case .failed(let reason): ("failed", reason)
                case .unknown(let reason): ("unknown", reason)
                }
            let shown = String(decoding: reason.utf8.prefix(4096), as: UTF8.self)
            return JSON.object([
                ("version", .integer(formVersion)), ("status", .string(status)),
                ("reason", .string(shown)),
            ]).compact()
        }

        /// Reads a message without its length.
        package init(_ bytes: [UInt8]) throws(Refusal) {
            let root = try Handover.root(bytes)
            let reason = root["reason"]?.stringValue ?? ""
            switch try Handover.string(root, "status") {
            case "done": self = .done
            case "not-enrolled": self = .notEnrolled
            case "failed": self = .failed(reason: reason)
            case "unknown": self = .unknown(reason: reason)
            default:
                throw Refusal(reason: "status must be done, not-enrolled, failed or unknown")
            }
        }
    }

    /// Why a message is not understood.
    package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        package let reason: String

        package init(reason: String) { self.reason = reason }

        /// The reason.
        package var description: String { reason }
    }

    /// A message with its length before it.
    package static func framed(_ text: [UInt8]) -> [UInt8] {
        let count = UInt32(clamping: text.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + text
    }

    /// The length that the bytes before a message tell; nil when it is over the bound.
    package static func length(_ prefix: some Sequence<UInt8>) -> Int? {
        let count = prefix.reduce(0) { $0 << 8 | Int($1) }
        return (1...bytesMax).contains(count) ? count : nil
    }

    private static func root(_ bytes: [UInt8]) throws(Refusal) -> JSON {
        let root: JSON
        do throws(JSON.Failure) {
            root = try JSON.parse(bytes, depthMax: 8, bytesMax: bytesMax)
        } catch {
            throw Refusal(reason: "not JSON: \(error)")
        }
        guard root["version"]?.integerValue == formVersion else {
            throw Refusal(reason: "version must be \(formVersion)")
        }
        return root
    }

    private static func string(_ root: JSON, _ name: String) throws(Refusal) -> String {
        guard let text = root[name]?.stringValue, text.utf8.count <= 4096 else {
            throw Refusal(reason: "\(name) must be a string of at most 4096 bytes")
        }
        return text
    }
}
