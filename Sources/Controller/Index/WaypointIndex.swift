internal import Kubernetes
internal import Mesh

/// Gateways of our class, and who asks for which of them.
///
/// A waypoint that is asked for but cannot be used (there is none, it is of another class, it lets
/// the namespace not in) stands under a name that nobody has, so that nodes refuse the traffic
/// rather than lead it past the waypoint, or to whoever else has the name.
struct WaypointIndex: Sendable {
    /// What asks for a waypoint.
    enum User: Sendable, Hashable {
        /// All of its services and pods that do not ask for themselves.
        case namespace(String)
        case service(NamespacedName)
        case pod(NamespacedName)
    }

    /// What traffic is addressed to (label `istio.io/waypoint-for`).
    enum Target: Sendable { case service, workload }

    /// A waypoint that was asked for.
    struct Request: Sendable, Equatable {
        /// Nil when the object opts out.
        var gateway: NamespacedName?
        /// The label that says so.
        var label: String
    }

    /// The answer to a request.
    struct Answer: Sendable, Equatable {
        var address: GatewayAddress?
        /// Why the waypoint cannot be used.
        var problem: String?
    }

    /// The port at which waypoints take HBONE.
    private static let port: UInt16 = 15008
    private static let classes: Set<String> = ["ambit-waypoint", "istio-waypoint"]
    private static let prefixes = ["ambit.dev/", "istio.io/"]

    private let clusterDomain: String
    private var gateways: [NamespacedName: Gateway] = [:]
    private var users = Postings<NamespacedName, User>()
    private var requests: [User: NamespacedName] = [:]

    init(clusterDomain: String) {
        self.clusterDomain = clusterDomain
    }

    /// What an object's labels ask for; nil when they say nothing.
    static func request(by labels: [String: String], in namespace: String) -> Request? {
        for prefix in prefixes {
            guard let name = labels[prefix + "use-waypoint"] else { continue }
            let label = "metadata.labels." + prefix + "use-waypoint"
            guard name != "none", !name.isEmpty else { return Request(gateway: nil, label: label) }
            let home = labels[prefix + "use-waypoint-namespace"] ?? namespace
            return Request(gateway: NamespacedName(home, name), label: label)
        }
        return nil
    }

    /// Whether the object belongs to a gateway, whose own traffic goes to no waypoint.
    static func isGatewayPart(_ labels: [String: String]) -> Bool {
        labels["gateway.networking.k8s.io/gateway-name"] != nil
    }

    /// Notes what a user asks for now.
    mutating func note(_ request: Request?, by user: User) {
        let gateway = request?.gateway
        guard requests[user] != gateway else { return }
        if let old = requests[user] { users.remove(user, for: old) }
        requests[user] = gateway
        if let gateway { users.insert(user, for: gateway) }
    }

    /// Adds, replaces or removes a gateway; returns who has to look again.
    mutating func set(_ gateway: Gateway?, named name: NamespacedName) -> Set<User> {
        guard gateways[name] != gateway else { return [] }
        gateways[name] = gateway
        return users[name]
    }

    /// The waypoint for traffic to a service or workload of a namespace.
    func answer(
        _ request: Request,
        for target: Target,
        from namespace: Namespace
    ) -> Answer {
        guard let name = request.gateway else { return Answer() }
        guard let gateway = gateways[name] else {
            return refused(name, "there is no Gateway \(name)")
        }
        guard Self.classes.contains(gateway.className) else {
            let found = FieldError.quoted(gateway.className)
            return refused(name, "the class of Gateway \(name) is no waypoint's: \(found)")
        }
        let labels = gateway.metadata.labels
        let serves =
            labels["ambit.dev/waypoint-for"] ?? labels["istio.io/waypoint-for"] ?? "service"
        switch (serves, target) {
        case ("all", _), ("service", .service), ("workload", .workload): break
        case ("service", _), ("workload", _), ("none", _): return Answer()
        default:
            let found = FieldError.quoted(serves)
            return refused(name, "Gateway \(name) is a waypoint for \(found), which is not known")
        }
        guard Self.admits(gateway, namespace) else {
            let reason = "Gateway \(name) does not let namespace \(namespace.metadata.name) in"
            return refused(name, reason + " (spec.listeners.allowedRoutes.namespaces)")
        }
        let host = "\(name.name).\(name.namespace).svc.\(clusterDomain)"
        return Answer(address: address(name, host))
    }

    private static func admits(_ gateway: Gateway, _ namespace: Namespace) -> Bool {
        guard gateway.metadata.namespace != namespace.metadata.name else { return true }
        let tunnels = gateway.listeners.filter { $0.protocolName == "HBONE" }
        return (tunnels.isEmpty ? gateway.listeners : tunnels).contains { listener in
            switch listener.allowedNamespaces {
            case .all: true
            case .same, .none: false
            case .selected(let selector): selector.selects(namespace.metadata.labels)
            }
        }
    }

    // `invalid` is a name that can never be (RFC 6761 §6.4).
    private func refused(_ name: NamespacedName, _ problem: String) -> Answer {
        Answer(address: address(name, "\(name.name).\(name.namespace).invalid"), problem: problem)
    }

    private func address(_ name: NamespacedName, _ host: String) -> GatewayAddress {
        GatewayAddress(
            destination: .hostname(namespace: name.namespace, hostname: host),
            hboneMTLSPort: Self.port
        )
    }
}
