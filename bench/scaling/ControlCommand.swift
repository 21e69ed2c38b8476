internal import ArgumentParser
internal import Controller
internal import Discovery
internal import Foundation
internal import Mesh
internal import TLS

/// The controller of a simulated cluster, whole: only the API server is missing.
struct ControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "control", shouldDisplay: false)

    @Option var pods: Int
    /// A folder for its authority, where clients find the roots to trust as `root-cert.pem`.
    @Option var folder: String

    func run() async throws {
        try writeAuthority()
        let begun = Gauge.moment
        let idle = Gauge.residentBytes
        let crowd = CrowdCluster(SimulatedCluster(pods: pods))
        var settings = ControllerSettings()
        settings.mesh.assumesReady = false
        settings.mesh.awaitsCapture = true
        settings.authorityFolder = folder
        settings.address = try Self.loopback
        settings.metricsAddress = try Self.loopback
        settings.debugPort = 0
        let program = ControllerProgram(settings: settings, cluster: crowd, election: nil)
        let changes = CrowdChanges(crowd, program)
        try await withThrowingTaskGroup { group in
            group.addTask { try await program.run() }
            group.addTask {
                let port = try await changes.port
                Answer(
                    port: port,
                    seconds: Gauge.moment - begun,
                    cpuSeconds: Gauge.cpuSeconds,
                    residentBytes: Gauge.residentBytes,
                    idleBytes: idle
                ).send()
                for await line in commandLines() { await changes.answer(line).send() }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static var loopback: SocketAddress {
        get throws {
            guard let address = SocketAddress("127.0.0.1:0") else {
                throw ScaleFailure("no loopback address")
            }
            return address
        }
    }

    private func writeAuthority() throws {
        let now = Int64(Date().timeIntervalSince1970)
        let authority = try Authority.root(
            trustDomain: "cluster.local",
            notBefore: now - 3_600,
            notAfter: now + 86_400
        )
        let certificate = authority.certificate.pem
        let files = [
            "root-cert.pem": certificate, "ca-cert.pem": certificate,
            "ca-key.pem": String(authority.secretPEM.dropFirst(certificate.count)),
        ]
        for (name, text) in files {
            try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
    }
}

/// Changes to a crowd, and what they cost its controller.
struct CrowdChanges: Sendable {
    private let crowd: CrowdCluster
    private let program: ControllerProgram

    init(_ crowd: CrowdCluster, _ program: ControllerProgram) {
        self.crowd = crowd
        self.program = program
    }

    /// Where the controller serves, once it does.
    var port: UInt16 {
        get async throws {
            while true {
                if let port = program.port { return port }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// Does what a line says.
    func answer(_ line: String) async -> Answer {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().compactMap { Int($0) }
        guard numbers.count == 2 else { return Answer(failure: "unknown command \(line)") }
        do {
            switch words.first {
            case "change":
                return try await change(numbers[0], every: .milliseconds(numbers[1]))
            case "rate": return try await change(perSecond: numbers[0], seconds: numbers[1])
            default: return Answer(failure: "unknown command \(line)")
            }
        } catch {
            return Answer(failure: "\(error)")
        }
    }

    /// Changes one at a time, each followed by a pause; answers when each was made.
    private func change(_ count: Int, every pause: Duration) async throws -> Answer {
        let changes = crowd.nextChanges(count)
        let idle = try await idleShare()
        let (cpu, pushed, begun) = (Gauge.cpuSeconds, pushedBytes, Gauge.moment)
        var moments: [Double] = []
        for change in changes {
            moments.append(Gauge.moment)
            try crowd.take(change)
            try await Task.sleep(for: pause)
        }
        let seconds = Gauge.moment - begun
        return Answer(
            cpuSeconds: Gauge.cpuSeconds - cpu - idle * seconds,
            residentBytes: Gauge.residentBytes,
            count: count,
            bytes: pushedBytes - pushed,
            moments: moments
        )
    }

    /// So many changes a second for so many seconds, in a hundred portions a second.
    private func change(perSecond count: Int, seconds: Int) async throws -> Answer {
        let portions = 100 * seconds
        let each = max(1, count / 100)
        let changes = crowd.nextChanges(portions * each)
        let idle = try await idleShare()
        let (cpu, pushed, begun) = (Gauge.cpuSeconds, pushedBytes, Gauge.moment)
        let start = ContinuousClock.now
        for portion in 0..<portions {
            for change in changes[(portion * each)..<((portion + 1) * each)] {
                try crowd.take(change)
            }
            try await Task.sleep(until: start + .milliseconds(10 * (portion + 1)))
        }
        let took = Gauge.moment - begun
        // The last of them is on its way.
        try await Task.sleep(for: .milliseconds(200))
        return Answer(
            seconds: took,
            cpuSeconds: Gauge.cpuSeconds - cpu - idle * (Gauge.moment - begun),
            residentBytes: Gauge.residentBytes,
            count: changes.count,
            bytes: pushedBytes - pushed
        )
    }

    /// The share of a processor that the controller takes with nothing to do.
    private func idleShare() async throws -> Double {
        let (cpu, begun) = (Gauge.cpuSeconds, Gauge.moment)
        try await Task.sleep(for: .milliseconds(500))
        return (Gauge.cpuSeconds - cpu) / (Gauge.moment - begun)
    }

    private var pushedBytes: Double {
        Double(program.metrics.current.pushedBytesTotal.values.reduce(0, +))
    }

    /// How many resources nodes were sent so far.
    var pushedResources: Int {
        program.metrics.current.pushedResourcesTotal.values.reduce(0, +)
    }
}
