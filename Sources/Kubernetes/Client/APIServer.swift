internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// A cluster behind its API server.
///
/// Redirects are not followed, certificates are verified, and what a response may hold is bounded.
package final class APIServer: Cluster {
    /// What one answer may cost.
    package enum Limit {
        /// An object is at most 3 MiB; a page of 500 ones seldom above 10 MiB.
        package static let pageObjects = 500
        package static let responseBytesMax = Value.JSONLimit.bytesMax
        /// One line of a watch, which holds one object.
        package static let watchLineBytesMax = 16 << 20
        /// Connections to the server: one for each watch and some for requests.
        package static let connectionsMax = 256
        /// An answer that says what is wrong is read that far.
        static let errorBytesMax = 1 << 20
        /// How often a request is sent that the server is too busy for.
        static let attemptsMax = 5
        /// The longest `Retry-After` that is obeyed.
        static let retrySecondsMax: Int64 = 10
    }

    package let access: ClusterAccess
    package let timing: APITiming
    private let credentials: Credentials
    private let requests: HTTPClient
    private let watches: HTTPClient
    private let url: String
    let discovery = Discovery()

    /// Connects when it is first asked something.
    package init(_ access: ClusterAccess, timing: APITiming = APITiming()) {
        self.access = access
        self.timing = timing
        credentials = Credentials(access, rereadInterval: timing.credentialsAge)
        requests = Self.client(access, timing, silence: timing.requestTimeout)
        watches = Self.client(access, timing, silence: timing.watchSilence)
        let host = access.serverName.isEmpty ? access.server.host : access.serverName
        url = access.server.text(host: host)
    }

    deinit {
        // An object that goes must not leave connections behind.
        _ = requests.shutdown()
        _ = watches.shutdown()
    }

    private static func client(
        _ access: ClusterAccess,
        _ timing: APITiming,
        silence: Duration
    ) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        // A watch needs a connection of its own, so that a slow reader delays itself only.
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = TimeAmount(timing.connectTimeout)
        configuration.timeout.read = TimeAmount(silence)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            Limit.connectionsMax
        configuration.connectionPool.retryConnectionEstablishment = false
        if !access.serverName.isEmpty {
            configuration.dnsOverride = [access.serverName: access.server.host]
        }
        return HTTPClient(
            eventLoopGroup: ClientLoop.group,
            configuration: configuration
        )
    }

    /// Sends a request and reads the whole answer as JSON, but for what is to be left out.
    ///
    /// Sent again, some times, when the server says that it is too busy.
    func send(
        _ request: APIRequest,
        omitting omission: Omission = .nothing
    ) async throws(ClusterError) -> Value {
        var attempt = 1
        while true {
            let response = try await open(request, client: requests)
            let deadline = ContinuousClock.now + timing.requestTimeout
            if (200..<300).contains(response.status.code) {
                let bytes = try await body(
                    of: response,
                    request,
                    until: deadline,
                    bytesMax: Limit.responseBytesMax
                )
                do {
                    return bytes.isEmpty ? .null : try Value(json: bytes, omitting: omission)
                } catch {
                    throw ClusterError(
                        .other,
                        "\(request.summary): the answer is no JSON: \(error)"
                    )
                }
            }
            let failure = try await failure(response, request, until: deadline)
            guard response.status == .tooManyRequests, attempt < Limit.attemptsMax else {
                throw failure
            }
            attempt += 1
            let seconds = response.headers.first(name: "retry-after").flatMap { Int64($0) } ?? 1
            do {
                try await Pause.wait(
                    for: .seconds(min(max(seconds, 0), Limit.retrySecondsMax))
                )
            } catch {
                throw failure
            }
        }
    }

    /// Opens a watch; the answer's body is its events.
    func watch(_ request: APIRequest) async throws(ClusterError) -> HTTPClientResponse {
        let response = try await open(request, client: watches)
        guard response.status == .ok else {
            throw try await failure(
                response,
                request,
                until: ContinuousClock.now + timing.requestTimeout
            )
        }
        return response
    }

    private func open(
        _ request: APIRequest,
        client: HTTPClient
    ) async throws(ClusterError) -> HTTPClientResponse {
        var http = HTTPClientRequest(url: url + request.target)
        http.method = HTTPMethod(rawValue: request.method.rawValue)
        http.headers.add(name: "accept", value: "application/json")
        http.headers.add(name: "user-agent", value: "ambit")
        if let body = request.body {
            http.headers.add(name: "content-type", value: request.contentType)
            http.body = .bytes(ByteBuffer(bytes: body.jsonBytes()))
        }
        do {
            let shown = try await credentials.get()
            http.tlsConfiguration = shown.tls
            if let authorization = shown.authorization {
                http.headers.add(name: "authorization", value: authorization)
            }
            let response = try await client.execute(
                http,
                deadline: .now() + TimeAmount(timing.requestTimeout)
            )
            if response.status == .unauthorized { await credentials.forget() }
            return response
        } catch let error as AccessError {
            throw ClusterError(.unavailable, "\(request.summary): \(error)")
        } catch {
            throw ClusterError(
                .unavailable,
                "\(request.summary): \(access.server) did not answer: \(Self.words(error))"
            )
        }
    }

    private func body(
        of response: HTTPClientResponse,
        _ request: APIRequest,
        until deadline: ContinuousClock.Instant,
        bytesMax: Int
    ) async throws(ClusterError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await chunk in response.body {
                guard bytes.count + chunk.readableBytes <= bytesMax else {
                    throw AccessError("the answer is above \(bytesMax >> 20) MiB")
                }
                bytes.append(contentsOf: chunk.readableBytesView)
                guard ContinuousClock.now < deadline else {
                    throw AccessError("the answer did not end in time")
                }
            }
        } catch {
            throw ClusterError(.unavailable, "\(request.summary): \(Self.words(error))")
        }
        return bytes
    }

    private func failure(
        _ response: HTTPClientResponse,
        _ request: APIRequest,
        until deadline: ContinuousClock.Instant
    ) async throws(ClusterError) -> ClusterError {
        let bytes = try await body(
            of: response,
            request,
            until: deadline,
            bytesMax: Limit.errorBytesMax
        )
        let status = (try? Value(json: bytes)) ?? .null
        return ClusterError(
            status: Int64(response.status.code),
            reason: status["reason"].stringValue ?? "",
            "\(request.summary): \(response.status.code) "
                + (status["message"].stringValue ?? response.status.reasonPhrase)
        )
    }

    // The library's errors, for people.
    static func words(_ error: any Error) -> String {
        switch error {
        case is CancellationError: "cancelled"
        case let error as HTTPClientError: error.shortDescription
        default: "\(error)"
        }
    }
}

extension ClusterError {
    /// The error that an API server's `Status` stands for.
    init(status: Int64, reason: String, _ text: String) {
        let code: Code =
            switch (status, reason) {
            case (_, "AlreadyExists"): .alreadyExists
            case (_, "Expired"), (_, "Gone"), (410, _): .gone
            case (401, _): .unauthorized
            case (403, _): .forbidden
            case (404, _): .notFound
            case (409, _): .conflict
            case (400, _), (413, _), (415, _), (422, _): .invalid
            case (408, _), (429, _), (500..., _): .unavailable
            default: .other
            }
        self.init(code, text)
    }
}
