internal import AmbientProtocol
internal import ArgumentParser
internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import Synchronization

/// Many nodes that acknowledge what they are sent and keep nothing.
struct FollowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "follow", shouldDisplay: false)

    @Option var port: Int
    @Option var roots: String
    @Option var nodes: Int

    func run() async throws {
        let begun = Gauge.moment
        let roots = try String(contentsOfFile: roots, encoding: .utf8)
        let followers = (0..<nodes).map { Follower(number: $0, port: port, roots: roots) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for follower in followers { group.addTask { try await follower.run() } }
            group.addTask { try await Self.serveCommands(followers, begun) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func serveCommands(_ followers: [Follower], _ begun: Double) async throws {
        for follower in followers { await follower.untilSynced() }
        Answer(seconds: Gauge.moment - begun, cpuSeconds: Gauge.cpuSeconds).send()
        for await line in commandLines() {
            switch line {
            case "begin":
                for follower in followers { follower.forgetMoments() }
                Answer().send()
            case "moments":
                let all = followers.map(\.moments)
                let count = all.map(\.count).min() ?? 0
                // The last of the nodes, for each change.
                let last = (0..<count).map { place in all.map { $0[place] }.max() ?? 0 }
                Answer(count: count, moments: last).send()
            default: Answer(failure: "unknown command \(line)").send()
            }
        }
    }
}

/// One node's stream.
final class Follower: Sendable {
    private typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    private static let types = [
        "type.googleapis.com/istio.security.Authorization",
        "type.googleapis.com/istio.workload.Address",
    ]

    private struct State {
        var synced: Set<String> = []
        var moments: [Double] = []
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let number: Int
    private let port: Int
    private let roots: String
    private let state = Mutex(State())

    init(number: Int, port: Int, roots: String) {
        self.number = number
        self.port = port
        self.roots = roots
    }

    /// When each response after the first sync was acknowledged.
    var moments: [Double] { state.withLock { $0.moments } }

    func forgetMoments() { state.withLock { $0.moments = [] } }

    /// Returns when everything has come once.
    func untilSynced() async {
        await withCheckedContinuation { continuation in
            let isSynced = state.withLock { state in
                if state.synced.count == Self.types.count { return true }
                state.waiting = continuation
                return false
            }
            if isSynced { continuation.resume() }
        }
    }

    /// Follows until the task is cancelled.
    func run() async throws {
        let transport = try HTTP2ClientTransport.Posix(
            target: .dns(host: "localhost", port: port),
            transportSecurity: .tls {
                $0.trustRoots = .certificates([.bytes(Array(self.roots.utf8), format: .pem)])
            },
            config: .defaults()
        )
        let (requests, outgoing) = AsyncStream<Request>.makeStream()
        for type in Self.types { outgoing.yield(first(type)) }
        var metadata: Metadata = [:]
        metadata.addString("Bearer proxy-\(number)", forKey: "authorization")
        var options = CallOptions.defaults
        options.maxResponseMessageBytes = 200 << 20
        try await withGRPCClient(transport: transport) { [metadata, options] client in
            typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
            try await Service.Client(wrapping: client).deltaAggregatedResources(
                metadata: metadata,
                options: options,
                requestProducer: { writer in
                    for await request in requests { try await writer.write(request) }
                },
                onResponse: { response in
                    for try await message in response.messages {
                        var request = Request()
                        request.typeURL = message.typeURL
                        request.responseNonce = message.nonce
                        outgoing.yield(request)
                        self.note(
                            message.typeURL,
                            isPartial: message.systemVersionInfo == "partial"
                        )
                    }
                }
            )
        }
    }

    private func note(_ type: String, isPartial: Bool) {
        let waiting = state.withLock { state in
            if state.synced.count == Self.types.count { state.moments.append(Gauge.moment) }
            if !isPartial { state.synced.insert(type) }
            guard state.synced.count == Self.types.count else {
                return CheckedContinuation<Void, Never>?.none
            }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    private func first(_ type: String) -> Request {
        var request = Request()
        request.node.id =
            "ztunnel~10.0.0.1~ambit-node-\(number).ambit-system~ambit-system.svc.cluster.local"
        request.node.metadata.fields["AMBIT_PARTIAL"] = Google_Protobuf_Value(stringValue: "true")
        request.typeURL = type
        return request
    }
}
