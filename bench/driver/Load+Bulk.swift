internal import Bench
internal import Foundation

extension Load {
    /// Requests at the fixed rate while one stream beside them carries as much as it can.
    func besideBulk(_ contender: any Contender) throws -> LoadResult {
        let stream = try Program(
            contender.client.command(
                ["timeout", "-k", "1", "\(seconds + 60)"] + bulkCommand(contender)
            ),
            name: "bulk-\(contender.name.rawValue)",
            in: folder
        )
        defer { stream.stop() }
        func check() throws {
            guard stream.isRunning else {
                throw BenchFailure("\(contender.name.title), bulk stream: \(stream.complaint)")
            }
        }
        let idle = try carried(contender)
        try Waiting.until("\(contender.name.title) carries a bulk stream") {
            try check()
            return try carried(contender) - idle > Double(Server.fileBytes)
        }
        let start = (bytes: try carried(contender), time: ProcessInfo.processInfo.systemUptime)
        var result = try rate(contender)
        try check()
        let bytes = try carried(contender) - start.bytes
        let time = ProcessInfo.processInfo.systemUptime - start.time
        result.work = .mixed
        result.figures[.gigabitsPerSecond] = bytes * 8 / time / 1e9
        return result
    }

    private func bulkCommand(_ contender: any Contender) -> [String] {
        if contender.isHTTPOnly {
            return ["curl", "-s", "-o", "/dev/null", url(contender, "/large?[1-1000000]")]
        }
        let parts = contender.target(ServerPort.iperf).split(separator: ":").map(String.init)
        return ["iperf3", "-c", parts[0], "-p", parts[1], "-t", "\(seconds + 60)", "-i", "0"]
    }

    /// Bytes over the server pod's interface so far, in the direction of most of them.
    private func carried(_ contender: any Contender) throws -> Double {
        guard let bytes = ProcessFiles.text(contender.server.devices).flatMap(InterfaceBytes.init)
        else { throw BenchFailure("cannot read what \(contender.server.name) carried") }
        return max(bytes.received, bytes.sent)
    }
}
