internal import Reactor

/// The plugin's end of the hand-over: one question to the node proxy.
package enum HandoverClient {
    /// Asks and waits; nil with a reason when nobody answers in time or what comes is no answer.
    ///
    /// `namespacePath` is opened here and sent as a descriptor; empty for none. Each step may take
    /// the time given.
    package static func ask(
        _ request: Handover.Request,
        socketPath: String,
        namespacePath: String,
        timeoutMilliseconds: Int
    ) -> Result<Handover.Answer, Handover.Refusal> {
        do throws(SystemError) {
            let stream = try LocalStream(
                path: socketPath,
                timeoutMilliseconds: timeoutMilliseconds
            )
            let message = Handover.framed(request.text)
            if namespacePath.isEmpty {
                try stream.send(message)
            } else {
                let namespace = try NetworkNamespace(path: namespacePath)
                try stream.send(message, attaching: namespace.raw)
            }
            let prefix = try stream.receive(count: Handover.prefixBytes)
            guard let count = Handover.length(prefix) else {
                return .failure(Handover.Refusal(reason: "the answer is too long"))
            }
            let text = try stream.receive(count: count)
            return Result { () throws(Handover.Refusal) in try Handover.Answer(text) }
        } catch {
            let isLate = error.code == SystemError.timedOut
            let reason =
                isLate ? "no answer in \(timeoutMilliseconds) ms" : error.description
            return .failure(Handover.Refusal(reason: reason))
        }
    }
}
