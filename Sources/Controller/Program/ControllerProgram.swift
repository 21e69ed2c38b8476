package import Discovery
internal import JSON
package import Kubernetes
internal import Logging
internal import Mesh
internal import NIOHTTP1
internal import Reactor
internal import Synchronization

/// The controller: follows a cluster, serves discovery and certificates, and, while it leads,
/// writes status.
package final class ControllerProgram: Sendable {
    /// Takes part in an election until its task is cancelled, and then gives back what it holds
    /// before it returns; says true when leadership begins, false when it ends.
    package typealias Election = @Sendable (_ changed: @Sendable (Bool) -> Void) async -> Void

    let settings: ControllerSettings
    let cluster: any Cluster
    let election: Election?
    let log = Logger(label: "ambit-controller")

    let store: ResourceStore
    private let keeper: MeshKeeper
    let authority: MeshAuthority
    let revocations = RevocationKeeper()
    /// What was served so far.
    package let metrics = DiscoveryMetrics()
    let isLeader = Mutex(false)
    private let servingPort = Mutex<UInt16?>(nil)

    /// Makes a controller of a cluster.
    ///
    /// `election` says whether this replica is the one that writes; nil where there is nothing to
    /// write to.
    package init(
        settings: ControllerSettings,
        cluster: any Cluster,
        election: Election?
    ) {
        self.settings = settings
        self.cluster = cluster
        self.election = election
        var storeSettings = ResourceStore.Settings()
        storeSettings.rootNamespace = settings.mesh.rootNamespace
        let store = ResourceStore(settings: storeSettings)
        self.store = store
        keeper = MeshKeeper(settings: settings.mesh) { store.apply($0) }
        authority = MeshAuthority(trustDomain: settings.mesh.trustDomain)
    }

    /// Serves until the task is cancelled; throws when an address cannot be bound.
    package func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { await self.keeper.run(self.cluster) }
            group.addTask { try await self.servePlain() }
            group.addTask { try await self.serveControl() }
            group.addTask { await self.keepAuthority() }
            group.addTask { await self.followLeadership() }
            defer { group.cancelAll() }
            // None of them ends by itself but on an error.
            try await group.next()
        }
    }

    /// Where discovery and certificates are served; nil before that.
    package var port: UInt16? { servingPort.withLock(\.self) }

    // MARK: Serving

    private func serveControl() async throws {
        // Nothing can be served without a certificate, and nothing should without the mesh, or
        // before it is known what is revoked.
        while true {
            let hasTold = await keeper.hasTold
            if hasTold, authority.current != nil, revocations.current != nil { break }
            try await Pause.wait(for: .milliseconds(50))
        }
        guard let held = authority.current else { return }
        // The first list of a large cluster leaves much behind.
        Process.trimMemory()
        let now = WallClock.seconds
        let certificate = try ServerCertificate(
            authority: held.authority,
            names: settings.allServerNames,
            notBefore: now - MeshAuthority.backdateSeconds,
            notAfter: now + Self.serverCertificateSeconds
        )
        let authorization = nodeAuthorization()
        let (log, record) = (log, metrics)
        let events: DiscoveryLog = { Self.note($0, log) }
        let authenticate: Authenticator = { await authorization.caller($0) }
        let discovery = DiscoveryServer(
            store: store,
            metrics: record,
            log: events,
            authenticate: authenticate
        )
        var signing = CertificateService.Settings()
        signing.trustDomain = settings.mesh.trustDomain
        let (least, most) = (settings.certificateSecondsMin, settings.certificateSeconds)
        signing.lifetimeSeconds = min(least, most)...most
        signing.lifetimeDefaultSeconds = most
        let certificates = CertificateService(
            source: authority,
            settings: signing,
            metrics: record,
            log: events,
            authenticate: authenticate,
            mayRequest: { await authorization.mayRequest($0, $1) }
        )
        let server = try ControlServer(
            address: settings.address,
            certificate: certificate,
            services: [discovery, certificates]
        )
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            group.addTask { await discovery.run() }
            group.addTask { await self.renew(certificate) }
            group.addTask {
                let port = try await server.port
                self.servingPort.withLock { $0 = port }
                log.info("serving discovery and certificates", metadata: ["port": "\(port)"])
                try await Pause.wait(for: .seconds(Int64.max >> 32))
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static let serverCertificateSeconds: Int64 = 24 * 3600

    // A new one at half its life, and as soon as another authority signs.
    private func renew(_ certificate: ServerCertificate) async {
        var signer = authority.current?.material
        var due = WallClock.seconds + Self.serverCertificateSeconds / 2
        while (try? await Pause.wait(for: .seconds(1))) != nil {
            guard let held = authority.current else { continue }
            let now = WallClock.seconds
            guard held.material != signer || now >= due else { continue }
            do {
                try certificate.replace(
                    authority: held.authority,
                    names: settings.allServerNames,
                    notBefore: now - MeshAuthority.backdateSeconds,
                    notAfter: now + Self.serverCertificateSeconds
                )
                (signer, due) = (held.material, now + Self.serverCertificateSeconds / 2)
            } catch {
                log.error("server certificate not renewed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func nodeAuthorization() -> NodeAuthorization {
        var rules = NodeAuthorization.Settings()
        rules.audiences = settings.audiences
        rules.nodeAccounts = settings.nodeAccounts
        rules.trustDomain = settings.mesh.trustDomain
        let keeper = keeper
        return NodeAuthorization(
            cluster: cluster,
            settings: rules,
            pods: NodeAuthorization.Pods(
                find: { await keeper.pod($0) },
                runs: { await keeper.runs($0, on: $1) }
            )
        )
    }

    private static func note(_ event: DiscoveryEvent, _ log: Logger) {
        switch event {
        case .connected(let caller, let node):
            log.info("node connected", metadata: ["pod": "\(caller.podName)", "node": "\(node)"])
        case .disconnected(let caller, let reason):
            log.info(
                "node disconnected",
                metadata: ["pod": "\(caller.podName)", "reason": "\(reason)"]
            )
        case .refused(let peer, let reason):
            log.warning("call refused", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
        case .notAcknowledged(let caller, let typeURL, let reason):
            log.warning(
                "node refused resources",
                metadata: [
                    "pod": "\(caller.podName)", "type": "\(typeURL)", "reason": "\(reason)",
                ]
            )
        case .certified(let caller, let identity):
            log.debug(
                "certificate signed",
                metadata: ["node": "\(caller.nodeName)", "identity": "\(identity)"]
            )
        case .notCertified(let caller, let reason):
            log.warning(
                "certificate refused",
                metadata: ["node": "\(caller?.nodeName ?? "")", "reason": "\(reason)"]
            )
        }
    }

    // MARK: Leading

    private func followLeadership() async {
        guard let election else {
            // There is no status to write: the log is all that authors have.
            for await keys in keeper.changedFindings { await tellFindings(keys) }
            return
        }
        let writer = StatusWriter(
            cluster: cluster,
            keeper: keeper,
            instance: settings.instance,
            log: log
        )
        let (leadership, changes) = AsyncStream<Bool>.makeStream(
            bufferingPolicy: .bufferingNewest(2)
        )
        await withTaskGroup { group in
            group.addTask { await writer.run() }
            group.addTask { await election { changes.yield($0) } }
            for await leads in leadership {
                isLeader.withLock { $0 = leads }
                log.notice(leads ? "leading" : "no longer leading")
                await writer.lead(leads)
            }
            group.cancelAll()
        }
    }

    private func tellFindings(_ keys: Set<ObjectKey>) async {
        for key in keys {
            let report = await keeper.report(on: key)
            if let refusal = report.refusal {
                log.error("object refused", metadata: ["error": "\(refusal)"])
            }
            for warning in report.warnings {
                log.warning("object not as it reads", metadata: ["warning": "\(warning)"])
            }
        }
    }

    // MARK: Health, metrics, debugging

    private func servePlain() async throws {
        let server = try await PlainServer(address: settings.metricsAddress) { path in
            await self.page(path)
        }
        defer { Task { await server.stop() } }
        guard settings.debugPort != 0 else {
            return try await Pause.wait(for: .seconds(Int64.max >> 32))
        }
        let loopback = SocketAddress(IPAddress(v4: 0x7F00_0001), settings.debugPort)
        let debug = try await PlainServer(address: loopback) { path in
            await self.debugPage(path)
        }
        defer { Task { await debug.stop() } }
        try await Pause.wait(for: .seconds(Int64.max >> 32))
    }

    private func page(_ path: String) async -> PlainServer.Answer? {
        switch path {
        case "/healthz": return PlainServer.Answer(body: "ok\n")
        case "/readyz":
            let missing = await keeper.missingKinds
            if port != nil { return PlainServer.Answer(body: "ready\n") }
            var waits = missing.map { "objects of kind \($0)" }
            if authority.current == nil { waits.append("the certificate authority") }
            if revocations.current == nil {
                let problem = revocations.problem.map { ": \($0)" } ?? ""
                waits.append("the revocation lists\(problem)")
            }
            if waits.isEmpty { waits.append("the server's socket") }
            let body = "waiting for: " + waits.joined(separator: ", ") + "\n"
            return PlainServer.Answer(status: .serviceUnavailable, body: body)
        case "/metrics":
            let page = ControllerMetrics(
                keeper: await keeper.statistics,
                discovery: metrics.current,
                store: store.statistics,
                authority: authority.current,
                revocations: revocations,
                isLeader: isLeader.withLock(\.self)
            )
            return PlainServer.Answer(
                contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: page.text
            )
        default: return nil
        }
    }

    private func debugPage(_ path: String) async -> PlainServer.Answer? {
        let json = "application/json"
        switch path {
        case "/debug/mesh":
            let text = String(decoding: await keeper.state.json.compact(), as: UTF8.self)
            return PlainServer.Answer(contentType: json, body: text)
        case "/debug/clients":
            let counts = metrics.current
            return PlainServer.Answer(
                contentType: json,
                body: "{\"connections\":\(counts.connections),\"total\":\(counts.connectionsTotal)}"
            )
        default: return nil
        }
    }
}
