internal import JSON
internal import Telemetry

/// The paths of the admin server: which surface has them, and what they answer.
struct AdminRoutes {
    typealias Answer = (AdminResponse) -> Void

    private struct Route {
        let path: String
        let surfaces: Set<AdminSurface>
        let methods: [String]
        let help: String
        let serve: (any AdminBackend, AdminRequest, @escaping Answer) -> Void
    }

    private unowned let backend: any AdminBackend
    private let routes: [Route]

    init(backend: any AdminBackend) {
        self.backend = backend
        self.routes = Self.all
    }

    /// Answers a request, at once or later, exactly once unless the backend never answers.
    func respond(
        to request: AdminRequest,
        on surface: AdminSurface,
        _ done: @escaping Answer
    ) {
        if surface == .admin, let refusal = Self.refusal(of: request) { return done(refusal) }
        let served = routes.filter { $0.surfaces.contains(surface) }
        guard let route = served.first(where: { $0.path == request.path }) else {
            return done(AdminResponse(404, "no such page"))
        }
        guard route.methods.contains(request.method) else {
            let allowed = route.methods.joined(separator: ", ")
            var response = AdminResponse(405, "\(route.path) knows \(allowed)")
            response.allowed = allowed
            return done(response)
        }
        route.serve(backend, request, done)
    }

    /// Turns away what a web page of another origin may have had a browser of this machine send.
    ///
    /// A name that its owner resolves to 127.0.0.1 (DNS rebinding) shows in Host; a plain
    /// cross-site form shows in Origin or Sec-Fetch-Site.
    private static func refusal(of request: AdminRequest) -> AdminResponse? {
        if request.isCrossSite { return AdminResponse(403, "requests of web pages are refused") }
        guard let host = request.host, isLocal(host) else {
            return AdminResponse(403, "the Host must be localhost, 127.0.0.1 or [::1]")
        }
        return nil
    }

    private static func isLocal(_ host: String) -> Bool {
        ["localhost", "127.0.0.1", "[::1]"].contains { name in
            guard host.lowercased().hasPrefix(name) else { return false }
            let rest = host.dropFirst(name.count)
            if rest.isEmpty { return true }
            let port = rest.dropFirst()
            return rest.first == ":" && (1...5).contains(port.utf8.count)
                && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
    }

    // MARK: the table

    private static let reads = ["GET", "HEAD"]

    private static var all: [Route] { stateRoutes + observationRoutes }

    private static var stateRoutes: [Route] {
        [
            Route(
                path: "/",
                surfaces: [.admin],
                methods: reads,
                help: "this list",
                serve: { _, _, done in done(index) }
            ),
            Route(
                path: "/config_dump",
                surfaces: [.admin],
                methods: reads,
                help: "state of the mesh, certificates, pods and connections, as JSON",
                serve: dump
            ),
            Route(
                path: "/mesh_state",
                surfaces: [.admin],
                methods: reads,
                help: "workloads, services and policies as a mesh state file has them, as JSON",
                serve: { backend, _, done in
                    done(json(AdminDump.meshState(backend.snapshot)))
                }
            ),
            Route(
                path: "/connections",
                surfaces: [.admin],
                methods: reads,
                help: "open connections by workload, as JSON",
                serve: connections
            ),
            Route(
                path: "/logging",
                surfaces: [.admin],
                methods: reads + ["POST"],
                help: "log levels; POST ?level=info,dns=debug changes them, ?reset undoes that",
                serve: logging
            ),
            Route(
                path: "/quitquitquit",
                surfaces: [.admin],
                methods: ["POST"],
                help: "POST drains the node and ends it",
                serve: quit
            ),
        ]
    }

    private static var observationRoutes: [Route] {
        [
            Route(
                path: "/version",
                surfaces: [.admin],
                methods: reads,
                help: "what was built, as JSON",
                serve: { backend, _, done in done(json(AdminDump.build(of: backend))) }
            ),
            Route(
                path: "/metrics",
                surfaces: [.admin, .metrics],
                methods: reads,
                help: "metrics as Prometheus text or OpenMetrics",
                serve: metrics
            ),
            Route(
                path: "/stats/prometheus",
                surfaces: [.admin, .metrics],
                methods: reads,
                help: "the same",
                serve: metrics
            ),
            Route(
                path: "/healthz/ready",
                surfaces: [.admin, .readiness],
                methods: reads,
                help: "whether the node is ready, else what it waits for",
                serve: readiness
            ),
        ]
    }

    private static var index: AdminResponse {
        AdminResponse(
            200,
            "ambit-node\n\n" + all.map { "\($0.path)\n    \($0.help)" }.joined(separator: "\n")
        )
    }

    // MARK: the pages

    private static func dump(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: @escaping Answer
    ) {
        backend.connections { [weak backend] reports in
            guard let backend else { return }
            done(json(AdminDump.everything(of: backend, connections: reports)))
        }
    }

    private static func connections(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: @escaping Answer
    ) {
        backend.connections { reports in
            done(json(AdminDump.connections(reports)))
        }
    }

    private static func logging(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: Answer
    ) {
        let log = backend.log
        if request.method == "POST" {
            let isReset = request.parameter("reset") != nil
            guard isReset || request.parameter("level") != nil else {
                return done(AdminResponse(400, "say ?level=LEVELS or ?reset"))
            }
            let base = isReset ? backend.configuration.logLevels : log.levels
            do throws(LogLevels.Failure) {
                log.levels =
                    try request.parameter("level").map { text throws(LogLevels.Failure) in
                        try LogLevels(text, base: base)
                    } ?? base
            } catch {
                return done(AdminResponse(400, error.description))
            }
            log.info(.admin, "log levels set", ["levels": .text(log.levels.description)])
        }
        done(AdminResponse(200, "current log levels are \(log.levels)"))
    }

    private static func quit(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: Answer
    ) {
        backend.log.info(.admin, "asked to drain")
        backend.startDrain()
        done(AdminResponse(200, "draining"))
    }

    private static func metrics(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: Answer
    ) {
        let openMetrics = Metrics.wantsOpenMetrics(accept: request.accept)
        done(
            AdminResponse(
                contentType: Metrics.contentType(openMetrics: openMetrics),
                body: backend.renderMetrics(openMetrics: openMetrics)
            )
        )
    }

    private static func readiness(
        _ backend: any AdminBackend,
        _ request: AdminRequest,
        _ done: Answer
    ) {
        let reasons = backend.pendingReasons()
        guard !reasons.isEmpty else { return done(AdminResponse(200, "ready")) }
        done(AdminResponse(500, "not ready: " + reasons.joined(separator: ", ")))
    }

    private static func json(_ value: JSON) -> AdminResponse {
        AdminResponse(contentType: "application/json", body: value.pretty())
    }
}
