internal import GRPCCore

/// Finds out who calls; the caller learns only that it failed.
struct Authentication: Sendable {
    /// The longest token read, in bytes.
    static let tokenBytesMax = 16 * 1024

    let authenticate: Authenticator
    let metrics: DiscoveryMetrics
    let log: DiscoveryLog

    /// The bearer token of a call.
    func token(_ metadata: Metadata, peer: String) throws(RPCError) -> String {
        var values = metadata[stringValues: "authorization"].makeIterator()
        guard let value = values.next(), values.next() == nil else {
            throw refused("no authorization header, or several", peer)
        }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            (1...Self.tokenBytesMax).contains(parts[1].utf8.count)
        else { throw refused("the authorization header is no bearer token", peer) }
        return String(parts[1])
    }

    /// Whom a token belongs to.
    func caller(_ token: String, peer: String) async throws(RPCError) -> Caller {
        switch await authenticate(token) {
        case .success(let caller): return caller
        case .failure(let refusal): throw refused(refusal.reason, peer)
        }
    }

    private func refused(_ reason: String, _ peer: String) -> RPCError {
        metrics.change { $0.refusedTotal += 1 }
        log(.refused(peer: peer, reason: reason))
        return RPCError(code: .unauthenticated, message: "authentication failed")
    }
}

/// Runs a handler's body and cancels it when the call is: gRPC only signals it.
func withRPCCancellation(
    _ context: ServerContext,
    _ body: @escaping @Sendable () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
            try await body()
            return true
        }
        group.addTask {
            try await context.cancellation.cancelled
            return false
        }
        defer { group.cancelAll() }
        guard try await group.next() == true else { throw CancellationError() }
    }
}
