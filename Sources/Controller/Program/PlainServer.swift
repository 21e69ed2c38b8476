internal import Mesh
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A small HTTP server for health, metrics and debugging: GET only, one answer per path.
///
/// Bodies of requests are not read; connections are bounded in number and time.
final class PlainServer: Sendable {
    /// What a connection may cost.
    enum Limit {
        static let connectionsMax = 64
        static let idleSeconds: Int64 = 30
    }

    /// An answer.
    struct Answer: Sendable {
        var status: HTTPResponseStatus = .ok
        var contentType = "text/plain; charset=utf-8"
        var body: String
    }

    private let channel: any Channel

    /// Listens; `answer` is nil for a path that is not there.
    init(
        address: Mesh::SocketAddress,
        answer: @escaping @Sendable (_ path: String) async -> Answer?
    ) async throws {
        let open = OpenConnections()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 16)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard open.enter(channel) else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(
                        IdleStateHandler(allTimeout: .seconds(Limit.idleSeconds))
                    )
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(PlainHandler(answer: answer))
                }
            }
            .bind(host: address.ip.description, port: Int(address.port)).get()
    }

    /// Where it listens.
    var port: UInt16 { UInt16(clamping: channel.localAddress?.port ?? 0) }

    /// Stops listening.
    func stop() async { try? await channel.close() }
}

/// Counts connections.
private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    func enter(_ channel: any Channel) -> Bool {
        let isIn = count.withLock { count in
            guard count < PlainServer.Limit.connectionsMax else { return false }
            count += 1
            return true
        }
        if isIn {
            channel.closeFuture.whenComplete { _ in self.count.withLock { $0 -= 1 } }
        }
        return isIn
    }
}

/// One request, one answer, and the connection closes.
private final class PlainHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (String) async -> PlainServer.Answer?
    private var isAsked = false

    init(answer: @escaping @Sendable (String) async -> PlainServer.Answer?) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !isAsked else { return }
        isAsked = true
        let path = String(head.uri.prefix { $0 != "?" })
        guard head.method == .GET || head.method == .HEAD else {
            let refusal = PlainServer.Answer(status: .methodNotAllowed, body: "GET only\n")
            Self.send(refusal, to: context.channel)
            return
        }
        let (channel, answer) = (context.channel, answer)
        let missing = PlainServer.Answer(status: .notFound, body: "there is no such page\n")
        channel.eventLoop.makeFutureWithTask { await answer(path) ?? missing }
            .whenSuccess { Self.send($0, to: channel) }
    }

    private static func send(_ answer: PlainServer.Answer, to channel: any Channel) {
        let headers = HTTPHeaders([
            ("content-type", answer.contentType),
            ("content-length", "\(answer.body.utf8.count)"),
            ("connection", "close"),
        ])
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        let body = IOData.byteBuffer(ByteBuffer(string: answer.body))
        channel.write(HTTPServerResponsePart.body(body), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in
            channel.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
