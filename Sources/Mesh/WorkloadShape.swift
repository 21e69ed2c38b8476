/// What the workloads of one owner have in common: one object for as many as say the same.
///
/// Changed only while a single workload has it, as the storage of an array is.
final class WorkloadShape: @unchecked Sendable, Hashable {
    struct Fields: Sendable, Hashable {
        var namespace: String
        var hostname: String = ""
        var tunnelProtocol: Workload.TunnelProtocol = .none
        var trustDomain: String = "cluster.local"
        var serviceAccount: String = "default"
        var canonicalName: String = ""
        var canonicalRevision: String = ""
        var kind: Workload.Kind = .pod
        var workloadName: String = ""
        var nativeTunnel: Bool = false
        var networkMode: Workload.NetworkMode = .standard
        var capacity: UInt32 = 1
        var waypoint: GatewayAddress?
        var networkGateway: GatewayAddress?
        var services: [String: [ServicePort]] = [:]
        var authorizationPolicies: [String] = []

        init(namespace: String) { self.namespace = namespace }
    }

    fileprivate(set) var fields: Fields

    init(_ fields: Fields) { self.fields = fields }

    static func == (left: WorkloadShape, right: WorkloadShape) -> Bool {
        left === right || left.fields == right.fields
    }

    func hash(into hasher: inout Hasher) { hasher.combine(fields) }
}

/// Where workloads run: one object for all of a node.
///
/// Changed only while a single workload has it, as the storage of an array is.
final class WorkloadPlace: @unchecked Sendable, Hashable {
    struct Fields: Sendable, Hashable {
        var network: String = ""
        var node: String = ""
        var clusterID: String = "Kubernetes"
        var locality: Locality = Locality()
    }

    /// Nothing is known of it.
    static let unknown = WorkloadPlace(Fields())

    fileprivate(set) var fields: Fields

    init(_ fields: Fields) { self.fields = fields }

    static func == (left: WorkloadPlace, right: WorkloadPlace) -> Bool {
        left === right || left.fields == right.fields
    }

    func hash(into hasher: inout Hasher) { hasher.combine(fields) }
}

// What is shared, as if each workload had it: writing makes an object of its own first.
extension Workload {
    /// The namespace it is in.
    package var namespace: String {
        get { shape.fields.namespace }
        set { changeShape { $0.namespace = newValue } }
    }
    /// Its own host name; empty for none.
    package var hostname: String {
        get { shape.fields.hostname }
        set { changeShape { $0.hostname = newValue } }
    }
    /// How to reach it.
    package var tunnelProtocol: TunnelProtocol {
        get { shape.fields.tunnelProtocol }
        set { changeShape { $0.tunnelProtocol = newValue } }
    }
    /// The trust domain of its identity.
    package var trustDomain: String {
        get { shape.fields.trustDomain }
        set { changeShape { $0.trustDomain = newValue } }
    }
    /// The account of its identity.
    package var serviceAccount: String {
        get { shape.fields.serviceAccount }
        set { changeShape { $0.serviceAccount = newValue } }
    }
    /// The name of the service it is a part of, as people know it.
    package var canonicalName: String {
        get { shape.fields.canonicalName }
        set { changeShape { $0.canonicalName = newValue } }
    }
    /// The revision of that service.
    package var canonicalRevision: String {
        get { shape.fields.canonicalRevision }
        set { changeShape { $0.canonicalRevision = newValue } }
    }
    /// What made it.
    package var kind: Kind {
        get { shape.fields.kind }
        set { changeShape { $0.kind = newValue } }
    }
    /// The name of the Deployment, CronJob, Job or pod behind it.
    package var workloadName: String {
        get { shape.fields.workloadName }
        set { changeShape { $0.workloadName = newValue } }
    }
    /// Whether it ends HBONE itself.
    package var nativeTunnel: Bool {
        get { shape.fields.nativeTunnel }
        set { changeShape { $0.nativeTunnel = newValue } }
    }
    /// Whether it shares its node's network.
    package var networkMode: NetworkMode {
        get { shape.fields.networkMode }
        set { changeShape { $0.networkMode = newValue } }
    }
    /// Relative weight in its services; 1 unless given, 0 never chosen.
    package var capacity: UInt32 {
        get { shape.fields.capacity }
        set { changeShape { $0.capacity = newValue } }
    }
    /// The waypoint that connections to it pass.
    package var waypoint: GatewayAddress? {
        get { shape.fields.waypoint }
        set { changeShape { $0.waypoint = newValue } }
    }
    /// The gateway of its network.
    package var networkGateway: GatewayAddress? {
        get { shape.fields.networkGateway }
        set { changeShape { $0.networkGateway = newValue } }
    }
    /// Port maps of the services it belongs to, by service key `ns/hostname`.
    package var services: [String: [ServicePort]] {
        get { shape.fields.services }
        set { changeShape { $0.services = newValue } }
    }
    /// Keys `ns/name` of the selector-scoped policies that apply to it.
    package var authorizationPolicies: [String] {
        get { shape.fields.authorizationPolicies }
        set { changeShape { $0.authorizationPolicies = newValue } }
    }
    /// The network its addresses are on.
    package var network: String {
        get { place.fields.network }
        set { changePlace { $0.network = newValue } }
    }
    /// The node it runs on.
    package var node: String {
        get { place.fields.node }
        set { changePlace { $0.node = newValue } }
    }
    /// The cluster it runs in.
    package var clusterID: String {
        get { place.fields.clusterID }
        set { changePlace { $0.clusterID = newValue } }
    }
    /// Where it runs.
    package var locality: Locality {
        get { place.fields.locality }
        set { changePlace { $0.locality = newValue } }
    }

    private mutating func changeShape(_ change: (inout WorkloadShape.Fields) -> Void) {
        if !isKnownUniquelyReferenced(&shape) { shape = WorkloadShape(shape.fields) }
        change(&shape.fields)
    }

    private mutating func changePlace(_ change: (inout WorkloadPlace.Fields) -> Void) {
        if !isKnownUniquelyReferenced(&place) { place = WorkloadPlace(place.fields) }
        change(&place.fields)
    }
}
