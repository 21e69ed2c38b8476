internal import Glibc
package import HTTP
package import Mesh
package import Reactor
package import TLS

/// What makes two connections able to share a tunnel: all of it must be equal.
package struct TunnelKey: Hashable, Sendable {
    /// The pod whose namespace the tunnel starts in.
    package let podUID: String
    package let source: SPIFFEID
    package let destination: SocketAddress
    /// The identities of which the peer must present one.
    package let expected: [SPIFFEID]

    package init(
        podUID: String,
        source: SPIFFEID,
        destination: SocketAddress,
        expected: [SPIFFEID]
    ) {
        self.podUID = podUID
        self.source = source
        self.destination = destination
        self.expected = expected
    }
}

/// One connection that wants a stream; called on the pool's loop, exactly one of the two, once.
package protocol TunnelWaiter: AnyObject {
    /// A tunnel has room now: open the stream before returning.
    func tunnelReady(_ connection: TunnelConnection)
    /// The dial this waiter hung on failed.
    func tunnelFailed(_ failure: TunnelFailure)
}

/// What a pool needs of the world to dial.
package protocol TunnelDialing: AnyObject {
    /// An unconnected, marked socket in the pod's network namespace.
    func makeSocket(_ key: TunnelKey) throws(TunnelFailure) -> Descriptor
    /// A client session with the pod's certificate of now.
    func makeSession(_ key: TunnelKey) throws(TunnelFailure) -> TLSSession
    /// A tunnel is up.
    func tunnelOpened(_ key: TunnelKey)
    /// A tunnel that was up is gone.
    func tunnelClosed(_ key: TunnelKey)
}

