package import HTTP
package import Mesh
package import Reactor
package import TLS

/// Whoever made a tunnel: told of its life on the connection's loop.
package protocol TunnelOwner: AnyObject {
    /// TLS and HTTP/2 are up; the peer's identity is known.
    func tunnelEstablished(_ connection: TunnelConnection)
    /// A server's peer asks for a stream.
    func tunnelRequested(_ stream: TunnelStream, fields: HeaderFields, endStream: Bool)
    /// A stream place became free, or the peer's limit changed.
    func tunnelHasRoom(_ connection: TunnelConnection)
    /// Whether other connections to the same place have room, so that this one need not wait long
    /// for its next stream.
    func tunnelIsSpare(_ connection: TunnelConnection) -> Bool
    /// The peer takes no new streams; those that run go on.
    func tunnelDraining(_ connection: TunnelConnection)
    /// The connection is gone; called exactly once. nil: closed after all streams ended.
    func tunnelClosed(_ connection: TunnelConnection, _ failure: TunnelFailure?)
}

/// One HBONE connection: a TCP socket, its TLS session, its HTTP/2 machine and its streams.
///
/// Everything happens on one loop. What a batch of events makes ready to send is framed once, at
/// the end of the batch, in one TLS write and one send.
package final class TunnelConnection: ReadinessHandler, LoopTask, TimerHandler {
    enum Phase { case handshake, open, closed }

    package let loop: EventLoop
    let buffers: WorkerBuffers
    let limits: TunnelLimits
    package let role: HTTP2Role
    let socket: Descriptor
    let session: TLSSession
    var machine: HTTP2Connection
    package weak var owner: (any TunnelOwner)?
    /// Where the peer is, for logs.
    package let peerName: String

    var phase = Phase.handshake
    var registration: EventLoop.Registration?
    var streams: [UInt32: TunnelStream] = [:]
    var sending: [TunnelStream] = []
    var unsent = PendingBytes()
    var socketReadable = true
    /// The socket has said FIN or RST: a short read does not mean that nothing is left to read.
    var socketClosing = false
    var isScheduled = false
    var isFlushing = false
    var isDraining = false
    private var timer: TimerToken?
    private var deadline: UInt64
    private var lastReceived: UInt64
    private var pingSentAt: UInt64?
    private var idleSince: UInt64?
    private var keep: TunnelConnection?
    /// The stream whose DATA pieces are gathered, not yet written to its socket.
    var gatherStream: TunnelStream?

    /// Takes a connected socket; `session` decides the role in TLS, `role` the one in HTTP/2.
    package init(
        loop: EventLoop,
        buffers: WorkerBuffers,
        limits: TunnelLimits,
        role: HTTP2Role,
        socket: consuming Descriptor,
        session: TLSSession,
        peerName: String
    ) {
        self.loop = loop
        self.buffers = buffers
        self.limits = limits
        self.role = role
        self.socket = socket
        self.session = session
        self.peerName = peerName
        var settings = role == .client ? HTTP2Limits.client : HTTP2Limits.server
        settings.streamsMax = role == .client ? 0 : settings.streamsMax
        self.machine = HTTP2Connection(role: role, limits: settings, now: loop.now)
        self.lastReceived = loop.now
        self.deadline = loop.now &+ limits.handshakeMilliseconds &* 1_000_000
    }

    /// Begins the handshake; the owner hears of the outcome later, never before this returns.
    package func start() {
        keep = self
        do throws(SystemError) {
            registration = try loop.add(socket.raw, self)
        } catch {
            return close(TunnelFailure(stage: .closed, reason: error.description))
        }
        timer = loop.schedule(at: deadline, self)
        schedule()
    }

    /// Whether streams may be opened now.
    package var hasRoom: Bool {
        phase == .open && !isDraining && streams.count < limits.streamsMax && machine.canOpenStream
    }

    /// Who the peer proved to be, once TLS is up.
    package private(set) var peerIdentity: SPIFFEID?

    /// Whether TLS ever came up.
    package var wasEstablished: Bool { peerIdentity != nil }

    /// Whether TLS and HTTP/2 are up.
    package var isOpen: Bool { phase == .open }

    /// Opens a stream with a request; nil when there is no room.
    package func open(_ fields: HeaderFields, owner: any TunnelStreamOwner) -> TunnelStream? {
        guard hasRoom, let id = try? machine.request(fields, endStream: false) else { return nil }
        let stream = TunnelStream(id: id, connection: self)
        stream.owner = owner
        streams[id] = stream
        idleSince = nil
        schedule()
        return stream
    }

    /// Answers a peer's request; with `endStream` the stream is over for us.
    package func respond(
        _ stream: TunnelStream,
        status: Int,
        fields: HeaderFields,
        endStream: Bool
    ) {
        guard phase == .open else { return }
        var answer = HeaderFields()
        answer.append(":status", String(status))
        for position in 0..<fields.count {
            answer.append(fields.name(at: position), fields.value(at: position))
        }
        do throws(HTTP2SendError) {
            try machine.respond(stream.id, answer, endStream: endStream)
        } catch {
            stream.abort("cannot answer: \(error)")
        }
        schedule()
    }

    /// Stops new streams, lets those that run end, then closes.
    package func drain() {
        guard phase != .closed, !isDraining else { return }
        isDraining = true
        guard phase == .open else {
            return close(TunnelFailure(stage: .closed, reason: "draining"))
        }
        machine.goAwayGracefully()
        schedule()
    }

    /// Closes at once; every stream is lost with the reason.
    package func abort(_ reason: String) {
        close(TunnelFailure(stage: .closed, reason: reason))
    }

    /// Closes the connection at once where the peer's certificate or ours is revoked; returns why.
    ///
    /// A handshake that goes on will know, too.
    package func recheck(_ revocations: Revocations?) -> String? {
        session.revocations = revocations
        guard phase == .open, let revocations, let reason = session.revocation(by: revocations)
        else { return nil }
        close(TunnelFailure(stage: .revoked, reason: reason))
        return reason
    }

    // MARK: the loop's calls

    package func ready(_ readiness: Readiness) {
        guard phase != .closed else { return }
        if readiness.mayRead { socketReadable = true }
        if readiness.isClosing { socketClosing = true }
        if readiness.mayWrite, !unsent.isEmpty {
            guard sendUnsent() else { return }
        }
        if socketReadable { receive() }
        // What is left to read has had its edge: nobody else would ask for another turn.
        if phase != .closed, socketReadable || hasWork { schedule() }
    }

    package func resume() {
        isScheduled = false
        guard phase != .closed else { return }
        if socketReadable { receive() }
        if phase == .handshake, unsent.isEmpty { open() }
        guard phase != .closed else { return }
        flush()
        guard phase != .closed else { return }
        if socketReadable || hasWork && unsent.isEmpty { schedule() }
        noteIdle()
    }

    package func timerFired(_ tag: Int) {
        timer = nil
        guard phase != .closed else { return }
        let now = loop.now
        if phase == .handshake {
            let seconds = limits.handshakeMilliseconds / 1000
            let reason = "not finished after \(seconds) s"
            return close(TunnelFailure(stage: .tls, reason: reason))
        }
        if let sent = pingSentAt, lastReceived < sent {
            if now &- sent >= limits.pingTimeoutMilliseconds &* 1_000_000 {
                let reason = "no answer to PING from \(peerName)"
                return close(TunnelFailure(stage: .http2, reason: reason))
            }
        } else if now &- lastReceived >= limits.pingIntervalMilliseconds &* 1_000_000 {
            pingSentAt = now
            machine.ping(now)
            schedule()
        }
        if let since = machine.incompleteSince,
            now &- since >= limits.handshakeMilliseconds &* 1_000_000
        {
            let reason = "\(peerName) left a frame unfinished"
            return close(TunnelFailure(stage: .http2, reason: reason))
        }
        if let idleSince {
            let isSpare = owner?.tunnelIsSpare(self) == true
            let patience = isSpare ? limits.spareIdleMilliseconds : limits.idleMilliseconds
            if now &- idleSince >= patience &* 1_000_000 { drain() }
        }
        timer = loop.schedule(afterMilliseconds: limits.pingIntervalMilliseconds, self)
    }

    private var hasWork: Bool { machine.outputCount > 0 || !sending.isEmpty }

    /// Asks for a flush at the end of this batch of events.
    func schedule() {
        guard !isScheduled, phase != .closed else { return }
        isScheduled = true
        loop.later(self)
    }

    func noteReceived() { lastReceived = loop.now }

    /// TLS is through: HTTP/2 may speak.
    func established() {
        phase = .open
        peerIdentity = session.peerIdentity.flatMap { SPIFFEID(uri: $0) }
        idleSince = loop.now
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(afterMilliseconds: limits.pingIntervalMilliseconds, self)
        owner?.tunnelEstablished(self)
    }

    /// Ends a drained connection whose last stream has gone.
    private func noteIdle() {
        guard streams.isEmpty else {
            idleSince = nil
            return
        }
        if idleSince == nil { idleSince = loop.now }
        if isDraining, unsent.isEmpty, machine.outputCount == 0, machine.isDrained { close(nil) }
    }

    // MARK: the streams' calls

    /// Puts a stream into the sending queue.
    func enqueue(_ stream: TunnelStream) {
        guard !stream.isQueued else { return }
        stream.isQueued = true
        sending.append(stream)
        schedule()
    }

    func released(_ stream: TunnelStream, bytes: Int) {
        machine.released(stream.id, bytes)
        if machine.outputCount > 0 { schedule() }
    }

    func reset(_ stream: TunnelStream, code: HTTP2ErrorCode) {
        guard phase == .open else { return }
        machine.reset(stream.id, code)
        schedule()
    }

    func closed(_ stream: TunnelStream) {
        streams[stream.id] = nil
        if gatherStream === stream { dropGathered() }
        guard phase == .open else { return }
        if streams.isEmpty { schedule() }
        owner?.tunnelHasRoom(self)
    }

    // MARK: the end

    /// Closes the connection and everything on it; later calls do nothing.
    func close(_ failure: TunnelFailure?) {
        guard phase != .closed else { return }
        phase = .closed
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        sendFarewell()
        let lost = streams
        streams.removeAll()
        sending.removeAll()
        unsent.removeAll()
        dropGathered()
        Socket.finishWriting(socket.raw)
        let reason = failure?.reason ?? "the tunnel closed"
        let end = failure?.stage == .revoked ? RelayEnd.revoked(reason) : .tunnelLost(reason)
        for stream in lost.values { stream.lost(end) }
        let owner = self.owner
        self.owner = nil
        owner?.tunnelClosed(self, failure)
        keep = nil
    }
}
