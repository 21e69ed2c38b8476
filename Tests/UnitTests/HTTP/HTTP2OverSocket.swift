import Foundation
import Glibc
import HTTP
import Mesh
import Reactor

/// One HTTP/2 machine on a blocking socket without TLS, for peers made by others.
final class HTTP2OverSocket {
    var machine: HTTP2Connection
    private let socket: TestSocket
    private var incoming = [UInt8](repeating: 0, count: 65_536)

    init(_ role: HTTP2Role, _ socket: TestSocket) {
        machine = HTTP2Connection(
            role: role,
            limits: role == .server ? .server : .client,
            now: Self.now
        )
        self.socket = socket
    }

    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    func flush() throws {
        try send(machine.takeOutput())
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes[sent...])
            let flags = Int32(truncatingIfNeeded: MSG_NOSIGNAL)
            sent += try checked("send") {
                unsafe Glibc.send(socket.raw, rest, rest.count, flags)
            }
        }
    }

    /// Sends as much of a stream's payload as the windows allow; returns how much.
    func send(_ stream: UInt32, _ payload: ArraySlice<UInt8>, end: Bool) throws -> Int {
        try flush()
        var rest = payload
        repeat {
            let length = min(rest.count, machine.sendable(stream), 16_375)
            let isLast = length == rest.count
            guard length > 0 || isLast else { break }
            var frame = [UInt8](repeating: 0, count: 9) + rest.prefix(length)
            var span = frame.mutableSpan
            let isWritten = machine.writeDataHeader(
                stream,
                length: length,
                endStream: end && isLast,
                into: &span,
                at: 0
            )
            guard isWritten else { break }
            try send(frame)
            rest = rest.dropFirst(length)
        } while !rest.isEmpty
        return payload.count - rest.count
    }

    /// Waits for bytes and hands out what is in them; false when the peer has closed.
    func receive(_ handle: (HTTP2Event, [UInt8]) throws -> Void) throws -> Bool {
        try flush()
        guard TestSocket.wait(socket.raw, POLLIN, milliseconds: SmallServer.patience) else {
            throw SystemError(call: "recv", code: ETIMEDOUT)
        }
        let count = unsafe recv(socket.raw, &incoming, incoming.count, 0)
        guard count > 0 else { return false }
        let bytes = Array(incoming.prefix(count))
        var offset = 0
        while let event = machine.next(bytes.span, at: &offset, now: Self.now) {
            try handle(event, bytes)
            if case .data(let stream, let range, _) = event {
                machine.released(stream, range.count)
            }
        }
        try flush()
        return true
    }
}

/// A small server: `GET /N` answers N bytes, `POST` answers how many bytes came.
final class SmallServer: @unchecked Sendable {
    let port: UInt16
    /// Milliseconds: other tests keep the machine busy.
    static let patience: Int32 = 30_000
    private let listener: TestSocket
    private let lock = NSLock()
    private var seen: [String] = []

    /// What went wrong on any connection.
    var complaints: [String] { lock.withLock { seen } }

    init(connections: Int) throws {
        listener = TestSocket(
            owning: try checked("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        )
        let loopback = IPAddress(v4: 0x7F00_0001)
        _ = try listener.listening(at: SocketAddress(loopback, 0))
        port = listener.local?.port ?? 0
        Foundation.Thread.detachNewThread { [self] in
            for _ in 0..<connections {
                guard TestSocket.wait(listener.raw, POLLIN, milliseconds: Self.patience),
                    let socket = try? listener.accept()
                else { return complain("nobody came") }
                let raw = dup(socket.raw)
                Foundation.Thread.detachNewThread { [self] in serve(TestSocket(owning: raw)) }
            }
        }
    }

    private func complain(_ text: String) {
        lock.withLock { seen.append(text) }
    }

    private func serve(_ socket: TestSocket) {
        let connection = HTTP2OverSocket(.server, socket)
        var answers: [UInt32: ArraySlice<UInt8>] = [:]
        var uploads: [UInt32: Int] = [:]
        func count(_ stream: UInt32) -> [UInt8] { Array("\(uploads[stream] ?? 0)".utf8) }
        func answer(_ stream: UInt32, _ content: [UInt8]) throws {
            try connection.machine.respond(stream, [":status": "200"], endStream: false)
            answers[stream] = content[...]
        }
        do {
            while try connection.receive({ event, _ in
                switch event {
                case .headers(let stream, let fields, let endStream):
                    let size = Int(fields[":path"]?.dropFirst() ?? "") ?? 0
                    guard endStream else { break }
                    try answer(stream, (0..<size).map { UInt8(truncatingIfNeeded: $0) })
                case .data(let stream, let range, let endStream):
                    uploads[stream, default: 0] += range.count
                    if endStream { try answer(stream, count(stream)) }
                case .trailers(let stream, _): try answer(stream, count(stream))
                case .reset(let stream, _, _): answers[stream] = nil
                case .failed(let failure): complain(failure.description)
                default: break
                }
            }) {
                for (stream, rest) in answers {
                    let sent = try connection.send(stream, rest, end: true)
                    answers[stream] = sent == rest.count ? nil : rest.dropFirst(sent)
                }
            }
        } catch {
            complain("\(error)")
        }
    }
}

/// A program of the system, run to its end.
struct ProgramRun {
    var output: [UInt8]
    var status: Int32

    var text: String { String(decoding: output, as: UTF8.self) }

    init(_ path: String, _ arguments: [String]) throws {
        let process = Process()
        // Threads of a test block signals and children inherit that: only KILL ends one.
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments = ["-s", "KILL", "20", path] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        output = Array(pipe.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        status = process.terminationStatus
    }
}
