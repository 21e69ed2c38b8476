internal import DNS
internal import Glibc
internal import Mesh
internal import Reactor

/// The cluster's nameserver: UDP and TCP port 53 at the resolver's addresses in the fabric.
final class ClusterNameServer {
    /// TCP connections served at once.
    static let connectionsMax = 64
    /// How long one may be open, in milliseconds.
    static let connectionTime: UInt64 = 10_000
    /// Queries answered before other work has its turn.
    static let batchMax = 64

    private var resolver: ClusterResolver
    private let loop: PollLoop
    private var sockets: [Descriptor.Shared] = []
    private var connections: [Int32: (socket: Descriptor.Shared, stream: NameStream)] = [:]

    /// Listens in the calling thread's network namespace, which has the addresses.
    init(
        _ resolver: ClusterResolver,
        addresses: [IPAddress],
        loop: PollLoop
    ) throws(SystemError) {
        self.resolver = resolver
        self.loop = loop
        for address in addresses {
            let datagrams = try Self.bound(address, ambit_datagram)
            sockets.append(datagrams)
            loop.watch(datagrams.raw) { [unowned self] in answerDatagrams(datagrams.raw) }
            let listener = try Self.bound(address, ambit_stream)
            try checked("listen") { listen(listener.raw, 64) }
            sockets.append(listener)
            loop.watch(listener.raw) { [unowned self] in accept(listener.raw) }
        }
    }

    /// Takes over new objects.
    func update(to plan: ClusterPlan) {
        resolver.update(plan.state, targets: plan.serviceTargets, aliases: plan.serviceAliases)
    }

    private func answerDatagrams(_ raw: Int32) {
        for _ in 0..<Self.batchMax {
            guard let query = Datagram.receive(raw) else { return }
            guard let source = query.source.ip,
                let answer = resolver.answer(query.bytes, from: source, overStream: false)
            else { continue }
            Datagram.send(raw, answer, to: query.source)
        }
    }

    private func accept(_ listener: Int32) {
        while let accepted = ControlSocket.accept(listener) {
            let socket = Descriptor.Shared(owning: accepted.release())
            guard connections.count < Self.connectionsMax else { continue }
            let raw = socket.raw
            guard loop.watch(raw, { [unowned self] in answerStream(raw) }) else { continue }
            connections[raw] = (socket, NameStream())
            loop.after(milliseconds: Self.connectionTime) { [weak self, weak socket] in
                if socket != nil { self?.close(raw) }
            }
        }
    }

    private func answerStream(_ raw: Int32) {
        guard let source = try? KernelAddress.remote(of: raw).ip,
            let part = try? Calls.read(raw, room: 16 << 10), !part.isEmpty
        else { return close(raw) }
        connections[raw]?.stream.append(part)
        while let query = connections[raw]?.stream.next() {
            guard let answer = resolver.answer(query, from: source, overStream: true),
                let frame = NameStream.frame(answer),
                // A client that does not read its answers is not waited for.
                (try? Calls.send(raw, frame[...])) == frame.count
            else { return close(raw) }
        }
    }

    private func close(_ raw: Int32) {
        loop.forget(raw)
        connections[raw] = nil
    }

    private static func bound(
        _ address: IPAddress,
        _ kind: Int32
    ) throws(SystemError) -> Descriptor.Shared {
        let family = address.family == .v4 ? AF_INET : AF_INET6
        let raw = try checked("socket") { socket(family, kind, 0) }
        let made = Descriptor.Shared(owning: raw)
        try KernelAddress(address, port: 53).bind(raw)
        return made
    }
}
