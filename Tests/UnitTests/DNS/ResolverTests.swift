import DNS
import Mesh
import Testing

@Suite struct `The resolver` {
    private let resolver = Resolver(clusterDomain: "cluster.local")
    private let client = Resolver.Client(namespace: "shop", network: "")

    private static func address(_ text: String) throws -> IPAddress {
        try #require(IPAddress(text))
    }

    private static func service(
        _ name: String,
        _ namespace: String = "shop",
        hostname: String? = nil,
        to addresses: [String] = [],
        canonical: Bool = true
    ) throws -> Service {
        var service = Service(
            name: name,
            namespace: namespace,
            hostname: hostname ?? "\(name).\(namespace).svc.cluster.local"
        )
        service.canonical = canonical
        service.addresses = try addresses.map {
            Service.VirtualAddress(network: "", prefix: IPPrefix(host: try address($0)))
        }
        return service
    }

    private static func pod(
        _ name: String,
        _ addresses: [String],
        in service: Service,
        status: Workload.Status = .healthy
    ) throws -> Workload {
        var pod = Workload(uid: "c//Pod/shop/\(name)", name: name, namespace: "shop")
        pod.addresses = try addresses.map { try address($0) }
        pod.status = status
        pod.hostname = name + "." + service.hostname
        pod.services[service.key] = [ServicePort(servicePort: 80, targetPort: 80)]
        return pod
    }

    private func mesh() throws -> Snapshot {
        let headless = try Self.service("db")
        let empty = try Self.service("empty")
        var all = try Self.service("all")
        all.loadBalancing.healthPolicy = .allowAll
        var elsewhere = try Self.service("far")
        elsewhere.addresses = [
            .init(network: "other", prefix: IPPrefix(host: try Self.address("10.96.0.9")))
        ]
        var secret = try Self.service("secret", "vault", to: ["10.96.0.8"])
        secret.visibility = .namespace
        return Snapshot(
            version: 1,
            workloads: [
                try Self.pod("db-0", ["10.1.0.1", "fd00::1"], in: headless),
                try Self.pod("db-1", ["10.1.0.2"], in: headless),
                try Self.pod("db-2", ["10.1.0.3"], in: headless, status: .unhealthy),
                try Self.pod("all-0", ["10.1.0.4"], in: all, status: .unhealthy),
            ],
            services: [
                try Self.service("web", to: ["10.96.0.1", "fd96::1"]),
                try Self.service("four", to: ["10.96.0.2"]),
                headless, empty, all, elsewhere, secret,
                try Self.service("pay", "bank", to: ["10.96.0.3"]),
                try Self.service(
                    "api",
                    hostname: "API.example.com",
                    to: ["240.240.0.1"],
                    canonical: false
                ),
                try Self.service(
                    "any",
                    hostname: "*.wild.org",
                    to: ["240.240.0.2"],
                    canonical: false
                ),
                try Self.service("bare", hostname: "bare.example.com", canonical: false),
            ],
            policies: []
        )
    }

    private func ask(
        _ bytes: [UInt8],
        client: Resolver.Client? = nil,
        resolver: Resolver? = nil,
        over transport: Resolver.Transport = .datagram
    ) throws -> Resolver.Answer {
        var random = CountingGenerator()
        return (resolver ?? self.resolver).answer(
            bytes,
            for: client ?? self.client,
            in: try mesh(),
            over: transport,
            using: &random
        )
    }

    private func addresses(_ name: String, _ type: UInt16 = 1) throws -> Set<String>? {
        guard case .reply(let bytes) = try ask(query(name, type: type)) else { return nil }
        let response = try #require(ReadResponse(bytes))
        #expect(response.code == 0 && response.isAuthoritative && response.id == 0x1234)
        return Set(response.addresses.compactMap { IPAddress(bytes: $0)?.description })
    }

