import Foundation
import HTTP
import Testing

/// Two machines joined by pipes that hold bytes back and cut them anywhere.
private struct World {
    /// What may happen in a world.
    struct Plan {
        var streams: Int
        /// Bytes one end sends on a stream, at most.
        var scale: Int
        var resets: Bool
        /// Streams of the client whose server never reads until all others are done.
        var stalled: Int
    }

    var generator: SimulationGenerator
    let plan: Plan
    let client: SimulatedEnd
    let server: SimulatedEnd
    var now: UInt64 = 0
    var opened: [UInt32] = []

    init(seed: UInt64) {
        var generator = SimulationGenerator(seed: seed)
        plan = Plan(
            streams: 1 + generator.below(30),
            scale: [100, 5_000, 200_000][generator.below(3)],
            resets: generator.chance(40),
            stalled: generator.chance(50) ? 1 + generator.below(3) : 0
        )
        func limits(_ base: HTTP2Limits) -> HTTP2Limits {
            var limits = base
            limits.streamWindowBytes = [1_000, 20_000, 65_535, 300_000][generator.below(4)]
            limits.connectionWindowBytes = [65_535, 100_000, 1 << 20][generator.below(3)]
            // Room for the stalled streams, so that they cannot take it all.
            limits.unreleasedBytesMax = 4 * Int(max(65_535, limits.streamWindowBytes))
            limits.streamsMax = 1 + generator.below(40)
            return limits
        }
        client = SimulatedEnd(.client, limits(.client))
        server = SimulatedEnd(.server, limits(.server))
        self.generator = generator
    }

    private mutating func anyEnd() -> SimulatedEnd { generator.chance(50) ? client : server }

    private mutating func anyStream(of end: SimulatedEnd) -> UInt32? {
        let ids = end.streams.keys.sorted()
        return ids.isEmpty ? nil : ids[generator.below(ids.count)]
    }

    private mutating func open() throws {
        guard opened.count < plan.streams, client.machine.canOpenStream else { return }
        let fields: HeaderFields = [
            ":method": "CONNECT", ":authority": "10.0.0.\(generator.below(3)):80",
            "baggage": "service.name=web-\(generator.below(5))",
        ]
        let id = try client.machine.request(fields, endStream: false)
        var stream = SimulatedStream(toSend: SimulatedEnd.total(.client, id, plan.scale))
        // Payload may go before the answer.
        stream.maySend = generator.chance(50)
        client.streams[id] = stream
        opened.append(id)
    }

    private mutating func answer() throws {
        guard let id = anyStream(of: server), server.streams[id]?.maySend == true,
            server.streams[id]?.isReset == false, !server.machine.isSending(id),
            server.streams[id]?.hasEnded == false
        else { return }
        try server.machine.respond(id, [":status": "200"], endStream: false)
    }

    private func isStalled(_ end: SimulatedEnd, _ id: UInt32) -> Bool {
        end === server && opened.prefix(plan.stalled).contains(id)
    }

    private mutating func deliver(from: SimulatedEnd, to: SimulatedEnd) throws {
        guard !from.pipe.isEmpty else { return }
        let most = [1, 20, 1_000, 50_000][generator.below(4)]
        let count = min(from.pipe.count, 1 + generator.below(most))
        let piece = Array(from.pipe.prefix(count))
        from.pipe.removeFirst(count)
        try to.receive(piece, now: now, scale: plan.scale)
    }

    /// One thing happens.
    mutating func step(stallsLast: Bool) throws {
        now += UInt64(generator.below(2_000_000))
        let end = anyEnd()
        switch generator.below(16) {
        case 0: try open()
        case 1, 2: try answer()
        case 3, 4, 5, 6:
            if let id = anyStream(of: end), end === client || server.machine.isSending(id) {
                try end.send(id, upTo: 1 + generator.below(20_000))
            }
        case 7: end.flush()
        case 8, 9, 10, 11:
            try deliver(from: client, to: server)
            try deliver(from: server, to: client)
        case 12, 13, 14:
            if let id = anyStream(of: end), !(stallsLast && isStalled(end, id)) {
                end.consume(id, upTo: 1 + generator.below(50_000))
            }
        default:
            if plan.resets, generator.chance(5), let id = anyStream(of: end) {
                end.reset(id)
            } else if generator.chance(10) {
                end.machine.ping(now)
            }
        }
    }

