internal import AmbientProtocol
internal import SwiftProtobuf

/// What a foreign agent says in one packet (PROTOCOL.md §2.5), and what is answered; pure.
package enum ForeignAgentMessage: Sendable, Equatable {
    /// A pod to capture; its network namespace comes with the packet.
    case add(uid: String, name: String, namespace: String, serviceAccount: String)
    /// A pod that is captured already and stays so.
    case keep(uid: String)
    /// A pod that leaves.
    case remove(uid: String)
    /// All pods there are have been told.
    case snapshotSent

    /// The largest packet that is read, in bytes; peers send at most 1,024.
    package static let bytesMax = 4096

    /// A packet that breaks the protocol: the connection ends.
    package struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
        package let reason: String

        /// The reason.
        package var description: String { reason }
    }

    /// Reads a packet that came with so many descriptors.
    package init(_ bytes: [UInt8], descriptors: Int) throws(Violation) {
        let request: Istio_Workload_Zds_WorkloadRequest
        do {
            request = try Istio_Workload_Zds_WorkloadRequest(serializedBytes: bytes)
        } catch {
            throw Violation(reason: "not a WorkloadRequest: \(error)")
        }
        switch request.payload {
        case .add(let add):
            guard descriptors == 1 else {
                throw Violation(reason: "AddWorkload must have one descriptor, has \(descriptors)")
            }
            guard !add.uid.isEmpty, add.hasWorkloadInfo else {
                throw Violation(reason: "AddWorkload must have uid and workload_info")
            }
            self = .add(
                uid: add.uid,
                name: add.workloadInfo.name,
                namespace: add.workloadInfo.namespace,
                serviceAccount: add.workloadInfo.serviceAccount
            )
        case .keep(let keep): self = .keep(uid: keep.uid)
        case .del(let del): self = .remove(uid: del.uid)
        case .snapshotSent: self = .snapshotSent
        case nil: throw Violation(reason: "an empty WorkloadRequest")
        }
        if descriptors > 0, case .add = self { return }
        guard descriptors == 0 else {
            throw Violation(reason: "only AddWorkload may have a descriptor")
        }
    }

    /// The first packet on a connection: version 1.
    package static var hello: [UInt8] {
        var hello = Istio_Workload_Zds_ZdsHello()
        hello.version = .v1
        return bytes(hello)
    }

    /// The answer to every packet: done, or why not, cut to fit a peer's 1,024 bytes.
    package static func acknowledgement(_ failure: String?) -> [UInt8] {
        var response = Istio_Workload_Zds_WorkloadResponse()
        response.ack.error = String(decoding: (failure ?? "").utf8.prefix(900), as: UTF8.self)
        return bytes(response)
    }

    private static func bytes(_ message: some SwiftProtobuf.Message) -> [UInt8] {
        // Only a message without a required field is written here: it cannot fail.
        (try? message.serializedBytes()) ?? []
    }
}