    @Test(
        arguments: [
            ("web.shop.svc.cluster.local", 1, ["10.96.0.1"]),
            ("web.shop.svc.cluster.local", 28, ["fd96::1"]),
            ("WEB.Shop.svc.Cluster.LOCAL", 1, ["10.96.0.1"]),
            ("web", 1, ["10.96.0.1"]),
            ("web.shop.svc", 1, ["10.96.0.1"]),
            ("pay.bank.svc", 1, ["10.96.0.3"]),
            ("four.shop.svc.cluster.local", 28, []),
            ("db.shop.svc.cluster.local", 1, ["10.1.0.1", "10.1.0.2"]),
            ("db.shop.svc.cluster.local", 28, ["fd00::1"]),
            ("db-0.db.shop.svc.cluster.local", 1, ["10.1.0.1"]),
            ("db-0.db.shop.svc.cluster.local", 28, ["fd00::1"]),
            ("db-1.db.shop.svc", 28, []),
            ("all.shop.svc.cluster.local", 1, ["10.1.0.4"]),
            ("empty.shop.svc.cluster.local", 1, []),
            ("far.shop.svc.cluster.local", 1, []),
            ("api.example.com", 1, ["240.240.0.1"]),
            ("deep.in.wild.org", 1, ["240.240.0.2"]),
        ] as [(String, UInt16, [String])]
    )
    func `knows`(_ name: String, _ type: UInt16, _ expected: [String]) throws {
        #expect(try addresses(name, type) == Set(expected))
    }

    @Test(
        arguments: [
            ("example.com", 1), ("nothere.shop.svc.cluster.local", 1), ("web.bank.svc", 1),
            ("db-2.db.shop.svc.cluster.local", 1),  // not ready
            ("db-9.db.shop.svc.cluster.local", 1), ("bare.example.com", 1), ("wild.org", 1),
            ("pay.bank", 1),  // would let a namespace `com` own google.com
            ("secret.vault.svc.cluster.local", 1),  // not for this namespace
            ("web.shop.svc.cluster.local", 33), ("web.shop.svc.cluster.local", 16),
            ("web.shop.svc.cluster.local", 65), ("web.shop.svc.cluster.local", 255),
            (".", 1), ("pay", 1),
        ] as [(String, UInt16)]
    )
    func `leaves to the nameserver`(_ name: String, _ type: UInt16) throws {
        #expect(try ask(query(name, type: type)) == .forward)
    }

    @Test func `gives an alias for a name with a search domain behind it`() throws {
        for suffix in [".shop.svc.cluster.local", ".svc.cluster.local", ".cluster.local"] {
            let bytes = query("api.example.com" + suffix, type: 1)
            guard case .reply(let reply) = try ask(bytes) else {
                Issue.record("\(suffix) was not answered")
                continue
            }
            let response = try #require(ReadResponse(reply))
            #expect(response.answers.map(\.type) == [5, 1])
            #expect(response.answers.first?.data == DomainName("api.example.com")?.wire)
            #expect(response.answers.last?.data == [240, 240, 0, 1])
            // The address belongs to the alias's target, which stands in the first record.
            let owner = reply.count - 16
            let target = 12 + (bytes.count - 12) + 12
            #expect(Array(reply[owner..<(owner + 2)]) == big(0xC000 | UInt16(target)))
        }
        // What resolvers with ndots:5 send first for a full name.
        let twice = "web.shop.svc.cluster.local.shop.svc.cluster.local"
        #expect(try addresses(twice) == ["10.96.0.1"])
    }

    @Test func `repeats the question as it was sent`() throws {
        let bytes = query("wEb.sHop.svC.cluster.local", type: 1, flags: 0x0110)
        guard case .reply(let reply) = try ask(bytes) else { throw Unexpected() }
        #expect(Array(reply[12..<bytes.count]) == Array(bytes[12...]))
        // A response, authoritative, recursion desired and available, checking disabled.
        #expect(Array(reply[2..<4]) == [0x85, 0x90])
        #expect(try #require(ReadResponse(reply)).answers.map(\.ttl) == [30])
    }

    @Test func `gives no IPv6 address to a pod without IPv6`() throws {
        let client = Resolver.Client(namespace: "shop", network: "", ipv6: false)
        let bytes = query("web", type: 28)
        guard case .reply(let reply) = try ask(bytes, client: client) else { throw Unexpected() }
        let response = try #require(ReadResponse(reply))
        #expect(response.code == 0 && response.answers.isEmpty)
    }

