internal import DNS
internal import Mesh
internal import Reactor
internal import Tunnel

/// A captured TCP connection of a pod to a nameserver: several queries, answered in any order.
///
/// What the mesh does not know goes over one connection to the nameserver, opened when first
/// needed and again when the nameserver has closed it. Queries the nameserver leaves unanswered
/// are answered with a failure.
final class PodDNSStream: TimerHandler {
    /// Bytes that may wait to be sent in either direction before nothing more is read.
    private static let outputBytesMax = 65_536

    private let server: PodDNSServer
    private let loop: EventLoop
    private let nameserver: SocketAddress
    private let counting: PodDNSCounting
    private var client: PodDNSChannel?
    private var upstream: PodDNSChannel?
    private var connecting: Connecting?
    private var waiting: [UInt16: Waiting] = [:]
    private var timer: TimerToken?
    private var clientHasEnded = false
    private var isClosed = false
    /// When something was last read or sent.
    private(set) var activeAt: UInt64

    /// A query the nameserver has not answered.
    private struct Waiting {
        let measured: ForwardedQuery
        let failure: [UInt8]
    }

    init(server: PodDNSServer, nameserver: SocketAddress) {
        self.server = server
        self.loop = server.loop
        self.nameserver = nameserver
        self.counting = PodDNSCounting(host: server.host, transport: .stream)
        self.activeAt = server.loop.now
    }

    func start(_ socket: consuming Descriptor) {
        let channel = PodDNSChannel(server: server, owner: self)
        client = channel
        do throws(SystemError) {
            schedule()
            try channel.start(socket)
        } catch {
            close(reset: true)
        }
    }

    // MARK: what the channels tell

    /// Whether what a message of this channel may cause can wait to be sent.
    func hasRoom(for channel: PodDNSChannel) -> Bool {
        guard !isClosed, (client?.outputBytes ?? 0) <= Self.outputBytesMax else { return false }
        return channel === upstream || (upstream?.outputBytes ?? 0) <= Self.outputBytesMax
    }

    func take(_ message: [UInt8], from channel: PodDNSChannel) {
        activeAt = loop.now
        if channel === client {
            serve(message)
        } else {
            pass(message)
        }
    }

    func progressed(_ channel: PodDNSChannel) {
        activeAt = loop.now
        // Room in one output lets both directions be read again.
        client?.goOn()
        upstream?.goOn()
    }

    /// The other side of a channel has finished; everything it sent was taken.
    func ended(_ channel: PodDNSChannel) {
        if channel === client {
            clientHasEnded = true
            finishIfDone()
        } else {
            upstreamLost()
        }
    }

    func failed(_ channel: PodDNSChannel) {
        if channel === client {
            close(reset: true)
        } else {
            upstreamLost()
        }
    }

    /// Everything for the other side of a channel was sent.
    func finished(_ channel: PodDNSChannel) {
        if channel === client { close(reset: false) }
    }

    // MARK: queries

    private func serve(_ message: [UInt8]) {
        let type = PodDNSCounting.type(of: message)
        counting.asked(type)
        switch server.host.answer(message, over: .stream) {
        case .reply(let answer): client?.send(answer)
        case .drop: break
        case .forward: forward(message, type)
        }
    }

    private func forward(_ message: [UInt8], _ type: UInt16) {
        guard let query = try? DNSMessage(message), let failure = Resolver.failure(message) else {
            return
        }
        let measured = counting.forwarded(type)
        guard waiting.count < server.limits.streamPendingMax, waiting[query.id] == nil,
            let upstream = reachUpstream()
        else {
            counting.failed(type)
            client?.send(failure)
            return
        }
        waiting[query.id] = Waiting(measured: measured, failure: failure)
        upstream.send(message)
        schedule()
    }

    /// Hands a nameserver's message to the pod; a zone transfer is answered by several.
    private func pass(_ message: [UInt8]) {
        guard let reply = try? DNSMessage(message), reply.flags.isResponse else { return }
        if let answered = waiting.removeValue(forKey: reply.id) {
            counting.answered(answered.measured)
        }
        client?.send(message)
        finishIfDone()
    }

    private func finishIfDone() {
        if clientHasEnded, waiting.isEmpty { client?.finishAfterOutput() }
    }

    // MARK: the nameserver

    private func reachUpstream() -> PodDNSChannel? {
        if let upstream { return upstream }
        do throws(SystemError) {
            let socket = try server.host.streamSocket(to: nameserver.ip.family)
            let channel = PodDNSChannel(server: server, owner: self)
            upstream = channel
            let attempt = Connecting(loop: loop, socket: socket) { [weak self] outcome in
                self?.connected(consume outcome)
            }
            connecting = attempt
            attempt.start(
                to: nameserver.kernel,
                timeoutMilliseconds: server.limits.timeoutMilliseconds
            )
            return upstream
        } catch {
            return nil
        }
    }

    private func connected(_ outcome: consuming ConnectOutcome) {
        connecting = nil
        switch consume outcome {
        case .connected(let socket):
            do throws(SystemError) {
                try upstream?.start(socket)
            } catch {
                upstreamLost()
            }
        case .failed: upstreamLost()
        }
    }

    /// Answers what the nameserver did not; a later query connects anew.
    private func upstreamLost() {
        connecting?.cancel()
        connecting = nil
        upstream?.close(reset: false)
        upstream = nil
        let unanswered = waiting
        waiting.removeAll()
        for one in unanswered.values {
            counting.failed(one.measured.type)
            client?.send(one.failure)
        }
        finishIfDone()
    }

    // MARK: time

    /// When the first query or the connection itself has waited long enough.
    private var deadline: UInt64 {
        let idle = activeAt &+ server.limits.idleMilliseconds &* 1_000_000
        let timeout = server.limits.timeoutMilliseconds &* 1_000_000
        return waiting.values.reduce(idle) { min($0, $1.measured.startedAt &+ timeout) }
    }

    private func schedule() {
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: deadline, self)
    }

    func timerFired(_ tag: Int) {
        timer = nil
        let timeout = server.limits.timeoutMilliseconds &* 1_000_000
        for (id, one) in waiting where one.measured.startedAt &+ timeout <= loop.now {
            waiting[id] = nil
            counting.failed(one.measured.type)
            client?.send(one.failure)
        }
        let idle = server.limits.idleMilliseconds &* 1_000_000
        guard activeAt &+ idle > loop.now else { return close(reset: false) }
        finishIfDone()
        schedule()
    }

    /// Ends both connections.
    func close(reset: Bool) {
        guard !isClosed else { return }
        isClosed = true
        if let timer { loop.cancel(timer) }
        timer = nil
        connecting?.cancel()
        connecting = nil
        client?.close(reset: reset)
        upstream?.close(reset: false)
        server.forget(self)
    }
}
