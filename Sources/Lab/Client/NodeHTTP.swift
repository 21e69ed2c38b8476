internal import CLinux
internal import Foundation
internal import Glibc
internal import Mesh
package import Reactor

/// A plain HTTP request into a node's or pod's network namespace, as `curl` would make it there.
package struct NodeHTTP {
    /// How long an answer may take, in milliseconds.
    static let timeMax: Int32 = 10_000
    /// The longest answer that is read.
    static let bytesMax = 256 << 20

    /// An answer: status code and body.
    package struct Response: Sendable {
        package let status: Int
        package let body: [UInt8]
    }

    private let client: ControlClient

    /// Asks through a connection to the supervisor, which makes the sockets.
    package init(_ client: ControlClient) {
        self.client = client
    }

    /// Makes one request to a port on the node's loopback address.
    package func request(
        _ method: String = "GET",
        _ path: String,
        at source: LogSource,
        port: UInt16
    ) throws(LabError) -> Response {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw LabError(.usage, "a path must begin with / and have no spaces, found \(path)")
        }
        try client.call(.socket(at: source, version6: false))
        guard let socket = client.takeDescriptor() else {
            throw LabError(.failed, "the lab gave no socket")
        }
        do throws(SystemError) {
            try connect(socket.raw, port)
            let text =
                "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
                + "Connection: close\r\nContent-Length: 0\r\n\r\n"
            try Calls.writeAll(socket.raw, Array(text.utf8))
            return try Self.parse(try readAll(socket.raw))
        } catch {
            throw LabError("cannot ask 127.0.0.1:\(port)\(path)", error)
        }
    }

    private func connect(_ raw: Int32, _ port: UInt16) throws(SystemError) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(raw, $0, length)
            }
        }
        guard result == 0 else { throw SystemError(call: "connect", code: errno) }
    }

    private func readAll(_ raw: Int32) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < Self.bytesMax {
            guard waitToRead([raw], milliseconds: Self.timeMax) else {
                throw SystemError(call: "read", code: ETIMEDOUT)
            }
            guard let part = try Calls.read(raw, room: 64 << 10), !part.isEmpty else { break }
            bytes += part
        }
        return bytes
    }

    /// Splits an answer that ends with its connection; chunked bodies are put together.
    package static func parse(_ bytes: [UInt8]) throws(SystemError) -> Response {
        let end = Array("\r\n\r\n".utf8)
        guard let split = bytes.firstRange(of: end),
            let head = String(bytes: bytes[..<split.lowerBound], encoding: .utf8),
            let line = head.split(separator: "\r\n").first,
            let status = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw SystemError(call: "read an HTTP answer", code: EBADMSG) }
        var body = Array(bytes[split.upperBound...])
        if head.lowercased().contains("transfer-encoding: chunked") { body = joinChunks(body) }
        return Response(status: status, body: body)
    }

    private static func joinChunks(_ bytes: [UInt8]) -> [UInt8] {
        var joined: [UInt8] = []
        var rest = bytes[...]
        let newline = Array("\r\n".utf8)
        while let end = rest.firstRange(of: newline) {
            let digits = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
            guard let count = Int(digits.prefix { $0 != ";" }, radix: 16), count > 0 else { break }
            rest = rest[end.upperBound...]
            joined += rest.prefix(count)
            rest = rest.dropFirst(count).dropFirst(2)
        }
        return joined
    }
}
