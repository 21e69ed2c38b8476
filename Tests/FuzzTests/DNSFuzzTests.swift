import DNS
import Mesh
import Testing

@Suite struct `Arbitrary bytes as DNS` {
    private static func bytes(_ name: String, _ type: UInt8, _ more: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, more.isEmpty ? 0 : 1]
        bytes += DomainName(name)?.wire ?? []
        return bytes + [0, type, 0, 1] + more
    }

    private static let corpus: [[UInt8]] = [
        bytes("web.shop.svc.cluster.local", 1),
        bytes("web", 28),
        bytes("api.example.com.shop.svc.cluster.local", 1),
        bytes("db-0.db.shop.svc.cluster.local", 1, [0, 0, 41, 4, 0xD0, 0, 0, 0x80, 0, 0, 0]),
        bytes("db.shop.svc.cluster.local", 33),
        // A response with compression: a.b, then c.b by pointer.
        [
            0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0x61, 1, 0x62, 0, 0, 1, 0, 1, 1, 0x63, 0xC0,
            14, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 1, 2, 3, 4,
        ],
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1],
    ]

    private static let mesh: Snapshot = {
        var web = Service(name: "web", namespace: "shop", hostname: "web.shop.svc.cluster.local")
        web.addresses = [.init(network: "", prefix: IPPrefix(host: IPAddress(v4: 0x0A60_0001)))]
        var api = Service(name: "api", namespace: "shop", hostname: "api.example.com")
        api.addresses = web.addresses
        let headless = Service(
            name: "db",
            namespace: "shop",
            hostname: "db.shop.svc.cluster.local"
        )
        let pods = (0..<300).map { index in
            var pod = Workload(uid: "p\(index)", name: "db-\(index)", namespace: "shop")
            pod.addresses = [IPAddress(v4: 0x0A01_0000 | UInt32(index))]
            pod.hostname = "db-\(index).db.shop.svc.cluster.local"
            pod.services[headless.key] = []
            return pod
        }
        return Snapshot(version: 1, workloads: pods, services: [web, api, headless], policies: [])
    }()

    @Test func `get an answer that is itself a message, within the limit, or none`() {
        let resolver = Resolver(clusterDomain: "cluster.local", ownsClusterDomain: true)
        let client = Resolver.Client(namespace: "shop", network: "")
        fuzz("DNS queries", corpus: Self.corpus) { input, random in
            for transport in [Resolver.Transport.datagram, .stream] {
                let answer = resolver.answer(
                    input,
                    for: client,
                    in: Self.mesh,
                    over: transport,
                    using: &random
                )
                guard case .reply(let reply) = answer else { continue }
                let message = try DNSMessage(reply)
                try #require(message.flags.isResponse)
                try #require(reply.prefix(2) == input.prefix(2))
                try #require(transport == .stream || reply.count <= DNSMessage.datagramBytesMax)
                // What came as a query is never answered at greater length than it allows.
                if let query = try? DNSMessage(input), transport == .datagram {
                    let limit = max(512, Int(query.extension?.payloadBytes ?? 512))
                    try #require(reply.count <= limit)
                }
            }
            if let failure = Resolver.failure(input) { _ = try DNSMessage(failure) }
        }
    }

    @Test func `as answers reach a client only with its question`() {
        let nameserver = SocketAddress(IPAddress(v4: 1), 53)
        fuzz("DNS answers", corpus: Self.corpus) { input, random in
            var forwarding = Forwarding<Int>()
            let asked = Self.bytes("a.b", 1)
            let sent = forwarding.send(asked, for: 1, to: nameserver, now: 0, using: &random)
            var reply = input
            // Let it be the right id half of the time.
            if let sent, random.below(2) == 0, reply.count >= 2 {
                reply.replaceSubrange(0..<2, with: sent.prefix(2))
            }
            guard let taken = forwarding.receive(reply, from: nameserver) else { return }
            let message = try DNSMessage(taken.reply)
            try #require(message.id == 0x1234 && message.flags.isResponse)
            if let question = message.questions.first {
                try #require(question.name.text == "a.b" && question.type == 1)
            } else {
                try #require(message.flags.code != 0)
            }
            try #require(forwarding.count == 0)
        }
    }

    @Test func `in a stream make messages that put together are the stream`() {
        fuzz("DNS streams", corpus: Self.corpus + [[0, 2, 1, 2, 0, 0, 0, 1]]) { input, random in
            var stream = NameStream()
            var again: [UInt8] = []
            var rest = input[...]
            while !rest.isEmpty {
                let count = 1 + random.below(rest.count)
                stream.append(rest.prefix(count))
                rest = rest.dropFirst(count)
                while let message = stream.next() { again += NameStream.frame(message) ?? [] }
            }
            try #require(again == Array(input.prefix(again.count)))
            try #require(again.count + stream.pendingBytes == input.count)
        }
    }
}
