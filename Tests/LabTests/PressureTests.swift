import Foundation
import Testing

/// Peers that are slow, many, silent or hostile, beside others that must not notice.
@Suite struct `Under pressure the mesh` {
    @Test func `keeps fast streams fast beside readers that never read`() throws {
        let lab = try SharedLab.lab()
        let far = try lab.address("mesh/far")
        let stuffing = try lab.start(
            "mesh/client",
            """
            import socket, sys, time
            stalled = [socket.create_connection(("\(far)", 7007)) for _ in range(4)]
            for c in stalled:
                c.recv(10)
                c.setblocking(False)
            print("up", flush=True)
            end = time.time() + 8
            total = 0
            while time.time() < end:
                for c in stalled:
                    try:
                        total += c.send(b"z" * 65536)
                    except BlockingIOError:
                        time.sleep(0.01)
            print(total)
            """,
            []
        )
        try lab.eventually("the stalled streams are open") {
            stuffing.outputSoFar.contains("up")
        }
        let done = try lab.load("mesh/client", far, 7001, seconds: 4)
        #expect(done.bad == 0 && done.good > 20, "\(done.errors)")
        let stuffed = try stuffing.finish().output.split(separator: "\n").last.flatMap { Int($0) }
        // Windows and socket buffers, not more: 4 MiB a stream and the kernels' own.
        #expect((stuffed ?? .max) < 200 << 20, "took \(stuffed ?? -1) bytes for nobody")
    }

    @Test func `serves others while handshakes stall on 15008`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let stalling = try lab.start(
            "plain/client",
            """
            import socket, time
            held = []
            for _ in range(600):
                try:
                    c = socket.create_connection(("\(far)", 15008), timeout=5)
                    c.send(bytes([22, 3, 1, 2, 0, 1]))
                    held.append(c)
                except OSError:
                    pass
            print("up", len(held), flush=True)
            time.sleep(6)
            """,
            []
        )
        try lab.eventually("the handshakes stall") { stalling.outputSoFar.contains("up") }
        let done = try lab.load("mesh/client", far, 7001, seconds: 2)
        #expect(done.bad == 0 && done.good > 5, "\(done.errors)")
        stalling.stop()
    }

    @Test func `carries large bodies both ways on many connections at once`() throws {
        let lab = try SharedLab.lab()
        let far = try lab.address("mesh/far")
        let megabytes = Int(ProcessInfo.processInfo.environment["AMBIT_BULK_MEGABYTES"] ?? "") ?? 64
        let done = try lab.python(
            "mesh/client",
            """
            import os, threading
            results = []
            def one():
                block = os.urandom(1 << 20)
                sent, got = hashlib.sha256(), hashlib.sha256()
                c = connect('\(far)', 7001)
                c.recv(11)
                def send():
                    for _ in range(\(megabytes)):
                        c.sendall(block)
                        sent.update(block)
                    c.shutdown(socket.SHUT_WR)
                sender = threading.Thread(target=send)
                sender.start()
                while data := c.recv(1 << 20):
                    got.update(data)
                sender.join()
                results.append(sent.digest() == got.digest())
            threads = [threading.Thread(target=one) for _ in range(8)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(results == [True] * 8)
            """,
            timeout: 600
        )
        #expect(done.output == "True\n", "\(done.output) \(done.error)")
    }

    @Test func `holds 2,000 idle connections and gives their memory back`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let before = try lab.residentKilobytes("node-2")
        let holding = try lab.start(
            "mesh/client",
            """
            import resource, socket, time
            resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
            held = []
            for _ in range(2000):
                c = socket.create_connection(("\(far)", 7001), timeout=30)
                held.append(c)
            for c in held:
                assert c.recv(20)
            print("up", flush=True)
            input()
            """,
            []
        )
        try lab.eventually("2,000 connections are open", within: 120) {
            holding.outputSoFar.contains("up")
        }
        let during = try lab.residentKilobytes("node-2")
        _ = try holding.finish(60)
        #expect(during > before)
        try lab.eventually("memory is back near the idle size", within: 60) {
            try lab.residentKilobytes("node-2") < before + (during - before) / 2 + 4096
        }
        let after = try lab.load("mesh/client", far, 7001, seconds: 0.5)
        #expect(after.bad == 0, "\(after.errors)")
    }
}

extension TestLab {
    private struct Nodes: Decodable {
        struct Node: Decodable {
            let name: String
            let processes: [Process]
        }
        struct Process: Decodable {
            let pid: Int
        }
        let nodes: [Node]
    }

    /// The resident memory of a node's proxy, from its own metrics.
    func residentKilobytes(_ node: String) throws -> Int {
        let text = try lab(["metrics", node])
        for line in text.split(separator: "\n")
        where line.hasPrefix("process_resident_memory_bytes ") {
            if let bytes = Double(line.split(separator: " ").last ?? "") {
                return Int(bytes) / 1024
            }
        }
        throw Failure("no process_resident_memory_bytes in the metrics of \(node)")
    }
}
