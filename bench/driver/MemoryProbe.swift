internal import Bench
internal import Foundation

/// The memory of proxies: idle, with idle connections, and of a node full of pods.
struct MemoryProbe {
    /// Idle connections that are held at once.
    static let connections = 2000

    let files: ProgramFiles

    /// Measures a contender that has carried next to nothing so far.
    func measure(_ contender: any Contender) throws -> Sample {
        let idle = try settled(contender.processes)
        let target = contender.target(ServerPort.http)
        let client = try Program(
            contender.client.command([files.relay, "hold", target, "\(Self.connections)"]),
            name: "hold-\(contender.name.rawValue)",
            in: files.folder
        )
        defer { client.stop() }
        try Waiting.until("\(contender.name.title) holds connections", within: 60) {
            guard client.isRunning else {
                throw BenchFailure("\(contender.name.title): \(client.complaint)")
            }
            return client.output.starts(with: Data("held".utf8))
        }
        let holding = try settled(contender.processes)
        let growth = holding.resident - idle.resident
        return Sample(
            round: 1,
            contender: contender.name,
            metric: .memory,
            figures: [
                .idleMegabytes: idle.resident / 1e6,
                .idleProportionalMegabytes: idle.proportional / 1e6,
                .kilobytesPerConnection: growth / Double(Self.connections) / 1024,
            ]
        )
    }

    /// Memory that no longer changes.
    func settled(_ processes: [Int32]) throws -> (resident: Double, proportional: Double) {
        var last = try ProcessFiles.memory(of: processes)
        var same = 0
        try Waiting.until("memory settles", within: 60, every: 0.25) {
            let now = try ProcessFiles.memory(of: processes)
            same = abs(now.resident - last.resident) < 128 * 1024 ? same + 1 : 0
            last = now
            return same == 8
        }
        return last
    }
}
