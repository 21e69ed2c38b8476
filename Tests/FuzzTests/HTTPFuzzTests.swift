import HTTP
import Testing

/// A property of the machine that does not hold.
private struct BrokenProperty: Error, CustomStringConvertible {
    var description: String
}

/// What fuzzed bytes did to a machine: compared between two ways of cutting the same bytes.
private struct Outcome: Equatable {
    var events: [String] = []
    var payload: [UInt32: [UInt8]] = [:]
    var output: [UInt8] = []
    var hasFailed = false
}

private func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let count = payload.count
    return [0, UInt8(count >> 8), UInt8(count & 0xFF), type, flags, 0, 0, 0, stream] + payload
}

private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, [])
/// `:method: GET`, `:scheme: https`, `:path: /`, and `:authority: a` into the dynamic table.
private let get: [UInt8] = [0x82, 0x87, 0x84, 0x41, 1, 0x61]
/// `:method: CONNECT`, `:authority: 10.1.0.5:80`.
private let connect: [UInt8] =
    [0x02, 7] + Array("CONNECT".utf8) + [0x41, 11] + Array("10.1.0.5:80".utf8)
/// `:status: 200`.
private let accepted: [UInt8] = [0x88]

private let ordinaryFrames: [[UInt8]] = [
    frame(0, 0, 1, [1, 2, 3]), frame(0, 1, 1, []), frame(0, 9, 1, [2, 9, 9, 0, 0]),
    frame(1, 5, 3, get), frame(1, 4, 5, connect), frame(1, 0, 7, []) + frame(9, 4, 7, get),
    frame(1, 0x2D, 9, [1, 0, 0, 0, 0, 7] + get + [0]), frame(2, 0, 1, [0, 0, 0, 3, 7]),
    frame(3, 0, 1, [0, 0, 0, 8]), frame(4, 0, 0, [0, 4, 0, 0, 16, 0, 0, 5, 0, 0, 64, 0]),
    frame(4, 1, 0, []), frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
    frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0, 0x62]), frame(8, 0, 0, [0, 0, 1, 0]),
    frame(8, 0, 1, [0, 0, 1, 0]), frame(0xEE, 0xFF, 1, [1]), frame(1, 5, 1, accepted),
    frame(1, 4, 1, [0x48, 3] + Array("103".utf8)), frame(5, 4, 1, [0, 0, 0, 2]),
    frame(1, 5, 11, get + [0x20, 0x3F, 0x11]), frame(1, 5, 13, [0x3F, 0x81, 0x1F] + get),
]

