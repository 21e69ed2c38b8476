internal import Reactor

/// One connection to the admin server: reads a request, answers it, and perhaps again.
///
/// A request has to be whole and answered within fixed times counted from its first byte, however
/// slowly its bytes trickle. One request is served at a time; what is pipelined waits.
final class AdminConnection: ReadinessHandler, LoopTask, TimerHandler {
    private enum Phase {
        case reading
        /// A route has the request.
        case answering
        case writing
        /// Everything is sent; what the client still says is read so that it gets the answer.
        case lingering
        case closed
    }

    private static let stepsPerTurn = 16
    private static let lingerBytesMax = 1 << 20

    let surface: AdminSurface
    /// When it last began to wait for a request.
    private(set) var waitingSince: UInt64
    private unowned let server: AdminServer
    private let loop: EventLoop
    private let times: AdminTimes
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?
    private var parser = AdminRequestParser()
    private var phase = Phase.reading
    private var hasRequestDeadline = false
    private var isHead = false
    private var closesAfterAnswer = false
    private var output: [UInt8] = []
    private var written = 0
    private var lingered = 0
    /// Counts answers, so that one that comes too late is not taken for the next.
    private var answer = 0

    init(server: AdminServer, surface: AdminSurface, socket: consuming Descriptor) {
        self.server = server
        self.loop = server.loop
        self.times = server.times
        self.surface = surface
        self.waitingSince = server.loop.now
        self.socket = consume socket
    }

    func start() {
        guard let raw = socket?.raw, let registration = try? loop.add(raw, self) else {
            return close()
        }
        self.registration = registration
        limit(times.requestMilliseconds)
    }

    func ready(_ readiness: Readiness) { advance() }

    func resume() { advance() }

    func timerFired(_ tag: Int) {
        timer = nil
        switch phase {
        case .reading where parser.isInsideRequest:
            isHead = false
            closesAfterAnswer = true
            send(AdminResponse(408, "the request took too long"))
            loop.later(self)
        case .answering: take(AdminResponse(504, "no answer in time"))
        case .reading, .writing, .lingering, .closed: close()
        }
    }

    private func advance() {
        for _ in 0..<Self.stepsPerTurn {
            let canGoOn =
                switch phase {
                case .reading: read()
                case .writing: write()
                case .lingering: linger()
                case .answering, .closed: false
                }
            guard canGoOn else { return }
        }
        loop.later(self)
    }

    /// Goes on to the next request that is here, else reads; false when there is nothing to do.
    private func read() -> Bool {
        switch parser.next() {
        case .request(let request):
            begin(request)
            return phase != .answering
        case .refused(let refusal):
            isHead = false
            closesAfterAnswer = true
            send(AdminResponse(refusal.status, refusal.reason))
            return true
        case .needMore:
            break
        }
        guard let raw = socket?.raw else { return false }
        switch Socket.read(raw, into: &server.scratch) {
        case .bytes(let count):
            parser.append(server.scratch[..<count])
            if !hasRequestDeadline {
                hasRequestDeadline = true
                limit(times.requestMilliseconds)
            }
            return true
        case .wouldBlock: return false
        case .endOfFile, .failed:
            close()
            return false
        }
    }

    private func begin(_ request: AdminRequest) {
        isHead = request.method == "HEAD"
        closesAfterAnswer = !request.isKeptAlive
        phase = .answering
        answer &+= 1
        let expected = answer
        limit(times.requestMilliseconds)
        server.routes.respond(to: request, on: surface) { [weak self] response in
            guard let self, self.answer == expected, self.phase == .answering else { return }
            self.take(response)
        }
    }

    /// Sends the answer to the request that is being served.
    private func take(_ response: AdminResponse) {
        send(response)
        // A route may answer at once, inside `advance`, or later: then nothing else goes on.
        loop.later(self)
    }

    private func send(_ response: AdminResponse) {
        let bytes = response.encoded(isHead: isHead, closes: closesAfterAnswer)
        if server.reserve(bytes.count) {
            output = bytes
        } else {
            closesAfterAnswer = true
            let refusal = AdminResponse(503, "too many large answers wait to be read")
            output = refusal.encoded(isHead: isHead, closes: true)
            _ = server.reserve(output.count)
        }
        written = 0
        phase = .writing
        limit(times.writeMilliseconds)
    }

    private func write() -> Bool {
        guard let raw = socket?.raw else { return false }
        switch Socket.write(raw, output, from: written) {
        case .bytes(let count): written += count
        case .wouldBlock: return false
        case .endOfFile, .failed:
            close()
            return false
        }
        if written == output.count { finishAnswer(raw) }
        return true
    }

    private func finishAnswer(_ raw: Int32) {
        dropOutput()
        if closesAfterAnswer {
            phase = .lingering
            Socket.finishWriting(raw)
            limit(times.lingerMilliseconds)
        } else {
            phase = .reading
            waitingSince = loop.now
            hasRequestDeadline = parser.isInsideRequest
            limit(hasRequestDeadline ? times.requestMilliseconds : times.idleMilliseconds)
        }
    }

    private func linger() -> Bool {
        guard let raw = socket?.raw else { return false }
        switch Socket.read(raw, into: &server.scratch) {
        case .bytes(let count):
            lingered += count
            guard lingered > Self.lingerBytesMax else { return true }
        case .wouldBlock: return false
        case .endOfFile, .failed: break
        }
        close()
        return false
    }

    private func limit(_ milliseconds: UInt64) {
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(afterMilliseconds: milliseconds, self)
    }

    private func dropOutput() {
        server.release(output.count)
        output = []
        written = 0
    }

    /// Ends the connection at once.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        socket = nil
        dropOutput()
        server.forget(self)
    }
}

/// How long a connection to the admin server may take over what.
package struct AdminTimes: Sendable {
    /// From the first byte of a request to its last, and again until it is answered.
    package var requestMilliseconds: UInt64 = 10_000
    /// Between two requests.
    package var idleMilliseconds: UInt64 = 60_000
    /// Until an answer is taken by the client.
    package var writeMilliseconds: UInt64 = 30_000
    /// Between our last byte and the client's.
    package var lingerMilliseconds: UInt64 = 1000

    package init() {}
}
