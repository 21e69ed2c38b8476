package import JSON
package import Mesh
package import Telemetry

/// What the admin server asks of the node; all on the control thread.
package protocol AdminBackend: AnyObject {
    var configuration: NodeConfiguration { get }
    /// The state of the mesh that is in force.
    var snapshot: Snapshot { get }
    var log: Log { get }
    /// What was built, such as `version` and `revision`, in the order to be shown.
    var build: [(name: String, value: String)] { get }
    /// What the node still waits for before it is ready; empty when it is.
    func pendingReasons() -> [String]
    /// All metrics, as `Metrics.render` writes them.
    func renderMetrics(openMetrics: Bool) -> [UInt8]
    /// The certificates of this node's identities.
    func certificates() -> [CertificateReport]
    /// What is revoked; nil while there are no lists.
    func revocation() -> RevocationReport?
    /// The pods of this node and how each stands.
    func pods() -> [PodReport]
    /// Tells the open connections of all workers; `done` is called later, on the control thread.
    func connections(_ done: @escaping ([ConnectionReport]) -> Void)
    /// Begins to drain, as SIGTERM does; called again, nothing more happens.
    func startDrain()
}

/// One pod of this node, as the admin server shows it.
package struct PodReport: Sendable {
    package let pod: LocalPod
    /// The uid of its workload in the mesh; the pod's own until the mesh knows it.
    package let workloadUID: String
    /// `Up`, `Pending` or `Draining`.
    package let state: String

    package init(pod: LocalPod, workloadUID: String, state: String) {
        self.pod = pod
        self.workloadUID = workloadUID
        self.state = state
    }
}

/// One open connection, as the admin server shows it.
package struct ConnectionReport: Sendable {
    /// The workload on this node that it belongs to.
    package let workloadUID: String
    package let direction: Direction
    /// Its members as they are shown: `src`, `originalDst`, `actualDst`, `protocol` and so on.
    package let value: JSON

    package init(workloadUID: String, direction: Direction, value: JSON) {
        self.workloadUID = workloadUID
        self.direction = direction
        self.value = value
    }
}

/// One identity of this node and its certificates, as the admin server shows it.
package struct CertificateReport: Sendable {
    /// One certificate.
    package struct Entry: Sendable {
        package let pem: String
        package let serial: String
        /// The first and last second of validity, Unix time.
        package let notBefore: Int64
        package let notAfter: Int64

        package init(pem: String, serial: String, notBefore: Int64, notAfter: Int64) {
            self.pem = pem
            self.serial = serial
            self.notBefore = notBefore
            self.notAfter = notAfter
        }
    }

    package let identity: SPIFFEID
    /// `Available`, `Initializing` or `Unavailable: ` with the reason.
    package let state: String
    /// The leaf first.
    package let chain: [Entry]
    package let roots: [Entry]
    /// When the certificate was obtained, and when the next one is asked for, Unix seconds.
    package let obtainedAt: Int64?
    package let nextAt: Int64?

    package init(
        identity: SPIFFEID,
        state: String,
        chain: [Entry],
        roots: [Entry],
        obtainedAt: Int64? = nil,
        nextAt: Int64? = nil
    ) {
        self.identity = identity
        self.state = state
        self.chain = chain
        self.roots = roots
        self.obtainedAt = obtainedAt
        self.nextAt = nextAt
    }
}

/// What is revoked, as the admin server shows it.
package struct RevocationReport: Sendable {
    /// One authority's list.
    package struct List: Sendable {
        package let issuer: String
        /// In hexadecimal; empty for a list without one.
        package let number: String
        /// Unix seconds.
        package let thisUpdate: Int64
        package let nextUpdate: Int64
        /// Serial numbers of the certificates on it, the first hundred.
        package let serials: [String]
        package let count: Int
        /// Whether its authority's certificates are refused because it is out of date.
        package let isOutdated: Bool

        package init(
            issuer: String,
            number: String,
            thisUpdate: Int64,
            nextUpdate: Int64,
            serials: [String],
            count: Int,
            isOutdated: Bool
        ) {
            self.issuer = issuer
            self.number = number
            self.thisUpdate = thisUpdate
            self.nextUpdate = nextUpdate
            self.serials = serials
            self.count = count
            self.isOutdated = isOutdated
        }
    }

    package let lists: [List]
    /// Why no peer is accepted at all; nil when peers are.
    package let fault: String?

    package init(lists: [List], fault: String?) {
        self.lists = lists
        self.fault = fault
    }
}