/// The outgoing tunnels of one worker, shared by all connections with an equal key.
///
/// A herd waits for one dial; only when it would not fit on it does another begin. A failure is
/// told to each waiter of that dial and to nobody else.
package final class TunnelPool: TunnelOwner {
    /// One dial and who waits for it.
    private final class Dial {
        let key: TunnelKey
        var waiters: [any TunnelWaiter] = []
        var connecting: Connecting?
        var connection: TunnelConnection?
        init(key: TunnelKey) { self.key = key }
    }

    private struct Entry {
        var open: [TunnelConnection] = []
        var dials: [Dial] = []
        var isEmpty: Bool { open.isEmpty && dials.isEmpty }
    }

    private let loop: EventLoop
    private let buffers: WorkerBuffers
    private let limits: TunnelLimits
    private unowned let dialing: any TunnelDialing
    private var entries: [TunnelKey: Entry] = [:]
    /// Every connection there is, those that take nothing new and are in no entry too.
    private var keys: [ObjectIdentifier: (key: TunnelKey, tunnel: TunnelConnection)] = [:]

    /// Makes an empty pool; `dialing` must outlive it.
    package init(
        loop: EventLoop,
        buffers: WorkerBuffers,
        limits: TunnelLimits,
        dialing: any TunnelDialing
    ) {
        self.loop = loop
        self.buffers = buffers
        self.limits = limits
        self.dialing = dialing
    }

    /// Tunnels that are up.
    package var count: Int { keys.count }

    /// Gives the waiter a tunnel with room, at once where there is one, else after a dial.
    package func request(_ key: TunnelKey, _ waiter: any TunnelWaiter) {
        if let tunnel = entries[key]?.open.first(where: { $0.hasRoom }) {
            return waiter.tunnelReady(tunnel)
        }
        if let dial = entries[key]?.dials.first(where: { $0.waiters.count < limits.streamsMax }) {
            dial.waiters.append(waiter)
            return
        }
        let dial = Dial(key: key)
        dial.waiters.append(waiter)
        entries[key, default: Entry()].dials.append(dial)
        start(dial)
    }

    /// Forgets a waiter that gave up; the dial goes on for the others.
    package func cancel(_ key: TunnelKey, _ waiter: any TunnelWaiter) {
        guard let entry = entries[key] else { return }
        for dial in entry.dials {
            dial.waiters.removeAll { $0 === waiter }
        }
    }

    /// Closes every tunnel and dial whose key the predicate picks: streams on them are lost.
    package func close(reason: String, where picks: (TunnelKey) -> Bool) {
        for (key, entry) in entries where picks(key) {
            entries[key] = nil
            for dial in entry.dials {
                fail(dial, TunnelFailure(stage: .closed, reason: reason))
            }
            for tunnel in entry.open { tunnel.abort(reason) }
        }
    }

    /// Closes the tunnels with a revoked certificate at either end; returns which, and why.
    package func recheck(_ revocations: Revocations?) -> [(key: TunnelKey, reason: String)] {
        var closed: [(key: TunnelKey, reason: String)] = []
        for (key, tunnel) in Array(keys.values) {
            if let reason = tunnel.recheck(revocations) { closed.append((key, reason)) }
        }
        return closed
    }

    /// Lets the tunnels the predicate picks serve what they carry, and nothing new.
    package func retire(where picks: (TunnelKey) -> Bool) {
        for (key, entry) in entries where picks(key) {
            for tunnel in entry.open { tunnel.drain() }
            for dial in entry.dials where dial.connection?.isOpen == true {
                dial.connection?.drain()
            }
        }
    }

    // MARK: dialling

    private func start(_ dial: Dial) {
        do throws(TunnelFailure) {
            let socket = try dialing.makeSocket(dial.key)
            let connecting = Connecting(loop: loop, socket: socket) { [weak self, weak dial] end in
                guard let self, let dial else { return }
                self.connected(dial, end)
            }
            dial.connecting = connecting
            connecting.start(
                to: dial.key.destination.kernel,
                timeoutMilliseconds: limits.connectMilliseconds
            )
        } catch {
            drop(dial)
            fail(dial, error)
        }
    }

    private func connected(_ dial: Dial, _ end: consuming ConnectOutcome) {
        dial.connecting = nil
        do throws(TunnelFailure) {
            let socket = try connectedSocket(dial, end)
            let session = try dialing.makeSession(dial.key)
            let tunnel = TunnelConnection(
                loop: loop,
                buffers: buffers,
                limits: limits,
                role: .client,
                socket: socket,
                session: session,
                peerName: dial.key.destination.description
            )
            tunnel.owner = self
            dial.connection = tunnel
            keys[ObjectIdentifier(tunnel)] = (dial.key, tunnel)
            tunnel.start()
        } catch {
            drop(dial)
            fail(dial, error)
        }
    }

    private func connectedSocket(
        _ dial: Dial,
        _ end: consuming ConnectOutcome
    ) throws(TunnelFailure) -> Descriptor {
        switch consume end {
        case .connected(let socket):
            return socket
        case .failed(let code):
            let hint =
                code == ETIMEDOUT
                ? " (is a NetworkPolicy or firewall blocking port \(dial.key.destination.port)?)"
                : ""
            let text = SystemError(call: "connect", code: code).description
            throw TunnelFailure(
                stage: .connect,
                reason: "\(dial.key.destination): \(text)\(hint)"
            )
        }
    }

    private func drop(_ dial: Dial) {
        guard var entry = entries[dial.key] else { return }
        entry.dials.removeAll { $0 === dial }
        entries[dial.key] = entry.isEmpty ? nil : entry
    }

    private func fail(_ dial: Dial, _ failure: TunnelFailure) {
        dial.connecting?.cancel()
        dial.connecting = nil
        if let tunnel = dial.connection {
            keys[ObjectIdentifier(tunnel)] = nil
            tunnel.owner = nil
            tunnel.abort(failure.reason)
        }
        let waiters = dial.waiters
        dial.waiters = []
        for waiter in waiters { waiter.tunnelFailed(failure) }
    }

    // MARK: the tunnels' calls

    package func tunnelEstablished(_ connection: TunnelConnection) {
        guard let key = keys[ObjectIdentifier(connection)]?.key,
            let dial = entries[key]?.dials.first(where: { $0.connection === connection })
        else { return connection.abort("not wanted any more") }
        dialing.tunnelOpened(key)
        // Every peer takes one stream; how many more, its SETTINGS say, a moment later.
        guard !dial.waiters.isEmpty else { return }
        dial.waiters.removeFirst().tunnelReady(connection)
    }

    /// The peer's SETTINGS are there: whoever still waits gets a stream, here or elsewhere.
    package func tunnelHasRoom(_ connection: TunnelConnection) {
        guard let key = keys[ObjectIdentifier(connection)]?.key, var entry = entries[key],
            let index = entry.dials.firstIndex(where: { $0.connection === connection })
        else { return }
        let dial = entry.dials.remove(at: index)
        dial.connection = nil
        entry.open.append(connection)
        entries[key] = entry
        let waiters = dial.waiters
        dial.waiters = []
        for waiter in waiters {
            if connection.hasRoom {
                waiter.tunnelReady(connection)
            } else {
                request(key, waiter)
            }
        }
    }

    package func tunnelRequested(
        _ stream: TunnelStream,
        fields: HeaderFields,
        endStream: Bool
    ) {
        stream.abort("a server does not open streams")
    }

    package func tunnelIsSpare(_ connection: TunnelConnection) -> Bool {
        // Requests go to the first with room: that one stays, however long it is idle.
        guard let key = keys[ObjectIdentifier(connection)]?.key,
            let first = entries[key]?.open.first(where: { $0.hasRoom })
        else { return false }
        return first !== connection
    }

    package func tunnelDraining(_ connection: TunnelConnection) {
        remove(connection)
    }

    package func tunnelClosed(_ connection: TunnelConnection, _ failure: TunnelFailure?) {
        guard let key = keys.removeValue(forKey: ObjectIdentifier(connection))?.key else { return }
        if connection.wasEstablished { dialing.tunnelClosed(key) }
        guard var entry = entries[key] else { return }
        entry.open.removeAll { $0 === connection }
        let index = entry.dials.firstIndex { $0.connection === connection }
        let dial = index.map { entry.dials.remove(at: $0) }
        entries[key] = entry.isEmpty ? nil : entry
        guard let dial else { return }
        dial.connection = nil
        fail(dial, failure ?? TunnelFailure(stage: .http2, reason: "closed by the peer"))
    }

    private func remove(_ connection: TunnelConnection) {
        guard let key = keys[ObjectIdentifier(connection)]?.key, var entry = entries[key] else {
            return
        }
        entry.open.removeAll { $0 === connection }
        entries[key] = entry.isEmpty ? nil : entry
    }
}
