internal import Reactor

/// Bytes on their way from one socket to another.
protocol Flow: AnyObject {
    /// Carries what it can until a socket would block.
    func carry(from source: End, to target: End) -> FlowProgress
}

/// Where a flow stands after `carry`.
enum FlowProgress { case blocked, yielded, ended, failed }

/// One of the two sockets of a relayed connection.
final class End: ReadinessHandler {
    let raw: Int32
    var isReadable = false
    var isWritable = false
    /// The other side has finished: a short read no longer means that nothing is left.
    var isFinishing = false
    fileprivate var socket: Descriptor?
    fileprivate var registration: EventLoop.Registration?
    fileprivate unowned let pair: Pair

    fileprivate init(_ socket: consuming Descriptor, _ pair: Pair) {
        raw = socket.raw
        self.socket = consume socket
        self.pair = pair
    }

    func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.readClosed, .hangup, .error]) { isFinishing = true }
        if isFinishing || readiness.contains(.readable) { isReadable = true }
        if readiness.contains(.writable) { isWritable = true }
        pair.resume()
    }
}

/// A relayed connection: two sockets and the flows between them.
///
/// It holds itself until it closes.
final class Pair: LoopTask {
    private var client: End?
    private var server: End?
    private let onward: any Flow
    private let back: any Flow
    private var onwardEnded = false
    private var backEnded = false
    private var isQueued = false
    private var loop: EventLoop?
    private var own: Pair?

    init(
        _ client: consuming Descriptor,
        _ server: consuming Descriptor,
        _ onward: any Flow,
        _ back: any Flow
    ) {
        self.onward = onward
        self.back = back
        self.client = End(client, self)
        self.server = End(server, self)
    }

    func start(on loop: EventLoop) {
        guard let client, let server else { return }
        self.loop = loop
        own = self
        do throws(SystemError) {
            client.registration = try loop.add(client.raw, client)
            server.registration = try loop.add(server.raw, server)
        } catch {
            close()
        }
    }

    func resume() {
        isQueued = false
        guard let client, let server else { return }
        if !onwardEnded { onwardEnded = settle(onward.carry(from: client, to: server), server) }
        guard self.client != nil else { return }
        if !backEnded { backEnded = settle(back.carry(from: server, to: client), client) }
        if onwardEnded, backEnded { close() }
    }

    // Whether the flow has ended.
    private func settle(_ progress: FlowProgress, _ target: End) -> Bool {
        switch progress {
        case .blocked: return false
        case .yielded:
            if !isQueued {
                isQueued = true
                loop?.later(self)
            }
            return false
        case .ended:
            Socket.finishWriting(target.raw)
            return true
        case .failed:
            close()
            return true
        }
    }

    private func close() {
        for end in [client, server] {
            if let registration = end?.registration { loop?.remove(registration) }
            end?.socket = nil
        }
        client = nil
        server = nil
        own = nil
    }
}
