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
    private var acceptors: [(surface: AdminSurface, acceptor: Acceptor)] = []
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
        guard !configuration.readinessSocketPath.isEmpty else { return }
        let path = configuration.readinessSocketPath
        try accept(.readiness, from: try Socket.listen(atPath: path, backlog: 16))
    }

    private func listen(
        _ surface: AdminSurface,
        _ address: SocketAddress
    ) throws(SystemError) {
        do throws(SystemError) {
            try accept(surface, from: try Socket.listen(on: address.kernel, backlog: 128))
        } catch {
            let call = "listen for \(surface.rawValue) on \(address) (\(error.call))"
            throw SystemError(call: call, code: error.code)
        }
    }

    private func accept(
        _ surface: AdminSurface,
        from socket: consuming Descriptor
    ) throws(SystemError) {
        let acceptor = Acceptor(loop: loop, socket: socket) { [unowned self] outcome in
            switch outcome {
            case .connection(let descriptor): take(Descriptor(owning: descriptor), surface)
            case .exhausted(let error): exhausted(surface, error)
            }
        }
        try acceptor.start()
        acceptors.append((surface, acceptor))
    }

    /// The address a surface is bound to, while it listens.
    package func address(of surface: AdminSurface) -> SocketAddress? {
        acceptors.first { $0.surface == surface }?.acceptor.address
    }

    /// Connections that are open now.
    package var connectionCount: Int { connections.count }

    /// Leaves new connections to another process; those that are open go on.
    package func stopListening() {
        for (_, acceptor) in acceptors { acceptor.close() }
        acceptors.removeAll()
    }

    /// Ends everything.
    package func close() {
        stopListening()
        for connection in Array(connections.values) { connection.close() }
    }

    /// Takes a connection, at the cost of an older one when there are too many.
    private func take(_ socket: consuming Descriptor, _ surface: AdminSurface) {
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
    private func exhausted(_ surface: AdminSurface, _ error: SystemError) {
        backend.log.warn(
            .admin,
            "cannot accept",
            ["surface": .text(surface.rawValue), "error": .text(error.description)]
        )
    }
}
