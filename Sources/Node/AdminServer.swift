package import Mesh
package import Reactor
internal import Telemetry
internal import Tunnel

/// Which of the three listeners a request came to; each serves its own paths.
package enum AdminSurface: String, Sendable, CaseIterable {
    /// For operators of this machine: everything.
    case admin
    /// For Prometheus: metrics alone.
    case metrics
    /// For the kubelet: readiness alone.
    case readiness

    /// Connections open at once; beyond it the one that has gone longest without an answer ends.
    var connectionsMax: Int {
        switch self {
        case .admin: 32
        case .metrics: 64
        case .readiness: 32
        }
    }
}

/// The HTTP listeners of a node, on the control thread's loop.
///
/// A new process listens beside the old one (SO_REUSEPORT) and takes over when that one stops
/// listening. Everything is bounded: connections by surface, heads and bodies by the parser, time
/// by `AdminConnection`, answers that wait to be sent by `outputBytesMax`.
package final class AdminServer {
    /// Bytes of answers that may wait for slow readers before dumps are refused.
    package static let outputBytesMax = 64 << 20

    let loop: EventLoop
    let routes: AdminRoutes
    let times: AdminTimes
    /// What connections read into, one after the other.
    var scratch = [UInt8](repeating: 0, count: 16_384)
    private let backend: any AdminBackend
    private var listeners: [AdminListener] = []
    private var connections: [ObjectIdentifier: AdminConnection] = [:]
    private var outputBytes = 0

    /// Makes the server, which listens once started.
    ///
    /// The backend is held.
    package init(
        loop: EventLoop,
        backend: any AdminBackend,
        times: AdminTimes = AdminTimes()
    ) {
        self.loop = loop
        self.times = times
        self.backend = backend
        self.routes = AdminRoutes(backend: backend)
    }

    /// Listens on the configured addresses.
    package func start() throws(SystemError) {
        let configuration = backend.configuration
        try listen(.admin, configuration.adminAddress)
        try listen(.metrics, configuration.metricsAddress)
        try listen(.readiness, configuration.readinessAddress)
    }

    private func listen(
        _ surface: AdminSurface,
        _ address: SocketAddress
    ) throws(SystemError) {
        do throws(SystemError) {
            let socket = try Socket.listen(on: address.kernel, backlog: 128)
            let listener = AdminListener(server: self, surface: surface, socket: socket)
            try listener.start()
            listeners.append(listener)
        } catch {
            let call = "listen for \(surface.rawValue) on \(address) (\(error.call))"
            throw SystemError(call: call, code: error.code)
        }
    }

    /// The address a surface is bound to, while it listens.
    package func address(of surface: AdminSurface) -> SocketAddress? {
        listeners.first { $0.surface == surface }?.address
    }

    /// Connections that are open now.
    package var connectionCount: Int { connections.count }

    /// Leaves new connections to another process; those that are open go on.
    package func stopListening() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
    }

    /// Ends everything.
    package func close() {
        stopListening()
        for connection in Array(connections.values) { connection.close() }
    }

    /// Takes a connection, at the cost of an older one when there are too many.
    func take(_ socket: consuming Descriptor, _ surface: AdminSurface) {
        let others = connections.values.filter { $0.surface == surface }
        if others.count >= surface.connectionsMax {
            others.min { $0.waitingSince < $1.waitingSince }?.close()
        }
        let connection = AdminConnection(server: self, surface: surface, socket: socket)
        connections[ObjectIdentifier(connection)] = connection
        connection.start()
    }

    /// A connection is closed.
    func forget(_ connection: AdminConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    /// Whether an answer may wait to be sent; a small one always may.
    func reserve(_ count: Int) -> Bool {
        guard count <= 65_536 || outputBytes + count <= Self.outputBytesMax || outputBytes == 0
        else { return false }
        outputBytes += count
        return true
    }

    /// An answer was sent or dropped.
    func release(_ count: Int) { outputBytes -= count }

    /// Notes that a surface cannot take connections for now.
    func exhausted(_ surface: AdminSurface, _ error: SystemError) {
        backend.log.warn(
            .admin,
            "cannot accept",
            ["surface": .text(surface.rawValue), "error": .text(error.description)]
        )
    }
}

/// One listening socket of the admin server.
final class AdminListener: ReadinessHandler, LoopTask, TimerHandler {
    private static let acceptsPerTurn = 16
    private static let pauseMilliseconds: UInt64 = 100

    let surface: AdminSurface
    private unowned let server: AdminServer
    private let loop: EventLoop
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var timer: TimerToken?

    init(server: AdminServer, surface: AdminSurface, socket: consuming Descriptor) {
        self.server = server
        self.loop = server.loop
        self.surface = surface
        self.socket = consume socket
    }

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
            case .connection(let descriptor): server.take(Descriptor(owning: descriptor), surface)
            case .wouldBlock: return
            case .aborted: continue
            case .exhausted(let code), .failed(let code): return pause(code)
            }
        }
        loop.later(self)
    }

    private func pause(_ code: Int32) {
        server.exhausted(surface, SystemError(call: "accept", code: code))
        timer = loop.schedule(afterMilliseconds: Self.pauseMilliseconds, self)
    }

    /// Takes what still waits, then closes.
    func close() {
        for _ in 0..<128 {
            guard let raw = socket?.raw, case .connection(let descriptor) = Socket.accept(raw)
            else { break }
            server.take(Descriptor(owning: descriptor), surface)
        }
        if let registration { loop.remove(registration) }
        registration = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        socket = nil
    }
}
