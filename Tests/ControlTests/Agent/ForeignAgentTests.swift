import Agent
import Foundation
import Mesh
import Node
import Reactor
import Telemetry
import Testing

/// The packets of PROTOCOL.md §2.5, byte by byte.
private enum Packet {
    // ZdsHello: 08 = field 1, varint | 01 = V1
    static let hello = "08 01"
    // WorkloadResponse: 0a = field 1 (ack), length 0: an Ack without an error
    static let acknowledgement = "0a 00"
    // WorkloadRequest: 1a = field 3 (snapshot_sent), length 0
    static let snapshotSent = "1a 00"

    // WorkloadRequest: 0a = field 1 (add), 17 bytes
    //   0a 02 75 31 = field 1, uid "u1"
    //   12 11 = field 2, workload_info, 17 bytes
    //     0a 03 77 65 62 = field 1, name "web"
    //     12 04 73 68 6f 70 = field 2, namespace "shop"
    //     1a 04 73 61 2d 31 = field 3, service_account "sa-1"
    static let add = """
        0a 17 0a 02 75 31 12 11 0a 03 77 65 62 12 04 73 68 6f 70 1a 04 73 61 2d 31
        """
    // The same with uid "u2" and name "api"
    static let addOther = """
        0a 17 0a 02 75 32 12 11 0a 03 61 70 69 12 04 73 68 6f 70 1a 04 73 61 2d 31
        """
    // Add without workload_info: 0a 04 | 0a 02 75 31
    static let addWithoutInfo = "0a 04 0a 02 75 31"
    // 2a = field 5 (keep), 4 bytes | 0a 02 75 31 = field 1, uid "u1"
    static let keep = "2a 04 0a 02 75 31"
    // 12 = field 2 (del), 4 bytes | 12 02 75 31 = field 2, uid "u1"
    static let remove = "12 04 12 02 75 31"
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct `A foreign agent` {
    private func startNode(_ agent: ForeignAgent) throws -> StagedNode {
        var configuration = NodeConfiguration()
        configuration.nodeName = "n1"
        configuration.workerThreads = 1
        let loopback = IPAddress(v4: 0x7F00_0001)
        configuration.adminAddress = SocketAddress(loopback, UInt16.random(in: 20_000...29_000))
        configuration.readinessAddress = SocketAddress(loopback, 0)
        configuration.metricsAddress = SocketAddress(loopback, 0)
        configuration.drainDeadlineMilliseconds = 2000
        configuration.logLevels = LogLevels(.off)
        configuration.agent.foreignAgentSocketPath = agent.path
        return try StagedNode(configuration, try PodAgent(configuration, environment: [:]))
    }

    @Test func `brings pods in and out, each packet answered by one`() async throws {
        let agent = try ForeignAgent()
        let node = try startNode(agent)
        let (web, api) = (try PodNamespace(), try PodNamespace())
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        try agent.send(Packet.add, web.namespace.raw)
        try expectAcknowledgement(agent)
        #expect(isListening(web))
        #expect(!node.isReady)
        try agent.send(Packet.snapshotSent)
        try expectAcknowledgement(agent)
        #expect(await soon { node.isReady }, "\(node.readiness)")

        try agent.send(Packet.addOther, api.namespace.raw)
        try expectAcknowledgement(agent)
        #expect(isListening(api))
        // The same pod in the same namespace again: nothing happens, and it is answered.
        try agent.send(Packet.add, web.namespace.raw)
        try expectAcknowledgement(agent)
        try agent.send(Packet.remove)
        try expectAcknowledgement(agent)
        #expect(await soon { !isListening(web) })
        #expect(isListening(api))
        #expect(!agent.hasMore())
        #expect(await node.stop())
    }

    @Test func `that comes back keeps what runs and drops what it does not name`() async throws {
        let agent = try ForeignAgent()
        let node = try startNode(agent)
        let (web, api) = (try PodNamespace(), try PodNamespace())
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        for (packet, pod) in [(Packet.add, web), (Packet.addOther, api)] {
            try agent.send(packet, pod.namespace.raw)
            try expectAcknowledgement(agent)
        }
        try agent.send(Packet.snapshotSent)
        try expectAcknowledgement(agent)
        agent.close()
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        for pod in [web, api] { #expect(isListening(pod)) }
        try agent.send(Packet.keep)
        try expectAcknowledgement(agent)
        try agent.send(Packet.snapshotSent)
        try expectAcknowledgement(agent)
        #expect(await soon { !isListening(api) })
        #expect(isListening(web))
        #expect(await node.stop())
    }

    @Test func `hears why a pod is not captured, and the node is not ready meanwhile`() async throws
    {
        let agent = try ForeignAgent()
        let node = try startNode(agent)
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        // What comes is a namespace, but of mounts: no listener can be opened in it.
        let wrong = try NetworkNamespace(path: "/proc/self/ns/mnt")
        try agent.send(Packet.add, wrong.raw)
        let answer = try agent.receive()
        #expect(answer.hasPrefix("0a "))
        #expect(answer != Packet.acknowledgement)
        try agent.send(Packet.snapshotSent)
        try expectAcknowledgement(agent)
        #expect(node.readiness.contains("shop/web"))
        let web = try PodNamespace()
        try agent.send(Packet.add, web.namespace.raw)
        try expectAcknowledgement(agent)
        #expect(await soon { node.isReady }, "\(node.readiness)")
        #expect(await node.stop())
    }

    @Test(arguments: [
        "", "ff ff ff", Packet.addWithoutInfo, Packet.add, "2a 04 0a 02 75 31 fd",
    ])
    func `that breaks the protocol is left, and spoken to anew`(packet: String) async throws {
        let agent = try ForeignAgent()
        let node = try startNode(agent)
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        // None of these may come with no descriptor or be what it is.
        if packet.isEmpty { agent.close() } else { try agent.send(packet) }
        if !packet.isEmpty { #expect(try agent.receive() == "end") }
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        #expect(await node.stop())
    }

    @Test func `may name no pod after the snapshot as kept, nor end it twice`() async throws {
        let agent = try ForeignAgent()
        let node = try startNode(agent)
        for breach in [Packet.keep, Packet.snapshotSent] {
            try agent.accept()
            #expect(try agent.receive() == Packet.hello)
            try agent.send(Packet.snapshotSent)
            try expectAcknowledgement(agent)
            try agent.send(breach)
            #expect(try agent.receive() == "end")
        }
        let web = try PodNamespace()
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        // A descriptor with anything but Add, and two with Add.
        try agent.send(Packet.snapshotSent, web.namespace.raw)
        #expect(try agent.receive() == "end")
        try agent.accept()
        #expect(try agent.receive() == Packet.hello)
        try agent.send(Packet.add, web.namespace.raw, web.namespace.raw)
        #expect(try agent.receive() == "end")
        #expect(await node.stop())
    }

    /// The node's answer is an Ack without an error.
    private func expectAcknowledgement(
        _ agent: ForeignAgent,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try agent.receive()
        let words = answer.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        let text = String(decoding: words, as: UTF8.self)
        #expect(answer == Packet.acknowledgement, "\(text)", sourceLocation: sourceLocation)
    }

    /// Whether the tunnel's listener is open in a pod.
    private func isListening(_ pod: PodNamespace) -> Bool {
        let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"]
        let text = try? pod.namespace.run { () throws(SystemError) -> String in
            var all = ""
            for table in tables {
                guard let bytes = try? WatchedFile.contents(table, bytesMax: 1 << 20) else {
                    continue
                }
                all += String(decoding: bytes, as: UTF8.self)
            }
            return all
        }
        // Port 15008, state LISTEN.
        return text?.split(separator: "\n").contains { line in
            line.contains(":3AA0 ") && line.contains(" 0A ")
        } ?? false
    }
}
