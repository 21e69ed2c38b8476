internal import Glibc
package import Reactor

/// Carries bytes between two sockets through kernel pipes, each half closed on its own.
///
/// Used where both ends are plain sockets of this node: same-node connections, passthrough and
/// plaintext inbound. A pipe is borrowed only while bytes are in it, so an idle relay holds none.
/// Truth table per direction: bytes → bytes; FIN → FIN; RST or error → both sockets reset.
package final class SpliceRelay: LoopTask {
    /// One of the two sockets and what is known of it.
    private final class Side: ReadinessHandler {
        let socket: Descriptor
        var registration: EventLoop.Registration?
        unowned let relay: SpliceRelay
        var readable = true
        var writable = true
        var ended = false
        var finished = false
        /// Bytes read from this side that wait in `pipe` for the other.
        var inPipe = 0
        var pipe: SplicePipe?

        init(socket: consuming Descriptor, relay: SpliceRelay) {
            self.socket = socket
            self.relay = relay
        }

        func ready(_ readiness: Readiness) {
            if readiness.mayRead { readable = true }
            if readiness.mayWrite { writable = true }
            if readiness.hasError {
                // Reading reports the error after the bytes that came before it; only where
                // reading is over must it be asked for (asking takes it).
                if ended {
                    let code = Socket.takeError(socket.raw)
                    if code != 0 { return relay.end(.resetBySocket(code)) }
                }
                readable = true
            }
            relay.pump()
        }
    }

    /// Bytes moved in one turn before other connections get theirs.
    private static let turnBytesMax = 4 << 20

    private let loop: EventLoop
    private let pipes: PipePool
    private let observer: any RelayObserver
    private var client: Side?
    private var server: Side?
    private var isScheduled = false
    private var keep: SpliceRelay?

    /// Prepares a relay; `client` is the side that opened the connection.
    package init(loop: EventLoop, pipes: PipePool, observer: any RelayObserver) {
        self.loop = loop
        self.pipes = pipes
        self.observer = observer
    }

    /// Takes both sockets and begins; the observer hears of the end, also when it is at once.
    ///
    /// To the observer `toSocket` counts bytes to the server, `fromSocket` bytes from it.
    package func start(client: consuming Descriptor, server: consuming Descriptor) {
        let clientSide = Side(socket: client, relay: self)
        let serverSide = Side(socket: server, relay: self)
        self.client = clientSide
        self.server = serverSide
        keep = self
        do throws(SystemError) {
            clientSide.registration = try loop.add(clientSide.socket.raw, clientSide)
            serverSide.registration = try loop.add(serverSide.socket.raw, serverSide)
            schedule()
        } catch {
            end(.resetBySocket(error.code))
        }
    }

    /// Resets both sockets.
    package func abort(_ reason: String) {
        end(.closed(reason))
    }

    package func resume() {
        isScheduled = false
        pump()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.later(self)
    }

    private func pump() {
        guard let client, let server else { return }
        guard move(from: client, to: server, isUpload: true) else { return }
        guard move(from: server, to: client, isUpload: false) else { return }
        if client.finished, server.finished { end(.finished) }
    }

    /// Moves what can be moved one way; false when the relay ended.
    private func move(from source: Side, to target: Side, isUpload: Bool) -> Bool {
        var moved = 0
        while true {
            if source.inPipe > 0 {
                guard target.writable, let pipe = source.pipe else { return true }
                switch Socket.splice(
                    from: pipe.read,
                    to: target.socket.raw,
                    count: source.inPipe
                ) {
                case .bytes(let count):
                    source.inPipe -= count
                    moved += count
                    observer.relayed(
                        toSocket: isUpload ? count : 0,
                        fromSocket: isUpload ? 0 : count
                    )
                case .wouldBlock: target.writable = false
                case .endOfFile: target.writable = false
                case .failed(let code): return fail(code)
                }
                continue
            }
            if let pipe = source.pipe.take() { pipes.giveBack(pipe) }
            if source.ended {
                if !target.finished {
                    target.finished = true
                    Socket.finishWriting(target.socket.raw)
                }
                return true
            }
            guard source.readable else { return true }
            guard moved < SpliceRelay.turnBytesMax else {
                schedule()
                return true
            }
            guard let pipe = pipes.borrow() else {
                // Out of descriptors: nothing is lost, the socket keeps the bytes.
                return fail(EMFILE)
            }
            switch Socket.splice(
                from: source.socket.raw,
                to: pipe.write,
                count: PipePool.pipeBytes
            ) {
            case .bytes(let count):
                source.pipe = pipe
                source.inPipe = count
            case .wouldBlock:
                source.readable = false
                pipes.giveBack(pipe)
            case .endOfFile:
                source.ended = true
                pipes.giveBack(pipe)
            case .failed(let code):
                pipes.giveBack(pipe)
                return fail(code)
            }
        }
    }

    private func fail(_ code: Int32) -> Bool {
        end(.resetBySocket(code))
        return false
    }

    private func end(_ end: RelayEnd) {
        guard let client, let server else { return }
        self.client = nil
        self.server = nil
        for side in [client, server] {
            if let registration = side.registration { loop.removeClosing(registration) }
            // A pipe with bytes left in it cannot be used again: it closes.
            side.pipe = nil
            if end != .finished { Socket.resetOnClose(side.socket.raw) }
        }
        observer.relayEnded(end)
        keep = nil
    }
}