@Suite struct `Fuzzed HTTP2` {
    /// Feeds bytes in pieces; checks what must hold whatever they are.
    private func run(
        _ role: HTTP2Role,
        _ bytes: [UInt8],
        cut: (Int) -> Int
    ) throws -> Outcome {
        var limits: HTTP2Limits = role == .server ? .server : .client
        limits.streamWindowBytes = 1000
        limits.connectionWindowBytes = 100_000
        limits.streamsMax = 8
        var machine = HTTP2Connection(role: role, limits: limits, now: 0)
        var outcome = Outcome()
        if role == .client {
            for _ in 0..<3 {
                _ = try machine.request(
                    [":method": "CONNECT", ":authority": "10.1.0.5:80"],
                    endStream: false
                )
            }
        }
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + max(1, cut(bytes.count - start)))
            let piece = Array(bytes[start..<end])
            start = end
            var offset = 0
            while let event = machine.next(piece.span, at: &offset, now: 1) {
                guard offset <= piece.count else {
                    throw BrokenProperty(description: "an offset behind the bytes")
                }
                try note(event, piece, &outcome)
                respond(to: event, &machine)
            }
            guard offset == piece.count else {
                throw BrokenProperty(description: "bytes were left over")
            }
        }
        guard machine.activeStreams <= 8 else {
            throw BrokenProperty(description: "\(machine.activeStreams) streams")
        }
        guard machine.outputCount < limits.outputBytesMax + 1024 else {
            throw BrokenProperty(description: "\(machine.outputCount) bytes of output")
        }
        outcome.hasFailed = machine.hasFailed
        outcome.output = machine.takeOutput()
        return outcome
    }

    private func note(_ event: HTTP2Event, _ piece: [UInt8], _ outcome: inout Outcome) throws {
        guard !outcome.hasFailed else {
            throw BrokenProperty(description: "an event after the failure: \(event)")
        }
        switch event {
        case .data(let stream, let range, let endStream):
            guard range.lowerBound >= 0, range.upperBound <= piece.count else {
                throw BrokenProperty(description: "a range outside the bytes")
            }
            outcome.payload[stream, default: []] += piece[range]
            if endStream { outcome.events.append("end of \(stream)") }
        case .headers(_, let fields, _), .informational(_, let fields), .trailers(_, let fields):
            for position in 0..<fields.count {
                let value = fields.valueBytes(at: position)
                guard !value.contains(0), !value.contains(0x0A), !value.contains(0x0D) else {
                    throw BrokenProperty(description: "a value with NUL, CR or LF")
                }
            }
            outcome.events.append("\(event)")
        case .failed:
            outcome.hasFailed = true
            outcome.events.append("\(event)")
        default:
            outcome.events.append("\(event)")
        }
    }

    /// A server answers what it accepts, so that its sending half is exercised too.
    private func respond(to event: HTTP2Event, _ machine: inout HTTP2Connection) {
        switch event {
        case .headers(let stream, _, _) where machine.role == .server:
            try? machine.respond(stream, [":status": "200"], endStream: false)
        case .data(let stream, _, true):
            var frame = [UInt8](repeating: 0, count: 9)
            var span = frame.mutableSpan
            _ = machine.writeDataHeader(stream, length: 0, endStream: true, into: &span, at: 0)
        default:
            break
        }
    }

    private func compareCuts(
        _ role: HTTP2Role,
        _ input: [UInt8],
        _ generator: inout SeededGenerator
    ) throws {
        let whole = try run(role, input) { $0 }
        let bytewise = try run(role, input) { _ in 1 }
        guard whole == bytewise else {
            throw BrokenProperty(description: "cutting changes the outcome: \(whole) \(bytewise)")
        }
        var copy = generator
        let random = try run(role, input) { _ in 1 + copy.below(20) }
        generator = copy
        guard whole == random else {
            throw BrokenProperty(description: "cutting changes the outcome: \(whole) \(random)")
        }
    }

    @Test func `bytes to a server: no trap, bounded, and the same however they are cut`() {
        var corpus = ordinaryFrames.map { preface + frame(1, 4, 1, connect) + $0 }
        corpus.append(preface + frame(1, 4, 1, connect) + ordinaryFrames.flatMap { $0 })
        fuzz("HTTP/2 server", corpus: corpus) { input, generator in
            try compareCuts(.server, input, &generator)
        }
    }

    @Test func `bytes to a client: no trap, bounded, and the same however they are cut`() {
        let start = frame(4, 0, 0, [])
        var corpus = ordinaryFrames.map { start + frame(1, 4, 1, accepted) + $0 }
        corpus.append(start + frame(1, 4, 1, accepted) + ordinaryFrames.flatMap { $0 })
        fuzz("HTTP/2 client", corpus: corpus) { input, generator in
            try compareCuts(.client, input, &generator)
        }
    }

    @Test func `frames in a random order: no trap, bounded, and the same however they are cut`() {
        // Mutations of whole bytes seldom get past the first frame; whole frames do.
        let orders = (0..<8).map { seed in
            (0..<40).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ seed &* 13) }
        }
        fuzz("HTTP/2 frames", corpus: orders) { order, generator in
            let frames = order.prefix(200).flatMap {
                ordinaryFrames[Int($0) % ordinaryFrames.count]
            }
            try compareCuts(.server, preface + frames, &generator)
            try compareCuts(.client, frame(4, 0, 0, []) + frames, &generator)
        }
    }
}
