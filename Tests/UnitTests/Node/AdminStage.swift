import Glibc
import JSON
import Mesh
import Node
import Reactor
import Telemetry
import Testing
import Tunnel

/// A backend whose answers a test sets.
final class StubBackend: AdminBackend {
    var configuration = NodeConfiguration()
    var snapshot = Snapshot.empty
    let log = Log(format: .text, levels: LogLevels(.off), output: 2)
    let metrics = Metrics()
    var pending: [String] = []
    var reports: [ConnectionReport] = []
    var certificateReports: [CertificateReport] = []
    var podReports: [PodReport] = []
    var isSilent = false
    private(set) var isDraining = false

    var build: [(name: String, value: String)] { [("version", "1.2.3"), ("revision", "abc")] }
    func pendingReasons() -> [String] { pending }
    func renderMetrics(openMetrics: Bool) -> [UInt8] { metrics.render(openMetrics: openMetrics) }
    func certificates() -> [CertificateReport] { certificateReports }

    func revocation() -> RevocationReport? { nil }
    func pods() -> [PodReport] { podReports }
    func connections(_ done: @escaping ([ConnectionReport]) -> Void) {
        if !isSilent { done(reports) }
    }
    func startDrain() { isDraining = true }
}

/// What came back for one request.
struct AdminAnswer {
    let status: Int
    let head: String
    let body: String
}

/// A client whose socket never blocks.
final class AdminClient {
    private let socket: Descriptor
    private var bytes: [UInt8] = []
    private(set) var isFinished = false

    init(_ address: SocketAddress) throws {
        let family = address.ip.family == .v6 ? AF_INET6 : AF_INET
        let raw = try checked("socket") { socket_(family) }
        self.socket = Descriptor(owning: raw)
        // Blocking until here: the listener's backlog takes the connection at once.
        try #require(address.kernel.connect(raw) == 0)
        _ = fcntl(raw, F_SETFL, O_NONBLOCK)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    func send(_ text: String) {
        _ = Socket.write(socket.raw, Array(text.utf8))
    }

    func receive() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isFinished {
            switch Socket.read(socket.raw, into: &buffer) {
            case .bytes(let count): bytes += buffer[..<count]
            case .wouldBlock: return
            case .endOfFile, .failed: isFinished = true
            }
        }
    }

    /// The first answer, once its head and body are here.
    var answer: AdminAnswer? {
        let separator = Array("\r\n\r\n".utf8)
        guard let end = bytes.firstRange(of: separator) else { return nil }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("content-length: ") }?.dropFirst(16)
        let isWhole = bytes.count - end.upperBound >= Int(length ?? "0") ?? 0 || isFinished
        let words = lines.first?.split(separator: " ") ?? []
        guard isWhole, words.count > 1, let status = Int(words[1]) else { return nil }
        let body = String(decoding: bytes[end.upperBound...], as: UTF8.self)
        return AdminAnswer(status: status, head: head, body: body)
    }
}

private func socket_(_ family: Int32) -> Int32 {
    Glibc.socket(family, Int32(SOCK_STREAM.rawValue), 0)
}

/// An admin server on ports of loopback and the loop it runs on.
final class AdminStage {
    struct Timeout: Error {}

    let loop: EventLoop
    let backend = StubBackend()
    let server: AdminServer
    private var clients: [AdminClient] = []

    init(times: AdminTimes = AdminTimes(), metricsPort: UInt16 = 0) throws {
        loop = try EventLoop()
        backend.configuration.adminAddress = try #require(SocketAddress("127.0.0.1:0"))
        backend.configuration.metricsAddress = try #require(SocketAddress("[::]:\(metricsPort)"))
        backend.configuration.readinessAddress = try #require(SocketAddress("[::]:0"))
        server = AdminServer(loop: loop, backend: backend, times: times)
        try server.start()
    }

    deinit { server.close() }

    func connect(_ surface: AdminSurface) throws -> AdminClient {
        let bound = try #require(server.address(of: surface))
        let loopback = try #require(SocketAddress("127.0.0.1:\(bound.port)"))
        let client = try AdminClient(loopback)
        clients.append(client)
        return client
    }

    /// Turns the loop until the condition holds; fails after ten seconds.
    func run(until isDone: () -> Bool) throws {
        let start = ContinuousClock.now
        while !isDone() {
            guard ContinuousClock.now - start < .seconds(10) else { throw Timeout() }
            try loop.turn(waiting: false)
            for client in clients { client.receive() }
        }
    }

    func exchange(_ surface: AdminSurface, _ request: String) throws -> AdminAnswer {
        let client = try connect(surface)
        client.send(request)
        try run { client.answer != nil }
        return try #require(client.answer)
    }
}
