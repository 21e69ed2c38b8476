internal import Capture
internal import DNS
internal import Mesh
package import Reactor
internal import Tunnel

/// The name service of one pod on one worker: captured queries in, answers out.
///
/// Names of the mesh are answered from the snapshot; everything else goes unchanged to the
/// nameserver that the pod asked, from the pod's own network, and the answer comes back from that
/// nameserver's address. Nothing is cached. Belongs to the worker's thread; it lives on while a
/// query or connection is open.
package final class PodDNSServer: ReadinessHandler, LoopTask {
    private static let datagramsPerTurn = 64
    private static let datagramsAtEndMax = 1024
    private static let replySocketsMax = 8
    /// Capture takes queries to this port alone; others would come from ourselves.
    private static let nameserverPort: UInt16 = 53

    let host: any PodDNSHost
    let limits: PodDNSLimits
    let loop: EventLoop
    let buffer: PodDNSBuffer
    private let counting: PodDNSCounting
    private var udp: Descriptor?
    private var registration: EventLoop.Registration?
    private var acceptor: Acceptor?
    private var forwards: [ObjectIdentifier: PodDNSForward] = [:]
    private var streams: [ObjectIdentifier: PodDNSStream] = [:]
    /// One for each nameserver, the newest last.
    private var replySockets: [ReplySocket] = []

    private final class ReplySocket {
        let nameserver: SocketAddress
        let socket: Descriptor
        init(nameserver: SocketAddress, socket: consuming Descriptor) {
            self.nameserver = nameserver
            self.socket = socket
        }
    }

    /// Takes the pod's listeners; begins with `start`.
    package init(
        host: any PodDNSHost,
        limits: PodDNSLimits,
        udp: consuming Descriptor,
        tcp: consuming Descriptor
    ) {
        self.host = host
        self.limits = limits
        self.loop = host.loop
        self.buffer = host.buffer
        self.counting = PodDNSCounting(host: host, transport: .datagram)
        self.udp = consume udp
        self.acceptor = Acceptor(loop: host.loop, socket: tcp) { [unowned self] outcome in
            // Out of descriptors, the client waits in the backlog and is tried again.
            guard case .connection(let descriptor) = outcome else { return }
            self.take(Descriptor(owning: descriptor))
        }
    }

    /// Begins to answer.
    package func start() throws(SystemError) {
        guard let raw = udp?.raw else { return }
        registration = try loop.add(raw, self)
        try acceptor?.start()
    }

    /// Queries that wait for a nameserver, and TCP connections that are open.
    package var openCount: Int { forwards.count + streams.count }

    /// Closes the listeners once what waits in them is taken; what is open goes on to its end.
    package func stopListening() {
        if udp != nil {
            for _ in 0..<Self.datagramsAtEndMax where !receive() { break }
        }
        if let registration { loop.remove(registration) }
        registration = nil
        udp = nil
        acceptor?.close()
        acceptor = nil
    }

    /// Ends everything at once.
    package func close() {
        stopListening()
        for forward in Array(forwards.values) { forward.close() }
        for stream in Array(streams.values) { stream.close(reset: true) }
        replySockets.removeAll()
    }

    // MARK: datagrams

    package func ready(_ readiness: Readiness) { receiveSome() }

    package func resume() { receiveSome() }

    private func receiveSome() {
        for _ in 0..<Self.datagramsPerTurn where !receive() { return }
        loop.later(self)
    }

    /// Takes one query; false when none waits.
    private func receive() -> Bool {
        guard let raw = udp?.raw else { return false }
        switch NameQuery.receive(from: raw, into: &buffer.bytes) {
        case .query(let query):
            serve(query, Array(buffer.bytes[..<query.length]))
            return true
        case .unusable: return true
        case .wouldBlock, .failed: return false
        }
    }

    private func serve(_ query: NameQuery, _ message: [UInt8]) {
        guard query.nameserver.port == Self.nameserverPort else { return }
        let type = PodDNSCounting.type(of: message)
        counting.asked(type)
        switch host.answer(message, over: .datagram) {
        case .reply(let answer): reply(answer, to: query)
        case .drop: return
        case .forward: forward(query, message, type)
        }
    }

    private func forward(_ query: NameQuery, _ message: [UInt8], _ type: UInt16) {
        let forward = PodDNSForward(server: self, query: query, message: message, type: type)
        guard forwards.count < limits.pendingMax, host.admitForward() else {
            return forward.fail()
        }
        forwards[ObjectIdentifier(forward)] = forward
        forward.start()
    }

    /// Sends an answer as the nameserver the query was for.
    func reply(_ answer: [UInt8], to query: NameQuery) {
        guard let socket = replySocket(as: query.nameserver) else { return }
        query.reply(answer, from: socket.socket.raw)
    }

    private func replySocket(as nameserver: SocketAddress) -> ReplySocket? {
        if let known = replySockets.first(where: { $0.nameserver == nameserver }) { return known }
        do throws(SystemError) {
            let made = ReplySocket(
                nameserver: nameserver,
                socket: try host.replySocket(as: nameserver)
            )
            if replySockets.count >= Self.replySocketsMax { replySockets.removeFirst() }
            replySockets.append(made)
            return made
        } catch {
            // Out of descriptors: the pod asks again, as for a datagram lost on the way.
            return nil
        }
    }

    /// A forwarded query is over.
    func forget(_ forward: PodDNSForward) {
        if forwards.removeValue(forKey: ObjectIdentifier(forward)) != nil { host.forwardEnded() }
    }

    // MARK: streams

    private func take(_ socket: consuming Descriptor) {
        let destination = (try? KernelAddress.local(of: socket.raw)).flatMap(SocketAddress.init)
        guard let nameserver = destination, nameserver.port == Self.nameserverPort else {
            return Socket.resetOnClose(socket.raw)
        }
        if streams.count >= limits.streamsMax {
            streams.values.min { $0.activeAt < $1.activeAt }?.close(reset: true)
        }
        let stream = PodDNSStream(server: self, nameserver: nameserver)
        streams[ObjectIdentifier(stream)] = stream
        stream.start(socket)
    }

    /// A TCP connection is over.
    func forget(_ stream: PodDNSStream) { streams[ObjectIdentifier(stream)] = nil }
}
