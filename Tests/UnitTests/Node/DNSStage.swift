import Capture
import DNS
import Glibc
import Mesh
import Node
import Reactor
import Telemetry
import Testing

/// What the name service of a test's pod has around it.
final class StubDNSHost: PodDNSHost {
    let loop: EventLoop
    let namespace: NetworkNamespace
    let buffer = PodDNSBuffer()
    let telemetry = Metrics()
    var snapshot: Snapshot
    var forwardsMax = Int.max
    private(set) var forwards = 0

    init(loop: EventLoop, namespace: consuming NetworkNamespace, snapshot: Snapshot) {
        self.loop = loop
        self.namespace = namespace
        self.snapshot = snapshot
    }

    var metrics: NodeMetrics { telemetry.node }
    var sourceLabels: (service: String, revision: String) { ("web", "v1") }

    func answer(_ query: [UInt8], over transport: Resolver.Transport) -> Resolver.Answer {
        var random = SystemRandomNumberGenerator()
        return Resolver(clusterDomain: "cluster.local").answer(
            query,
            for: Resolver.Client(namespace: "shop", network: ""),
            in: snapshot,
            over: transport,
            using: &random
        )
    }

    func admitForward() -> Bool {
        guard forwards < forwardsMax else { return false }
        forwards += 1
        return true
    }

    func forwardEnded() { forwards -= 1 }

    func querySocket(to nameserver: SocketAddress) throws(SystemError) -> Descriptor {
        try PodSocket.nameQuery(in: namespace, to: nameserver)
    }

    func replySocket(as nameserver: SocketAddress) throws(SystemError) -> Descriptor {
        try PodSocket.nameReply(in: namespace, as: nameserver)
    }

    func streamSocket(to family: IPAddress.Family) throws(SystemError) -> Descriptor {
        try PodSocket.connecting(
            in: namespace,
            returningTo: NetworkNamespace.current(),
            family: family,
            mark: .proxy
        )
    }
}

/// A captured pod whose names are served, and the world outside it.
final class DNSStage {
    let bench: PodBench
    let loop: EventLoop
    let host: StubDNSHost
    let server: PodDNSServer

    init(limits: PodDNSLimits = PodDNSLimits()) throws {
        let bench = try PodBench()
        try PodCapture.install(in: bench.pod, CapturePlan())
        let listeners = try PodListeners.open(in: bench.pod, dns: true)
        let loop = try EventLoop()
        var mesh = SampleMesh()
        try mesh.service("web", at: "10.96.0.1", "fd00:96::1")
        let host = StubDNSHost(
            loop: loop,
            namespace: try NetworkNamespace(path: "/proc/self/fd/\(bench.pod.raw)"),
            snapshot: mesh.snapshot()
        )
        let server = PodDNSServer(
            host: host,
            limits: limits,
            udp: try Self.copy(listeners.datagrams),
            tcp: try Self.copy(listeners.streams)
        )
        try server.start()
        self.bench = bench
        self.loop = loop
        self.host = host
        self.server = server
    }

    deinit { server.close() }

    private static func copy(_ raw: Int32) throws -> Descriptor {
        Descriptor(owning: try checked("dup") { dup(raw) })
    }

    /// Turns the loop until the condition holds; fails after five seconds.
    func run(until isDone: () -> Bool) throws {
        let start = ContinuousClock.now
        while !isDone() {
            guard ContinuousClock.now - start < .seconds(5) else {
                throw SystemError(call: "condition", code: ETIMEDOUT)
            }
            try loop.turn(waiting: false)
        }
    }

    /// Waits for a datagram or a part of a stream, while the service runs.
    func receive(_ socket: TestSocket) throws -> [UInt8] {
        try run { TestSocket.wait(socket.raw, POLLIN, milliseconds: 0) }
        return try socket.receiveBytes()
    }

    /// Waits for one message of a stream, while the service runs.
    func receiveMessage(_ socket: TestSocket, _ stream: inout NameStream) throws -> [UInt8] {
        while true {
            if let message = stream.next() { return message }
            let bytes = try receive(socket)
            try #require(!bytes.isEmpty, "the connection ended")
            stream.append(bytes)
        }
    }

    /// An application's resolver: connected, so that it hears the nameserver alone.
    func resolver(_ nameserver: SocketAddress) throws -> TestSocket {
        let socket = try TestSocket(in: bench.pod, nameserver.ip.family, datagram: true)
        try #require(socket.connect(nameserver) == 0)
        return socket
    }

    /// An application's connection to a nameserver.
    func stream(_ nameserver: SocketAddress) throws -> TestSocket {
        let socket = try TestSocket(in: bench.pod, nameserver.ip.family)
        try #require(socket.connect(nameserver) == 0)
        return socket
    }

    /// A nameserver outside.
    func nameserver(_ address: SocketAddress) throws -> TestSocket {
        let socket = try TestSocket(in: bench.outside, address.ip.family, datagram: true)
        try socket.bind(address)
        return socket
    }

    /// A nameserver outside, for connections.
    func streamNameserver(_ address: SocketAddress) throws -> TestSocket {
        try TestSocket(in: bench.outside, address.ip.family).listening(at: address)
    }

    /// The lines of a metric.
    func metric(_ name: String) -> [String] {
        let text = String(decoding: host.telemetry.render(openMetrics: false), as: UTF8.self)
        return text.split(separator: "\n").filter { $0.hasPrefix(name) }.map(String.init)
    }
}

extension PodListeners {
    fileprivate var datagrams: Int32 {
        switch dnsUDP {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }
    fileprivate var streams: Int32 {
        switch dnsTCP {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }
}

extension TestSocket {
    func send(bytes: [UInt8]) throws {
        guard case .bytes(bytes.count) = Socket.write(raw, bytes) else {
            throw SystemError(call: "send", code: errno)
        }
    }

    func send(bytes: [UInt8], to address: SocketAddress) throws {
        try checked("sendto") {
            unsafe kernel(address).withPointer { pointer, length in
                unsafe sendto(raw, bytes, bytes.count, 0, pointer, length)
            }
        }
    }

    func receiveBytes() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        switch Socket.read(raw, into: &bytes) {
        case .bytes(let count): return Array(bytes[..<count])
        case .endOfFile: return []
        case .wouldBlock: throw SystemError(call: "recv", code: EAGAIN)
        case .failed(let code): throw SystemError(call: "recv", code: code)
        }
    }

    /// A datagram as bytes, and who sent it.
    func receiveQuery() throws -> (bytes: [UInt8], source: SocketAddress) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try checked("recvfrom") {
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe recvfrom(raw, &bytes, bytes.count, 0, address, &length)
                }
            }
        }
        let source = unsafe withUnsafeBytes(of: storage) { room -> SocketAddress? in
            let port = unsafe UInt16(
                bigEndian: room.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            )
            let part = unsafe Int32(storage.ss_family) == AF_INET ? room[4..<8] : room[8..<24]
            return unsafe IPAddress(bytes: part).map { SocketAddress($0, port) }
        }
        return (Array(bytes.prefix(count)), try #require(source))
    }
}
