internal import Glibc

/// How an attempt to connect ended; a connected socket belongs to whoever takes the outcome.
package enum ConnectOutcome: ~Copyable {
    case connected(Descriptor)
    /// The errno of the attempt; ETIMEDOUT when our own time was up.
    case failed(Int32)
}

/// One non-blocking connect on a loop: it reports exactly once, unless it is cancelled.
package final class Connecting: ReadinessHandler, TimerHandler {
    private let loop: EventLoop
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?
    private var report: ((consuming ConnectOutcome) -> Void)?

    /// Prepares an attempt with a socket made and bound by the caller.
    package init(
        loop: EventLoop,
        socket: consuming Descriptor,
        report: @escaping (consuming ConnectOutcome) -> Void
    ) {
        self.loop = loop
        self.socket = consume socket
        self.report = report
    }

    /// Begins; the report may come before this returns.
    package func start(to address: KernelAddress, timeoutMilliseconds: UInt64) {
        guard let raw = socket?.raw else { return }
        var code = address.connect(raw)
        // A peer in this namespace has answered by the time the call returns: asking again tells,
        // and spares the round through epoll. EALREADY: it has not.
        if code == EINPROGRESS { code = address.connect(raw) }
        guard code == EALREADY else { return finish(code == EISCONN ? 0 : code) }
        do throws(SystemError) {
            registration = try loop.add(raw, self)
            timer = loop.schedule(afterMilliseconds: timeoutMilliseconds, self)
        } catch {
            finish(error.code)
        }
    }

    /// Gives up without a report.
    package func cancel() {
        report = nil
        finish(ECANCELED)
    }

    package func ready(_ readiness: Readiness) {
        guard let raw = socket?.raw else { return }
        guard !readiness.isDisjoint(with: [.writable, .error, .hangup]) else { return }
        // A socket that is still connecting reports a bare hangup when first added.
        let code = Socket.takeError(raw)
        if code == 0, !readiness.contains(.writable) || readiness.contains(.hangup) {
            let isThrough = (try? KernelAddress.remote(of: raw)) != nil
            guard isThrough else { return }
        }
        finish(code)
    }

    package func timerFired(_ tag: Int) {
        timer = nil
        finish(ETIMEDOUT)
    }

    private func finish(_ code: Int32) {
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        guard let report else {
            socket = nil
            return
        }
        self.report = nil
        guard code == 0, let connected = socket.take() else {
            socket = nil
            return report(.failed(code == 0 ? ECANCELED : code))
        }
        report(.connected(connected))
    }
}
