package import Mesh

/// Which end of a connection reports it.
package enum Reporter: UInt8, Sendable, Hashable, CaseIterable {
    /// The node of the client.
    case source
    /// The node of the server.
    case destination

    /// The value of the label `reporter`.
    package var label: String {
        switch self {
        case .source: "source"
        case .destination: "destination"
        }
    }
}

/// What the label `connection_security_policy` says.
package enum SecurityPolicy: UInt8, Sendable, Hashable {
    /// In the clear, or not known.
    case unknown
    /// Both ends proved who they are.
    case mutualTLS

    /// The value of the label.
    package var label: String {
        switch self {
        case .unknown: "unknown"
        case .mutualTLS: "mutual_tls"
        }
    }
}

/// What metrics say of a workload: immutable, shared by all its connections.
///
/// Every value comes from the control plane, never from traffic. The hash is made once, so that a
/// series is found without reading all strings; two of the same object are equal at once.
package final class WorkloadLabels: Sendable, Hashable {
    package let workload: String
    package let namespace: String
    package let canonicalService: String
    package let canonicalRevision: String
    package let cluster: String
    package let region: String
    package let zone: String
    private let digest: Int

    /// Takes the labels of a workload.
    package convenience init(_ workload: Workload) {
        self.init(
            workload: workload.workloadName.isEmpty ? workload.name : workload.workloadName,
            namespace: workload.namespace,
            canonicalService: workload.canonicalName,
            canonicalRevision: workload.canonicalRevision,
            cluster: workload.clusterID,
            region: workload.locality.region,
            zone: workload.locality.zone
        )
    }

    private init(
        workload: String,
        namespace: String,
        canonicalService: String,
        canonicalRevision: String,
        cluster: String,
        region: String,
        zone: String
    ) {
        self.workload = workload
        self.namespace = namespace
        self.canonicalService = canonicalService
        self.canonicalRevision = canonicalRevision
        self.cluster = cluster
        self.region = region
        self.zone = zone
        var hasher = Hasher()
        for part in [
            workload, namespace, canonicalService, canonicalRevision, cluster, region, zone,
        ] {
            hasher.combine(part)
        }
        self.digest = hasher.finalize()
    }

    /// The labels of a workload that the mesh does not know; each is written `unknown`.
    package static let unknown = WorkloadLabels(
        workload: "",
        namespace: "",
        canonicalService: "",
        canonicalRevision: "",
        cluster: "",
        region: "",
        zone: ""
    )

    /// Compares the values, after the objects.
    package static func == (left: WorkloadLabels, right: WorkloadLabels) -> Bool {
        if left === right { return true }
        return left.digest == right.digest
            && left.workload == right.workload
            && left.namespace == right.namespace
            && left.canonicalService == right.canonicalService
            && left.canonicalRevision == right.canonicalRevision
            && left.cluster == right.cluster
            && left.region == right.region
            && left.zone == right.zone
    }

    /// Feeds the hash that was made once.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(digest)
    }
}

/// What metrics say of the service a connection was made to.
package struct ServiceLabels: Sendable, Hashable {
    package let hostname: String
    package let name: String
    package let namespace: String

    /// Takes the labels of a service.
    package init(_ service: Service) {
        self.hostname = service.hostname
        self.name = service.name
        self.namespace = service.namespace
    }
}

/// The key of a connection's TCP series, all labels but `response_flags`.
package struct ConnectionLabels: Sendable, Hashable {
    package var reporter: Reporter
    package var source: WorkloadLabels
    package var destination: WorkloadLabels
    /// The service that was dialled; nil when the destination was no service.
    package var destinationService: ServiceLabels?
    /// Who the client proved to be; set only from mutual TLS.
    package var sourcePrincipal: SPIFFEID?
    /// Who the server proved to be; set only from mutual TLS.
    package var destinationPrincipal: SPIFFEID?
    package var securityPolicy: SecurityPolicy

    /// Makes labels without principals, in the clear.
    package init(
        reporter: Reporter,
        source: WorkloadLabels,
        destination: WorkloadLabels,
        destinationService: ServiceLabels? = nil
    ) {
        self.reporter = reporter
        self.source = source
        self.destination = destination
        self.destinationService = destinationService
        self.sourcePrincipal = nil
        self.destinationPrincipal = nil
        self.securityPolicy = .unknown
    }

    /// Notes that both ends proved who they are.
    package mutating func authenticated(source: SPIFFEID, destination: SPIFFEID) {
        sourcePrincipal = source
        destinationPrincipal = destination
        securityPolicy = .mutualTLS
    }

    /// Names and values in the order they are written, the failure flag last.
    func pairs(flag: ResponseFlag) -> [(String, String)] {
        [("reporter", reporter.label)]
            + Self.pairs(of: source, end: "source", principal: sourcePrincipal)
            + [
                ("destination_service", destinationService?.hostname ?? ""),
                ("destination_service_namespace", destinationService?.namespace ?? ""),
                ("destination_service_name", destinationService?.name ?? ""),
            ]
            + Self.pairs(of: destination, end: "destination", principal: destinationPrincipal)
            + [
                ("request_protocol", "tcp"),
                ("response_flags", flag.label),
                ("connection_security_policy", securityPolicy.label),
            ]
    }

    private static func pairs(
        of workload: WorkloadLabels,
        end: String,
        principal: SPIFFEID?
    ) -> [(String, String)] {
        [
            (end + "_workload", workload.workload),
            (end + "_canonical_service", workload.canonicalService),
            (end + "_canonical_revision", workload.canonicalRevision),
            (end + "_workload_namespace", workload.namespace),
            (end + "_principal", principal?.description ?? ""),
            (end + "_app", workload.canonicalService),
            (end + "_version", workload.canonicalRevision),
            (end + "_cluster", workload.cluster),
            (end + "_region", workload.region),
            (end + "_zone", workload.zone),
        ]
    }
}