    private var isSettled: Bool {
        opened.count == plan.streams
            && opened.allSatisfy { client.streams[$0]?.isComplete == true }
            && opened.allSatisfy { server.streams[$0]?.isComplete != false }
    }

    /// All but the stalled streams have ended.
    private var othersAreDone: Bool {
        opened.count == plan.streams
            && opened.dropFirst(plan.stalled).allSatisfy {
                client.streams[$0]?.isComplete == true && server.streams[$0]?.isComplete != false
            }
    }

    /// Runs until all streams but the stalled ones are through, then until those are too.
    mutating func run() throws {
        let fits = plan.stalled < server.limits.streamsMax
        if plan.stalled > 0, fits {
            try run(until: { $0.othersAreDone }, stallsLast: true, "a stalled stream stalls others")
        }
        try run(until: { $0.isSettled }, stallsLast: false, "a stream is stuck")
        try finish()
    }

    private mutating func run(
        until isDone: (World) -> Bool,
        stallsLast: Bool,
        _ complaint: String
    ) throws {
        var stepsWithoutProgress = 0
        var before = -1
        while !isDone(self) {
            try step(stallsLast: stallsLast)
            let now = progress
            stepsWithoutProgress = now == before ? stepsWithoutProgress + 1 : 0
            before = now
            guard stepsWithoutProgress < 20_000 else { throw Broken(description: complaint) }
        }
    }

    /// Grows with every byte that arrives or is consumed and with every stream that ends.
    private var progress: Int {
        [client, server].reduce(opened.count) { sum, end in
            end.streams.values.reduce(sum) { sum, stream in
                sum + 2 * stream.received - stream.held + (stream.isComplete ? 1 : 0)
                    + (stream.isReset ? 1_000_000_000 : 0)
            }
        }
    }

    /// Everything is delivered: both ends agree that nothing is left.
    private mutating func finish() throws {
        client.flush()
        server.flush()
        while !client.pipe.isEmpty || !server.pipe.isEmpty {
            try deliver(from: client, to: server)
            try deliver(from: server, to: client)
            client.flush()
            server.flush()
        }
        guard client.machine.activeStreams == 0, server.machine.activeStreams == 0 else {
            throw Broken(description: "streams are left open")
        }
        for id in opened {
            guard let ours = client.streams[id], !ours.isReset else { continue }
            guard let theirs = server.streams[id], !theirs.isReset else { continue }
            guard ours.received == theirs.toSend, theirs.received == ours.toSend else {
                throw Broken(description: "stream \(id) lost bytes")
            }
        }
    }
}

@Suite struct `Two HTTP2 machines over a bad pipe` {
    private static var seeds: [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["AMBIT_SIM_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        let count = environment["AMBIT_SIM_SEEDS"].flatMap { Int($0) } ?? 20
        let first = UInt64.random(in: 0...UInt64(UInt32.max))
        return (0..<count).map { first &+ UInt64($0) }
    }

    @Test func `deliver every byte in order, within the windows, and never get stuck`() {
        for seed in Self.seeds {
            var world = World(seed: seed)
            do {
                try world.run()
            } catch {
                Issue.record("AMBIT_SIM_SEED=\(seed): \(error); \(world.plan)")
                return
            }
        }
    }

    @Test func `survive a cut at any point`() {
        for seed in Self.seeds.prefix(30) {
            var world = World(seed: seed)
            var generator = SimulationGenerator(seed: seed &+ 1)
            do {
                for _ in 0..<generator.below(3_000) {
                    try world.step(stallsLast: true)
                }
                // One end learns nothing more: it ends its streams and says so into the void.
                world.client.pipe = []
                world.client.machine.goAway(.noError)
                for id in world.client.streams.keys.sorted() {
                    world.client.reset(id)
                }
                world.client.flush()
            } catch {
                Issue.record("AMBIT_SIM_SEED=\(seed): \(error)")
                return
            }
            #expect(world.client.machine.activeStreams == 0)
        }
    }
}
