import HTTP
import Testing

/// A frame as it is on the wire, for peers written by hand.
struct WireFrame: Equatable, CustomStringConvertible {
    var type: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    static func data(_ stream: UInt32, _ payload: [UInt8], end: Bool = false) -> Self {
        Self(type: 0, flags: end ? 1 : 0, stream: stream, payload: payload)
    }

    static func headers(
        _ stream: UInt32,
        _ block: [UInt8],
        end: Bool = false,
        endHeaders: Bool = true
    ) -> Self {
        Self(
            type: 1,
            flags: (end ? 1 : 0) | (endHeaders ? 4 : 0),
            stream: stream,
            payload: block
        )
    }

    static func priority(_ stream: UInt32, on parent: UInt32) -> Self {
        Self(type: 2, stream: stream, payload: parent.networkBytes + [15])
    }

    static func reset(_ stream: UInt32, _ code: UInt32) -> Self {
        Self(type: 3, stream: stream, payload: code.networkBytes)
    }

    static func settings(_ entries: [(UInt16, UInt32)] = []) -> Self {
        Self(
            type: 4,
            payload: entries.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] + $1.networkBytes }
        )
    }

    static let settingsAcknowledgement = Self(type: 4, flags: 1)

    static func ping(_ payload: [UInt8], acknowledged: Bool = false) -> Self {
        Self(type: 6, flags: acknowledged ? 1 : 0, payload: payload)
    }

    static func goAway(_ last: UInt32, _ code: UInt32, debug: [UInt8] = []) -> Self {
        Self(type: 7, payload: last.networkBytes + code.networkBytes + debug)
    }

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Self {
        Self(type: 8, stream: stream, payload: increment.networkBytes)
    }

    static func continuation(_ stream: UInt32, _ block: [UInt8], end: Bool = true) -> Self {
        Self(type: 9, flags: end ? 4 : 0, stream: stream, payload: block)
    }

    var bytes: [UInt8] {
        let length = UInt32(payload.count).networkBytes
        return length[1...] + [type, flags] + stream.networkBytes + payload
    }

    var code: UInt32? {
        switch type {
        case 3: UInt32(networkBytes: payload[...])
        case 7: UInt32(networkBytes: payload[4...])
        default: nil
        }
    }

    var description: String {
        "frame \(type) flags \(flags) stream \(stream) payload \(payload.prefix(16))"
    }

    /// Takes whole frames apart; a preface in front is dropped.
    static func parse(_ bytes: [UInt8]) -> [WireFrame] {
        var frames: [WireFrame] = []
        var rest = bytes[...]
        if rest.starts(with: clientPreface) { rest = rest.dropFirst(clientPreface.count) }
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            frames.append(
                WireFrame(
                    type: head[3],
                    flags: head[4],
                    stream: UInt32(networkBytes: head[5...]),
                    payload: Array(rest.dropFirst(9).prefix(length))
                )
            )
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }
}

let clientPreface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

extension UInt32 {
    var networkBytes: [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self >> UInt32($0)) }
    }

    init(networkBytes: ArraySlice<UInt8>) {
        self = networkBytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// A literal field without indexing and without Huffman coding: RFC 7541 §6.2.2.
func literal(_ name: String, _ value: String) -> [UInt8] {
    func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var length: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            length.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }
    return [0] + string(name) + string(value)
}

func block(_ fields: KeyValuePairs<String, String>) -> [UInt8] {
    fields.flatMap { literal($0.key, $0.value) }
}

let getRequest = block([
    ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a.test",
])
let postRequest = block([
    ":method": "POST", ":scheme": "https", ":path": "/", ":authority": "a.test",
])
let connectRequest = block([":method": "CONNECT", ":authority": "10.1.0.5:8080"])

/// A machine under test and a clock; the other side is whatever bytes a test feeds it.
final class MachineUnderTest {
    var machine: HTTP2Connection
    var now: UInt64 = 1_000_000_000
    var sent: [UInt8] = []

    init(_ role: HTTP2Role, _ limits: HTTP2Limits? = nil) {
        machine = HTTP2Connection(
            role: role,
            limits: limits ?? (role == .server ? .server : .client),
            now: now
        )
    }

    /// A server that has met its client, its opening frames taken away.
    static func server(
        _ limits: HTTP2Limits = .server,
        settings: [(UInt16, UInt32)] = []
    ) -> MachineUnderTest {
        let server = MachineUnderTest(.server, limits)
        _ = server.receive(clientPreface + WireFrame.settings(settings).bytes)
        _ = server.receive([.settingsAcknowledgement])
        _ = server.takeFrames()
        return server
    }

    /// A client that has met its server, its opening frames taken away.
    static func client(
        _ limits: HTTP2Limits = .client,
        settings: [(UInt16, UInt32)] = []
    ) -> MachineUnderTest {
        let client = MachineUnderTest(.client, limits)
        _ = client.receive([.settings(settings), .settingsAcknowledgement])
        _ = client.takeFrames()
        return client
    }

    // `#expect` cannot look into a value that is not copyable.
    var activeStreams: Int { machine.activeStreams }
    var isAcknowledged: Bool { machine.areSettingsAcknowledged }
    var hasFailed: Bool { machine.hasFailed }
    var isClosing: Bool { machine.isClosing }
    var isDrained: Bool { machine.isDrained }
    var canOpen: Bool { machine.canOpenStream }
    var incompleteSince: UInt64? { machine.incompleteSince }
    func sendable(_ stream: UInt32) -> Int { machine.sendable(stream) }

    func receive(_ frames: [WireFrame]) -> [HTTP2Event] {
        receive(frames.flatMap(\.bytes))
    }

    /// Feeds bytes at once or in pieces; collects the events.
    func receive(_ bytes: [UInt8], pieces: Int = .max) -> [HTTP2Event] {
        var events: [HTTP2Event] = []
        var start = 0
        repeat {
            let end = min(bytes.count, start + min(pieces, bytes.count))
            let piece = Array(bytes[start..<end])
            var offset = 0
            while let event = machine.next(piece.span, at: &offset, now: now) {
                events.append(event)
            }
            #expect(offset == piece.count)
            start = end
        } while start < bytes.count
        return events
    }

    func takeFrames() -> [WireFrame] {
        WireFrame.parse(machine.takeOutput())
    }

    func open(_ fields: HeaderFields, endStream: Bool = false) throws -> UInt32 {
        try machine.request(fields, endStream: endStream)
    }

    func respond(_ stream: UInt32, status: String = "200", endStream: Bool = false) throws {
        try machine.respond(stream, [":status": status], endStream: endStream)
    }

    /// One DATA frame with its payload, or nil when the machine refuses.
    func frameData(_ stream: UInt32, _ payload: [UInt8], end: Bool = false) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 9) + payload
        var span = bytes.mutableSpan
        let isWritten = machine.writeDataHeader(
            stream,
            length: payload.count,
            endStream: end,
            into: &span,
            at: 0
        )
        return isWritten ? bytes : nil
    }
}

extension HTTP2Event {
    var failureCode: HTTP2ErrorCode? {
        if case .failed(let failure) = self { failure.code } else { nil }
    }
}

let connectFields: HeaderFields = [":method": "CONNECT", ":authority": "10.1.0.5:8080"]
let getFields: HeaderFields = [
    ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "a.test",
]
let nothing = 0..<0
