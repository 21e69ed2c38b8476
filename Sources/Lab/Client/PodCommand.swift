internal import Glibc
internal import Reactor

/// A command run in a pod for its output.
package enum PodCommand {
    /// The most output that is kept.
    static let bytesMax = 1 << 20

    /// What a command wrote, on both outputs, and how it ended.
    package struct Outcome: Sendable {
        package let exitCode: Int32
        package let output: String
    }

    /// Runs it to its end.
    package static func run(
        _ arguments: [String],
        in pod: String,
        of namespace: String,
        lab: String
    ) throws(LabError) -> Outcome {
        let client = try ControlClient(lab: lab)
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw LabError("cannot run a command", SystemError(call: "pipe", code: errno))
        }
        let output = Descriptor(owning: ends[0])
        do {
            let input = Descriptor(owning: ends[1])
            let null = try null()
            try client.send(
                .execute(Execution(namespace: namespace, pod: pod, arguments: arguments)),
                descriptors: [null.raw, input.raw, input.raw]
            )
            // Not before: the output ends when the last of its writers has closed it.
            _ = consume null
            _ = consume input
        }
        var text: [UInt8] = []
        do throws(SystemError) {
            while let part = try Calls.read(output.raw, room: 64 << 10), !part.isEmpty {
                text += part.prefix(bytesMax - text.count)
            }
        } catch {
            throw LabError("cannot read what the command wrote", error)
        }
        var reply = try client.receive()
        while reply.exitCode == nil { reply = try client.receive() }
        return Outcome(
            exitCode: reply.exitCode ?? 1,
            output: String(decoding: text, as: UTF8.self)
        )
    }

    private static func null() throws(LabError) -> Descriptor {
        do {
            return try Calls.open("/dev/null", O_RDONLY)
        } catch {
            throw LabError("cannot run a command", error)
        }
    }
}
