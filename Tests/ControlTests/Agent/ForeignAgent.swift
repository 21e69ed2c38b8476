import CLinux
import Foundation
import Glibc
import Reactor

/// A CNI agent that is not ours: it listens on a socket of packets and speaks raw bytes.
final class ForeignAgent {
    let path: String
    private let listener: Descriptor
    private var client: Descriptor?

    init() throws {
        path = "/tmp/zds-\(UInt32.random(in: 0 ... .max)).sock"
        listener = Descriptor(
            owning: try checked("socket") { socket(AF_UNIX, ambit_SOCK_SEQPACKET, 0) }
        )
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            unsafe room.copyBytes(from: path.utf8)
        }
        let raw = listener.raw
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        try checked("bind") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(raw, $0, length)
                }
            }
        }
        try checked("listen") { listen(raw, 8) }
        setTimeout(raw)
    }

    deinit { unsafe unlink(path) }

    // Longer than the peer's longest pause between two attempts at the start.
    private func setTimeout(_ raw: Int32) {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        unsafe setsockopt(
            raw,
            SOL_SOCKET,
            SO_RCVTIMEO,
            &limit,
            socklen_t(MemoryLayout<timeval>.size)
        )
    }

    /// Waits for the node to connect.
    func accept() throws {
        let raw = listener.raw
        let taken = try checked("accept") { Glibc.accept(raw, nil, nil) }
        setTimeout(taken)
        client = Descriptor(owning: taken)
    }

    /// The next packet as hexadecimal digits; `end` when the node closed.
    func receive() throws -> String {
        guard let raw = client?.raw else { return "no connection" }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = try checked("recv") { unsafe recv(raw, &bytes, bytes.count, 0) }
        if count == 0 { return "end" }
        return bytes[..<count].map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0\(text)" : text
        }.joined(separator: " ")
    }

    /// Whether the node has said something that is not yet received.
    func hasMore() -> Bool {
        guard let raw = client?.raw else { return false }
        var byte: UInt8 = 0
        return unsafe recv(raw, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Sends a packet given as hexadecimal digits, with descriptors.
    func send(_ hex: String, _ descriptors: Int32...) throws {
        guard let raw = client?.raw else { return }
        let digits = hex.filter { $0.isHexDigit }
        var bytes: [UInt8] = []
        var rest = Substring(digits)
        while let byte = UInt8(rest.prefix(2), radix: 16), rest.count >= 2 {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        try checked("sendmsg") {
            unsafe ambit_send_fds(
                raw,
                bytes,
                bytes.count,
                descriptors,
                Int32(descriptors.count)
            )
        }
    }

    /// Ends the connection.
    func close() { client = nil }
}
