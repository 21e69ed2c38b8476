internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// The admin server of one node, by its address on this machine's loopback.
package struct AdminAddress: Sendable, Hashable {
    /// The longest answer that is read.
    package static let bytesMax = 256 << 20
    /// How long an answer may take, in seconds.
    private static let timeoutSeconds: Int64 = 60
    /// How long loopback may take to connect, in seconds.
    private static let connectSeconds: Int64 = 3

    /// One client for all addresses, for as long as the program runs.
    ///
    /// It does not try again where nobody listens, which on loopback is the answer.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(connectSeconds)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup,
            configuration: configuration
        )
    }()

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
        let status: Int
        let body: [UInt8]
        do {
            let response = try await Self.client.execute(
                request,
                timeout: .seconds(Self.timeoutSeconds)
            )
            status = Int(response.status.code)
            body = Array(buffer: try await response.body.collect(upTo: Self.bytesMax))
        } catch {
            let words = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
            throw ReachError(
                .unavailable,
                "nobody answers at http://127.0.0.1:\(port)\(path): \(words)"
            )
        }
        try ReachError.check(status: status, of: path, body: body)
        return body
    }
}
