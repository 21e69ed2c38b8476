import Foundation
import Testing

/// One way between two pods.
enum Path: String, CaseIterable, Sendable {
    case acrossNodes, onOneNode, intoTheMesh, outOfTheMesh

    var client: String { self == .intoTheMesh ? "plain/client" : "mesh/client" }

    var server: String {
        switch self {
        case .acrossNodes, .intoTheMesh: "mesh/far"
        case .onOneNode: "mesh/near"
        case .outOfTheMesh: "plain/far"
        }
    }
}

/// What applications may count on, on every path and in both families.
@Suite struct `A connection through the mesh` {
    static let ways: [(Path, Bool)] = Path.allCases.flatMap { [($0, false), ($0, true)] }

    @Test(arguments: ways)
    func `lets the server speak first`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let done = try lab.python(
            path.client,
            "c = connect('\(host)', 7001); print(c.recv(100)); c.sendall(b'abc'); print(c.recv(9))"
        )
        #expect(done.output == "b'220 hello\\r\\n'\nb'abc'\n", "\(done.error)")
    }

    @Test(arguments: ways)
    func `keeps bytes and the client's half-close`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let done = try lab.python(
            path.client,
            """
            data = b'0123456789' * 500000
            c = connect('\(host)', 7002)
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            print(read(c).decode().strip() == f'{len(data)} {hashlib.sha256(data).hexdigest()}')
            """
        )
        #expect(done.output == "True\n", "\(done.output) \(done.error)")
    }

    @Test(arguments: ways)
    func `keeps the server's half-close`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let size = Int.random(in: 100_000...900_000)
        let done = try lab.python(
            path.client,
            """
            c = connect('\(host)', 7003)
            print(read(c))
            c.sendall(b'y' * \(size))
            c.shutdown(socket.SHUT_WR)
            """
        )
        #expect(done.output == "b'first'\n", "\(done.error)")
        try lab.eventually("the server read all of it") {
            try lab.lab(["logs", path.server]).contains("early \(size)\n")
        }
    }

    @Test(arguments: ways)
    func `hands the server's reset on as a reset`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let done = try lab.python(
            path.client,
            """
            c = connect('\(host)', 7004)
            c.sendall(b'1')
            total = 0
            while total < 1000:
                total += len(c.recv(1000))
            c.sendall(b'2')
            try:
                print('fin' if c.recv(10) == b'' else 'data', total)
            except ConnectionResetError:
                print('rst', total)
            """
        )
        #expect(done.output == "rst 1000\n", "\(done.error)")
    }

    @Test(arguments: ways)
    func `hands the client's reset on as a reset`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let size = Int.random(in: 1000...9000)
        let done = try lab.python(
            path.client,
            """
            c = connect('\(host)', 7005)
            c.recv(10)
            c.sendall(b'q' * \(size))
            time.sleep(0.3)
            reset(c)
            """
        )
        #expect(done.status == 0, "\(done.error)")
        try lab.eventually("the server saw a reset") {
            try lab.lab(["logs", path.server]).contains("watch rst \(size)\n")
        }
    }

    @Test(arguments: ways)
    func `shows the server the client's address`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let own = try lab.address(path.client, v6: v6)
        let done = try lab.python(path.client, "print(read(connect('\(host)', 7006)).decode())")
        let seen = done.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(seen == (v6 ? own : "::ffff:" + own), "\(done.error)")
    }

    @Test(arguments: ways)
    func `tells at once that nobody listens`(path: Path, v6: Bool) throws {
        let lab = try SharedLab.lab()
        let host = try lab.address(path.server, v6: v6)
        let done = try lab.python(
            path.client,
            """
            start = time.time()
            try:
                connect('\(host)', 7999).recv(1)
                print('fin')
            except (ConnectionResetError, ConnectionRefusedError):
                print('refused', time.time() - start < 5)
            """
        )
        #expect(done.output == "refused True\n", "\(done.error)")
    }
}
