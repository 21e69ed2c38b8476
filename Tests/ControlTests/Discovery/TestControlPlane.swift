import Discovery
import Identity
import Mesh
import Reactor
import TLS
import Testing

/// A control plane on the loopback with its own root, and the tokens it knows.
final class TestControlPlane: Sendable {
    /// Callers by token; others are foreign.
    let tokens = Shared(["good": caller])
    let events = Shared<[DiscoveryEvent]>([])
    let store: ResourceStore
    let metrics = DiscoveryMetrics()
    let authority: Authority
    let certificate: ServerCertificate
    let discovery: DiscoveryServer
    let signer: Signer
    let server: ControlServer

    static let caller = Caller(
        namespace: "ambit-system",
        serviceAccount: "ambit-node",
        podName: "ambit-node-abc",
        podUID: "uid-1",
        nodeName: "node-1"
    )

    /// Nothing listens before `run`.
    init(
        store: ResourceStore = ResourceStore(),
        authority: Authority? = nil,
        address: String = "127.0.0.1:0",
        discovery settings: DiscoveryServer.Settings = .allPolicies,
        certificates: CertificateService.Settings = CertificateService.Settings(),
        hosted: Set<SPIFFEID> = []
    ) throws {
        let now = WallClock.nanoseconds() / 1_000_000_000
        let authority =
            try authority
            ?? Authority.root(
                trustDomain: "cluster.local",
                notBefore: now - 60,
                notAfter: now + 3600
            )
        self.authority = authority
        self.store = store
        self.signer = Signer(authority: authority)
        self.certificate = try ServerCertificate(
            authority: authority,
            names: ["localhost", "control.test"],
            notBefore: now - 60,
            notAfter: now + 3600
        )
        let tokens = self.tokens
        let events = self.events
        let authenticate: Authenticator = { token in
            tokens.value[token].map { .success($0) } ?? .failure(Refusal("a foreign token"))
        }
        let log: DiscoveryLog = { event in events.change { $0.append(event) } }
        self.discovery = DiscoveryServer(
            store: store,
            settings: settings,
            metrics: metrics,
            log: log,
            authenticate: authenticate
        )
        let service = CertificateService(
            source: signer,
            settings: certificates,
            metrics: metrics,
            log: log,
            authenticate: authenticate,
            mayRequest: { caller, identity in
                hosted.contains(identity) ? .success(()) : .failure(Refusal("not on its node"))
            }
        )
        self.server = try ControlServer(
            address: try #require(SocketAddress(address)),
            certificate: certificate,
            services: [discovery, service]
        )
    }

    /// Serves while the body runs.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (_ port: UInt16) async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try await self.server.run()
                return nil
            }
            group.addTask {
                await self.discovery.run()
                return nil
            }
            group.addTask { try await body(try await self.server.port) }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
            }
            throw TookTooLong()
        }
    }

    /// How a client reaches it at a port.
    func endpoint(_ port: UInt16) throws -> ControlEndpoint {
        try #require(
            ControlEndpoint("localhost:\(port)", roots: .text(authority.certificate.pem))
        )
    }
}

extension DiscoveryServer.Settings {
    /// Every node gets every policy, wherever its pods are.
    static var allPolicies: Self {
        var settings = Self()
        settings.scopesPolicies = false
        return settings
    }
}

/// Objects of a mesh, as many as wanted.
enum Sample {
    static func workload(_ name: String, _ namespace: String = "shop", at address: String? = nil)
        -> Workload
    {
        var workload = Workload(
            uid: "Kubernetes//Pod/\(namespace)/\(name)",
            name: name,
            namespace: namespace
        )
        workload.addresses = address.flatMap { IPAddress($0) }.map { [$0] } ?? []
        workload.tunnelProtocol = .hbone
        return workload
    }

    static func service(_ name: String, _ namespace: String = "shop") -> Service {
        var service = Service(
            name: name,
            namespace: namespace,
            hostname: "\(name).\(namespace).svc.cluster.local"
        )
        service.ports = [ServicePort(servicePort: 80, targetPort: 8080)]
        return service
    }

    static func policy(
        _ name: String,
        _ namespace: String = "shop",
        _ scope: Policy.Scope = .namespace
    ) -> Policy {
        var policy = Policy(name: name, namespace: namespace, scope: scope, action: .allow)
        var match = Policy.Match()
        match.namespaces = [.exact(name)]
        policy.rules = [Policy.Rule(clauses: [Policy.Clause(matches: [match])])]
        return policy
    }
}

extension MeshChange {
    /// A change that sets these.
    init(workloads: [Workload] = [], services: [Service] = [], policies: [Policy] = []) {
        self.init()
        self.workloads = workloads
        self.services = services
        self.policies = policies
    }
}
