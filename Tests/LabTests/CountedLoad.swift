import Foundation

/// What the counted load does, a fixed number of times.
enum CountedWork: String, CaseIterable, Sendable {
    /// A small HTTP request and its answer on a connection that stays.
    case request = "request, 1 connection"
    /// The same on 16 connections in step: 16 requests at once, then 16 answers at once.
    case requestOfSixteen = "request, 16 connections"
    /// A new connection through a warm tunnel, one request, and its close.
    case connection = "connection"
    /// A part of an upload, in blocks of 256 KiB that the server acknowledges.
    case mebibyte = "MiB"

    /// What the load's client calls it.
    fileprivate var command: String {
        switch self {
        case .request: "request"
        case .requestOfSixteen: "sixteen"
        case .connection: "connection"
        case .mebibyte: "upload"
        }
    }

    /// How many are counted.
    ///
    /// So many that what the counting itself costs, one wake-up, is below 0.2 % of them.
    var count: Int {
        switch self {
        case .request: 512
        case .requestOfSixteen: 1024
        case .connection: 128
        case .mebibyte: 64
        }
    }

    /// How many go before: buffers have grown and tunnels are warm when the counting begins.
    fileprivate var warmUp: Int { max(count / 8, 16) }
}

/// A client in `mesh/client` that works on order, one thing at a time and always in the same way.
final class CountedLoad {
    private let lab: TestLab
    private let client: Running
    private var done = 0

    /// Starts a client of the service `target` and lets it do a little of everything.
    init(_ lab: TestLab, target: String) throws {
        self.lab = lab
        client = try lab.start("mesh/client", Self.client, [target])
        for work in CountedWork.allCases { try run(work, count: work.warmUp) }
    }

    deinit { client.stop() }

    /// Does the work as often as is counted; returns when all of it is answered.
    func run(_ work: CountedWork) throws {
        try run(work, count: work.count)
    }

    private func run(_ work: CountedWork, count: Int) throws {
        client.send("\(work.command) \(count)\n")
        done += 1
        try lab.eventually("\(count) times \(work.command)", within: 60) {
            guard client.isRunning else { throw TestLab.Failure(try client.finish().error) }
            return client.outputSoFar.split(separator: "\n").count == done
        }
    }

    // The proxy's sockets are made in the pods and follow these: bbr would pace by the clock.
    private static let congestionControl = #"""
        import select, socket, sys
        with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as control:
            control.write("reno")

        """#

    /// The server: answers to requests on 7016 wait until 16 are in; on 7100 it answers each block.
    static let server =
        congestionControl + #"""
            ANSWER = b"HTTP/1.1 200 OK\r\nserver: counted\r\ncontent-type: text/plain\r\n" \
                b"content-length: 32\r\n\r\n" + b"x" * 32
            TOGETHER = {7001: 1, 7016: 16}
            UPLOAD, BLOCK = 7100, 1 << 18
            poll, listeners, connections = select.epoll(), {}, {}
            waiting, total = {port: [] for port in TOGETHER}, {}
            for port in [*TOGETHER, UPLOAD]:
                listener = socket.create_server(
                    ("::", port), family=socket.AF_INET6, backlog=128, dualstack_ipv6=True)
                listeners[listener.fileno()] = (listener, port)
                poll.register(listener, select.EPOLLIN)
            print("serving", flush=True)

            def received(connection, port, data):
                if port == UPLOAD:
                    total[connection] = total.get(connection, 0) + len(data)
                    if total[connection] % BLOCK == 0:
                        connection.sendall(b"+")
                    return
                waiting[port].append(connection)
                if len(waiting[port]) == TOGETHER[port]:
                    for other in waiting[port]:
                        other.sendall(ANSWER)
                    waiting[port] = []

            while True:
                for number, _ in poll.poll():
                    if number in listeners:
                        listener, port = listeners[number]
                        connection, _ = listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        connections[connection.fileno()] = (connection, port)
                        poll.register(connection, select.EPOLLIN)
                        continue
                    connection, port = connections[number]
                    if data := connection.recv(1 << 20):
                        received(connection, port, data)
                        continue
                    total.pop(connection, None)
                    poll.unregister(connection)
                    del connections[number]
                    connection.close()
            """#

    /// The client: reads `WORK COUNT` lines, prints a line when each is done.
    private static let client =
        congestionControl + #"""
            REQUEST = b"GET /index.html HTTP/1.1\r\nhost: far.mesh\r\nuser-agent: counted\r\n" \
                b"accept: */*\r\n\r\n"
            BLOCK = bytes(1 << 18)
            address = socket.gethostbyname(sys.argv[1])

            def connect(port):
                connection = socket.create_connection((address, port), timeout=60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection

            def ask(connections):
                for connection in connections:
                    connection.sendall(REQUEST)
                for connection in connections:
                    if not connection.recv(4096):
                        raise ConnectionError("closed without an answer")

            def finish(connection):
                connection.shutdown(socket.SHUT_WR)
                if connection.recv(1):
                    raise ConnectionError("an answer that nobody asked for")
                connection.close()

            one, sixteen = [connect(7001)], [connect(7016) for _ in range(16)]
            for line in sys.stdin:
                work, count = line.split()[0], int(line.split()[1])
                if work == "request":
                    for _ in range(count):
                        ask(one)
                elif work == "sixteen":
                    for _ in range(count // 16):
                        ask(sixteen)
                elif work == "connection":
                    for _ in range(count):
                        connection = connect(7001)
                        ask([connection])
                        finish(connection)
                elif work == "upload":
                    connection = connect(7100)
                    for _ in range(4 * count):
                        connection.sendall(BLOCK)
                        if not connection.recv(1):
                            raise ConnectionError("closed before it had read all")
                    finish(connection)
                print("done", flush=True)
            """#
}
