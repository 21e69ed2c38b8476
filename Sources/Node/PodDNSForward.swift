internal import Capture
internal import DNS
internal import Reactor

/// One query of a pod on its way to a nameserver as a datagram, until the answer is back.
///
/// It has a socket of its own, so that an answer has to hit a random port and a random id and
/// repeat the question; anything else that arrives is passed over.
final class PodDNSForward: ReadinessHandler, TimerHandler {
    /// Datagrams that are no answer until the query is given up.
    private static let straysMax = 64

    private let server: PodDNSServer
    private let loop: EventLoop
    private let query: NameQuery
    private let message: [UInt8]
    private let type: UInt16
    private let counting: PodDNSCounting
    private var machine: Forwarding<NameQuery>
    private var measured: ForwardedQuery?
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?
    private var strays = 0
    private var random = SystemRandomNumberGenerator()

    init(server: PodDNSServer, query: NameQuery, message: [UInt8], type: UInt16) {
        self.server = server
        self.loop = server.loop
        self.query = query
        self.message = message
        self.type = type
        self.counting = PodDNSCounting(host: server.host, transport: .datagram)
        self.machine = Forwarding(
            pendingMax: 1,
            timeout: server.limits.timeoutMilliseconds &* 1_000_000
        )
    }

    /// Sends the query.
    func start() {
        measured = counting.forwarded(type)
        let sent = machine.send(
            message,
            for: query,
            to: query.nameserver,
            now: loop.now,
            using: &random
        )
        guard let sent else { return fail() }
        do throws(SystemError) {
            let made = try server.host.querySocket(to: query.nameserver)
            let raw = made.raw
            socket = consume made
            registration = try loop.add(raw, self)
            guard case .bytes = Socket.write(raw, sent) else { return fail() }
            timer = loop.schedule(
                afterMilliseconds: server.limits.timeoutMilliseconds,
                self
            )
        } catch {
            fail()
        }
    }

    func ready(_ readiness: Readiness) {
        while let raw = socket?.raw {
            switch Socket.read(raw, into: &server.buffer.bytes) {
            case .bytes(let count):
                let reply = Array(server.buffer.bytes[..<count])
                if let taken = machine.receive(reply, from: query.nameserver) {
                    return finish(taken.reply)
                }
                strays += 1
            case .endOfFile: strays += 1
            case .wouldBlock: return
            case .failed: return fail()
            }
            guard strays < Self.straysMax else { return fail() }
        }
    }

    func timerFired(_ tag: Int) {
        timer = nil
        fail()
    }

    private func finish(_ reply: [UInt8]) {
        if let measured { counting.answered(measured) }
        server.reply(reply, to: query)
        close()
    }

    /// Tells the pod that the nameserver cannot be asked, so that it need not wait.
    func fail() {
        counting.failed(type)
        if let failure = Resolver.failure(message) { server.reply(failure, to: query) }
        close()
    }

    /// Ends it without a word.
    func close() {
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        socket = nil
        server.forget(self)
    }
}
