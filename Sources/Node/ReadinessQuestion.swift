internal import Reactor

/// `ambit-node --ready`: whether the process behind a readiness socket is ready.
///
/// A kubelet's probe of the node's port may be answered by the process that this one is about to
/// replace; the socket belongs to one process.
package enum ReadinessQuestion {
    /// How long connecting, asking and each read may take.
    private static let timeoutMilliseconds = 3000
    /// Reasons beyond are not shown.
    private static let answerBytesMax = 64 << 10

    /// Asks; the exit status is 0 for ready and 1 for not ready or nobody there.
    package static func ask(_ configuration: NodeConfiguration) -> Int32 {
        guard !configuration.readinessSocketPath.isEmpty else {
            complain("ambit-node: --ready needs readiness-socket")
            return ConfigurationFailure.exitStatus
        }
        do throws(SystemError) {
            let answer = try answer(at: configuration.readinessSocketPath)
            let isReady = answer.hasPrefix("HTTP/1.1 200 ")
            // What a kubelet shows in its event.
            if !isReady { say(answer.split(separator: "\r\n\r\n").dropFirst().joined()) }
            return isReady ? 0 : 1
        } catch {
            complain("ambit-node: nobody says whether it is ready: \(error)")
            return 1
        }
    }

    private static func answer(at path: String) throws(SystemError) -> String {
        let stream = try LocalStream(path: path, timeoutMilliseconds: timeoutMilliseconds)
        try stream.send(
            Array("GET /healthz/ready HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".utf8)
        )
        var bytes: [UInt8] = []
        while bytes.count < answerBytesMax {
            let more = try stream.receiveAny(room: 4096).bytes
            guard !more.isEmpty else { break }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
