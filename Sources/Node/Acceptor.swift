internal import Mesh
internal import Reactor
internal import Tunnel

/// A listening TCP socket of the node itself: accepts in bounded turns, rests when it cannot.
final class Acceptor: ReadinessHandler, LoopTask, TimerHandler {
    /// What accepting came to.
    enum Outcome {
        /// A connection, which the receiver owns.
        case connection(Int32)
        /// Descriptors or memory ran out, or the socket failed; it is tried again soon.
        case exhausted(SystemError)
    }

    private static let acceptsPerTurn = 16
    private static let acceptsAtEndMax = 128
    private static let pauseMilliseconds: UInt64 = 100

    private let loop: EventLoop
    private let take: (Outcome) -> Void
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?

    init(loop: EventLoop, socket: consuming Descriptor, take: @escaping (Outcome) -> Void) {
        self.loop = loop
        self.take = take
        self.socket = consume socket
    }

    /// The address it listens on, until it is closed.
    var address: SocketAddress? {
        guard let raw = socket?.raw else { return nil }
        return (try? KernelAddress.local(of: raw)).flatMap(SocketAddress.init)
    }

    func start() throws(SystemError) {
        guard let raw = socket?.raw else { return }
        registration = try loop.add(raw, self)
    }

    func ready(_ readiness: Readiness) { acceptSome() }

    func resume() { acceptSome() }

    func timerFired(_ tag: Int) {
        timer = nil
        acceptSome()
    }

    private func acceptSome() {
        guard timer == nil else { return }
        for _ in 0..<Self.acceptsPerTurn {
            guard let raw = socket?.raw else { return }
            switch Socket.accept(raw) {
            case .connection(let descriptor): take(.connection(descriptor))
            case .wouldBlock: return
            case .aborted: continue
            case .exhausted(let code), .failed(let code): return pause(code)
            }
        }
        loop.later(self)
    }

    private func pause(_ code: Int32) {
        take(.exhausted(SystemError(call: "accept", code: code)))
        timer = loop.schedule(afterMilliseconds: Self.pauseMilliseconds, self)
    }

    /// Takes what still waits, then closes: nobody who was let in is turned away.
    func close() {
        for _ in 0..<Self.acceptsAtEndMax {
            guard let raw = socket?.raw, case .connection(let descriptor) = Socket.accept(raw)
            else { break }
            take(.connection(descriptor))
        }
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        socket = nil
    }
}
