import Glibc
import HTTP
import Mesh
import Reactor
import TLS
import Testing
import Tunnel

/// Two connected sockets with room for megabytes, all of which the reader has at once.
private func makePair() throws -> (near: Int32, far: Int32) {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
    #expect(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0)
    var bytes: Int32 = 16 << 20
    for end in ends {
        let size = socklen_t(MemoryLayout<Int32>.size)
        #expect(unsafe setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, size) == 0)
    }
    return (ends[0], ends[1])
}

/// One side of a tunnel: its loop, its connection, its one stream.
private final class TunnelSide: TunnelOwner, TunnelStreamOwner, RelayObserver {
    let loop: EventLoop
    private let buffers = WorkerBuffers()
    private(set) var connection: TunnelConnection?
    private(set) var stream: TunnelStream?
    private(set) var isAnswered = false
    private(set) var taken = 0
    private(set) var end: RelayEnd?
    private(set) var isClosed = false
    /// What it says of its connection as the owner.
    var isSpare = false

    init(
        _ role: HTTP2Role,
        socket: consuming Descriptor,
        limits: TunnelLimits = TunnelLimits()
    ) throws {
        loop = try EventLoop()
        let isClient = role == .client
        let peer = isClient ? Fixture.server : Fixture.client
        let connection = TunnelConnection(
            loop: loop,
            buffers: buffers,
            limits: limits,
            role: role,
            socket: socket,
            session: try TLSSession(
                context: Fixture.context(isClient ? .client : .server),
                expecting: .identities([peer.uri])
            ),
            peerName: "the other side"
        )
        connection.owner = self
        self.connection = connection
        connection.start()
    }

    func request() throws {
        let address = try #require(SocketAddress("10.1.0.5:80"))
        let fields = ConnectRequest(authority: .address(address)).fields
        stream = try #require(connection?.open(fields, owner: self))
    }

    func tunnelEstablished(_ connection: TunnelConnection) {}
    func tunnelRequested(_ stream: TunnelStream, fields: HeaderFields, endStream: Bool) {
        self.stream = stream
        connection?.respond(stream, status: 200, fields: HeaderFields(), endStream: false)
    }
    func tunnelHasRoom(_ connection: TunnelConnection) {}
    func tunnelIsSpare(_ connection: TunnelConnection) -> Bool { isSpare }
    func tunnelDraining(_ connection: TunnelConnection) {}
    func tunnelClosed(_ connection: TunnelConnection, _ failure: TunnelFailure?) {
        isClosed = true
    }
    func streamAnswered(_ stream: TunnelStream, status: Int, fields: HeaderFields) {
        isAnswered = status == 200
    }
    func streamLost(_ stream: TunnelStream, _ end: RelayEnd) { self.end = end }
    func relayed(toSocket: Int, fromSocket: Int) { taken += fromSocket }
    func relayEnded(_ end: RelayEnd) { self.end = end }
}

/// Turns the loops, which never wait, until it is done; fails after five seconds.
private func turn(_ sides: [TunnelSide], until isDone: () throws -> Bool) throws {
    let end = ContinuousClock.now + .seconds(5)
    while try !isDone() {
        try #require(ContinuousClock.now < end, "not done in time")
        for side in sides { try side.loop.turn(waiting: false) }
    }
}

@Suite struct `A tunnel that is far behind its peer` {
    /// More than is read in one turn, less than the peer may send unasked.
    private let total = 3 << 20

    // With edge-triggered events the bytes that a turn leaves in the socket have had their event.
    @Test func `goes on reading without another event`() throws {
        let wire = try makePair()
        let client = try TunnelSide(.client, socket: Descriptor(owning: wire.near))
        let server = try TunnelSide(.server, socket: Descriptor(owning: wire.far))
        try turn([client, server]) {
            client.connection?.isOpen == true && server.connection?.isOpen == true
        }
        try client.request()
        try turn([client, server]) { client.isAnswered && server.stream != nil }
        let source = try makePair()
        let sink = try makePair()
        client.stream?.attach(Descriptor(owning: source.far), observer: client)
        let sourceEnd = Descriptor(owning: source.near)
        let sinkEnd = Descriptor(owning: sink.near)
        let bytes = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var sent = 0
        try turn([client]) {
            if case .bytes(let count) = Socket.write(sourceEnd.raw, bytes, from: sent) {
                sent += count
            }
            return client.taken == total
        }
        // Nothing is delivered yet, so that no window update asks for another turn either.
        try turn([server]) { server.stream?.pendingBytes == total }
        server.stream?.attach(Descriptor(owning: sink.far), observer: server)
        var received: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 20)
        try turn([server]) {
            while case .bytes(let count) = Socket.read(sinkEnd.raw, into: &part) {
                received += part[..<count]
            }
            return received.count == total
        }
        #expect(received == bytes)
        #expect(client.end == nil && server.end == nil)
    }
}

@Suite struct `A tunnel that nobody uses` {
    private func limits() -> TunnelLimits {
        var limits = TunnelLimits()
        limits.pingIntervalMilliseconds = 10
        limits.spareIdleMilliseconds = 50
        return limits
    }

    private func tunnel() throws -> [TunnelSide] {
        let wire = try makePair()
        return [
            try TunnelSide(.client, socket: Descriptor(owning: wire.near), limits: limits()),
            try TunnelSide(.server, socket: Descriptor(owning: wire.far)),
        ]
    }

    @Test func `closes soon when others have room, and stays when it is the only one`() throws {
        let spare = try tunnel()
        let only = try tunnel()
        let all = spare + only
        try turn(all) { all.allSatisfy { $0.connection?.isOpen == true } }
        spare[0].isSpare = true
        try turn(all) { spare.allSatisfy(\.isClosed) }
        #expect(only.allSatisfy { !$0.isClosed })
    }

    @Test func `serves its stream as long as that lasts, spare or not`() throws {
        let used = try tunnel()
        let spare = try tunnel()
        let all = used + spare
        try turn(all) { all.allSatisfy { $0.connection?.isOpen == true } }
        try used[0].request()
        try turn(all) { used[0].isAnswered }
        for side in [used[0], spare[0]] { side.isSpare = true }
        try turn(all) { spare.allSatisfy(\.isClosed) }
        #expect(used.allSatisfy { !$0.isClosed && $0.end == nil })
    }
}
