import HTTP

/// A generator whose whole sequence follows from its seed (SplitMix64).
struct SimulationGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &self) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

/// What a simulation found broken.
struct Broken: Error, CustomStringConvertible {
    var description: String
}

/// One stream as an end of it sees it.
struct SimulatedStream {
    var toSend: Int
    var sent = 0
    var maySend = false
    var hasEnded = false
    var received = 0
    var peerEnded = false
    /// Handed out and not released.
    var held = 0
    /// It found no window: like a real sender, it waits for a `writable` event.
    var isBlocked = false
    /// It was reset by either side, or cut.
    var isReset = false

    var isComplete: Bool { isReset || (hasEnded && peerEnded && held == 0) }
}

/// One end: a machine, its streams and the bytes on their way to the other end.
final class SimulatedEnd {
    let role: HTTP2Role
    let limits: HTTP2Limits
    var machine: HTTP2Connection
    var streams: [UInt32: SimulatedStream] = [:]
    var pipe: [UInt8] = []
    var failure: HTTP2Failure?

    init(_ role: HTTP2Role, _ limits: HTTP2Limits) {
        self.role = role
        self.limits = limits
        machine = HTTP2Connection(role: role, limits: limits, now: 0)
    }

    /// The byte an end of that role sends at a position of a stream.
    static func byte(_ role: HTTP2Role, _ stream: UInt32, _ position: Int) -> UInt8 {
        let salt = role == .client ? 0 : 101
        return UInt8(truncatingIfNeeded: Int(stream) &* 31 &+ position &* 7 &+ salt ^ position >> 8)
    }

    /// How many bytes an end of that role sends on a stream in all.
    static func total(_ role: HTTP2Role, _ stream: UInt32, _ scale: Int) -> Int {
        var generator = SimulationGenerator(seed: UInt64(stream) &* 2 &+ (role == .client ? 0 : 1))
        return generator.chance(20) ? 0 : generator.below(scale)
    }

    func flush() {
        pipe += machine.takeOutput()
    }

    /// Frames some payload of a stream behind all control frames.
    func send(_ id: UInt32, upTo bytesMax: Int) throws {
        guard let stream = streams[id], stream.maySend, !stream.hasEnded, !stream.isReset,
            !stream.isBlocked
        else { return }
        flush()
        let left = stream.toSend - stream.sent
        let window = machine.sendable(id)
        let length = min(left, window, bytesMax, 16_375)
        guard length > 0 || left == 0 else {
            streams[id]?.isBlocked = true
            return
        }
        var frame = [UInt8](repeating: 0, count: 9)
        for position in stream.sent..<stream.sent + length {
            frame.append(Self.byte(role, id, position))
        }
        let ends = length == left
        var span = frame.mutableSpan
        let isWritten = machine.writeDataHeader(
            id,
            length: length,
            endStream: ends,
            into: &span,
            at: 0
        )
        guard isWritten else { throw Broken(description: "DATA refused on stream \(id)") }
        streams[id]?.sent += length
        streams[id]?.hasEnded = ends
        pipe += frame
    }

    /// Takes bytes from the other end's pipe.
    func receive(_ bytes: [UInt8], now: UInt64, scale: Int) throws {
        var offset = 0
        while let event = machine.next(bytes.span, at: &offset, now: now) {
            try handle(event, bytes, scale: scale)
        }
        guard offset == bytes.count else { throw Broken(description: "bytes left over") }
        try checkBounds()
    }

    private func handle(_ event: HTTP2Event, _ bytes: [UInt8], scale: Int) throws {
        switch event {
        case .headers(let id, _, let endStream):
            if role == .server {
                streams[id] = SimulatedStream(toSend: Self.total(role, id, scale))
            }
            streams[id]?.maySend = true
            streams[id]?.peerEnded = endStream
        case .data(let id, let range, let endStream):
            try take(id, bytes[range], endStream)
        case .reset(let id, let code, let byPeer):
            guard byPeer || code == .refusedStream else {
                throw Broken(description: "stream \(id) broke a rule: \(code)")
            }
            streams[id]?.isReset = true
            streams[id]?.held = 0
        case .failed(let failure):
            self.failure = failure
            throw Broken(description: "the connection failed: \(failure)")
        case .informational, .trailers:
            throw Broken(description: "unexpected \(event)")
        case .writable(let id):
            for candidate in streams.keys where id == 0 || id == candidate {
                streams[candidate]?.isBlocked = false
            }
        case .settings, .goAway, .pong:
            break
        }
    }

    private func take(_ id: UInt32, _ piece: ArraySlice<UInt8>, _ endStream: Bool) throws {
        guard var stream = streams[id], !stream.isReset, !stream.peerEnded else {
            throw Broken(description: "DATA on stream \(id), which is over")
        }
        let peer: HTTP2Role = role == .client ? .server : .client
        for byte in piece {
            guard byte == Self.byte(peer, id, stream.received) else {
                throw Broken(description: "stream \(id), byte \(stream.received) is wrong")
            }
            stream.received += 1
        }
        stream.held += piece.count
        stream.peerEnded = endStream
        streams[id] = stream
    }

    /// What the windows promise: no peer can make us hold more.
    private func checkBounds() throws {
        for (id, stream) in streams where stream.held > Int(max(65_535, limits.streamWindowBytes)) {
            throw Broken(description: "stream \(id) holds \(stream.held)")
        }
        let held = streams.values.reduce(0) { $0 + $1.held }
        let bound = limits.unreleasedBytesMax + Int(max(65_535, limits.connectionWindowBytes))
        guard held <= bound else { throw Broken(description: "\(held) bytes held, over \(bound)") }
        guard role == .client || machine.activeStreams <= limits.streamsMax else {
            throw Broken(description: "too many streams")
        }
    }

    /// A consumer catches up.
    func consume(_ id: UInt32, upTo bytesMax: Int) {
        guard let stream = streams[id], stream.held > 0, !stream.isReset else { return }
        let count = min(stream.held, bytesMax)
        streams[id]?.held -= count
        machine.released(id, count)
    }

    func reset(_ id: UInt32) {
        guard let stream = streams[id], !stream.isReset, !stream.isComplete else { return }
        machine.reset(id, .cancel)
        streams[id]?.isReset = true
        streams[id]?.held = 0
    }
}