    @Test func `says that a name does not exist where nobody else could know it`() throws {
        let owner = Resolver(clusterDomain: "cluster.local", ownsClusterDomain: true)
        let unknown = query("nothere.shop.svc.cluster.local", type: 1)
        guard case .reply(let reply) = try ask(unknown, resolver: owner) else { throw Unexpected() }
        #expect(ReadResponse(reply)?.code == 3)
        #expect(try ask(query("example.com", type: 1), resolver: owner) == .forward)
        let service = query("nothere.shop.svc.cluster.local", type: 33)
        #expect(try ask(service, resolver: owner) == .forward)
    }

    @Test func `refuses what is no proper query`() throws {
        let good = query("web", type: 1)
        #expect(try ask([]) == .drop)
        #expect(try ask([1, 2, 3, 4]) == .drop)
        var response = good
        response[2] |= 0x80
        #expect(try ask(response) == .drop)
        #expect(try code(Array(good.dropLast())) == 1)
        var none = good
        none[5] = 0
        #expect(try code(Array(none[..<12])) == 1)
        var status = good
        status[2] = 0x10
        #expect(try code(status) == 4)
        var chaos = good
        chaos[chaos.count - 1] = 3
        #expect(try ask(chaos) == .forward)
        let long = good + [UInt8](repeating: 0, count: 5000)
        #expect(try code(long) == 1)
        #expect(try ask(long, over: .stream) != .drop)
    }

    private func code(_ bytes: [UInt8]) throws -> UInt8? {
        guard case .reply(let reply) = try ask(bytes) else { return nil }
        return ReadResponse(reply)?.code
    }

    @Test func `refuses an EDNS version it does not speak`() throws {
        var bytes = query("web", type: 1, payload: 1232)
        bytes[bytes.count - 5] = 1
        guard case .reply(let reply) = try ask(bytes) else { throw Unexpected() }
        let response = try #require(ReadResponse(reply))
        #expect(response.extendedCode == 1 && response.code == 0)
    }

    @Test(
        arguments: [
            (nil, 512), (0, 512), (1232, 1232), (65535, 4096),
        ] as [(UInt16?, Int)]
    )
    func `cuts what does not fit a datagram`(_ payload: UInt16?, _ limit: Int) throws {
        let service = try Self.service("big")
        let pods = try (0..<2000).map {
            try Self.pod("big-\($0)", ["10.2.\($0 / 250).\($0 % 250)"], in: service)
        }
        let snapshot = Snapshot(version: 1, workloads: pods, services: [service], policies: [])
        let bytes = query("big.shop.svc.cluster.local", type: 1, payload: payload)
        var random = CountingGenerator()
        var seen: Set<[UInt8]> = []
        for _ in 0..<3 {
            let answer = resolver.answer(
                bytes,
                for: client,
                in: snapshot,
                over: .datagram,
                using: &random
            )
            guard case .reply(let reply) = answer else { throw Unexpected() }
            #expect(reply.count <= limit && reply.count > limit - 16)
            let response = try #require(ReadResponse(reply))
            #expect(response.isTruncated)
            #expect(response.extensionPayload == (payload == nil ? nil : 4096))
            seen.formUnion(response.addresses)
        }
        // Each answer is another selection.
        #expect(seen.count > limit / 16)
        let whole = resolver.answer(
            bytes,
            for: client,
            in: snapshot,
            over: .stream,
            using: &random
        )
        guard case .reply(let reply) = whole else { throw Unexpected() }
        let response = try #require(ReadResponse(reply))
        #expect(response.answers.count == Resolver.addressesMax && !response.isTruncated)
    }

    @Test func `makes a failure of a query only`() throws {
        let failure = try #require(Resolver.failure(query("web", type: 1)))
        #expect(ReadResponse(failure)?.code == 2)
        #expect(Resolver.failure(failure) == nil)
        #expect(Resolver.failure([1]) == nil)
    }
}

/// What a test did not expect.
struct Unexpected: Error {}
