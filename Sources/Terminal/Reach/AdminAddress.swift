internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// The admin server of one node, by its address on this machine's loopback.
package struct AdminAddress: Sendable, Hashable {
    /// The longest answer that is read.
    package static let bytesMax = 256 << 20
    /// How long an answer may take, in seconds.
    private static let timeoutSeconds: Int64 = 60

    package let port: UInt16

    package init(port: UInt16) { self.port = port }

    /// Takes `http://127.0.0.1:15000` and `http://localhost:15000`; nil for any other host, as an
    /// admin server listens on loopback only.
    package init?(_ text: String) {
        let hosts = ["http://127.0.0.1", "http://localhost"]
        guard let host = hosts.first(where: { text.hasPrefix($0) }) else { return nil }
        var rest = text.dropFirst(host.count)
        if rest.last == "/" { rest = rest.dropLast() }
        guard !rest.isEmpty else {
            port = 15_000
            return
        }
        guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        self.port = port
    }

    /// Makes one request; fails when nobody answers or the answer is no success.
    package func request(
        _ method: String = "GET",
        _ path: String
    ) async throws(ReachError) -> [UInt8] {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = HTTPMethod(rawValue: method)
        let status: UInt
        let body: [UInt8]
        do {
            let response = try await HTTPClient.shared.execute(
                request,
                timeout: .seconds(Self.timeoutSeconds)
            )
            status = response.status.code
            body = Array(buffer: try await response.body.collect(upTo: Self.bytesMax))
        } catch {
            throw ReachError(
                .unavailable,
                "nobody answers at http://127.0.0.1:\(port)\(path): \(error)"
            )
        }
        guard (200..<300).contains(status) else {
            let text = Terminal.printable(String(decoding: body.prefix(500), as: UTF8.self))
            throw ReachError(.failed, "\(path) answered \(status): \(text)")
        }
        return body
    }
}
