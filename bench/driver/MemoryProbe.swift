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
        var growth = 0.0
        try holding(Self.connections, contender) {
            growth = try settled(contender.processes).resident - idle.resident
        }
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

    /// Runs `body` while connections are open through a contender that had an answer each.
    func holding(_ count: Int, _ contender: any Contender, _ body: () throws -> Void) throws {
        let target = contender.target(ServerPort.http)
        let client = try Program(
            contender.client.command([files.relay, "hold", target, "\(count)"]),
            name: "hold-\(contender.name.rawValue)",
            in: files.folder
        )
        defer { client.stop() }
        try Waiting.until("\(contender.name.title) holds connections", within: 120) {
            guard client.isRunning else {
                throw BenchFailure("\(contender.name.title): \(client.complaint)")
            }
            return client.output.starts(with: Data("held".utf8))
        }
        try body()
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
