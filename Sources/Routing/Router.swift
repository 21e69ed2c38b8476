package import Mesh

/// Decides where outgoing connections go (PROTOCOL.md §4.1 to §4.3).
///
/// Belongs to one worker. Remembers the endpoints a service offers to a locality, so that a
/// connection costs the same whether a service has ten endpoints or ten thousand. The memory is
/// bounded by the ports of the services and the localities of the local pods.
package struct Router {
    /// Ports of the proxy itself in every pod: a connection to them would loop.
    package static let illegalPorts: Set<UInt16> = [15_001, 15_006, 15_008, 15_053]

    /// The localities of local pods are few; more have piled up over time and are forgotten.
    private static let localitiesMax = 64

    package private(set) var snapshot: Snapshot
    private var remembered: [ObjectIdentifier: ServiceOffers] = [:]
    /// Localities by number, which hashes faster than their names.
    private var localities: [SourceLocality: Int] = [:]
    /// The locality of each source seen in this state; the record keeps its identifier its own.
    private var sources: [ObjectIdentifier: (record: WorkloadRecord, locality: Int)] = [:]

    private struct OfferKey: Hashable {
        let port: UInt16
        let locality: Int
    }

    /// What one service offers; holds the record, so that its identifier stays its own.
    private struct ServiceOffers {
        let service: ServiceRecord
        var offers: [OfferKey: Offer] = [:]
    }

    /// Makes a router over one state.
    package init(snapshot: Snapshot) { self.snapshot = snapshot }

    /// Goes on with the next state, forgetting what it changed: `diff` is from the one before.
    package mutating func adopt(_ snapshot: Snapshot, _ diff: SnapshotDiff) {
        self.snapshot = snapshot
        for record in diff.retiredWorkloads { sources[ObjectIdentifier(record)] = nil }
        for record in diff.retiredServices { remembered[ObjectIdentifier(record)] = nil }
        if localities.count > Self.localitiesMax {
            localities.removeAll()
            sources.removeAll()
            remembered.removeAll()
        }
    }

    /// Decides where a connection goes.
    ///
    /// `source` is the pod that dialled; nil when it is not known yet, which refuses. `excluded`
    /// holds uids of workloads that could not be reached for this very connection, `load` tells
    /// how many connections this worker has open to a workload, and `random` draws the pair of
    /// which the less loaded is taken.
    package mutating func route(
        from source: WorkloadRecord?,
        to destination: OriginalDestination,
        excluding excluded: Set<String> = [],
        load: (WorkloadRecord) -> Int,
        random: inout some RandomNumberGenerator
    ) -> Route {
        let dialled = destination.address
        guard !(dialled.ip.isLoopback && Self.illegalPorts.contains(dialled.port)) else {
            return .refused(Refusal(.selfCall))
        }
        guard let source else { return .refused(Refusal(.unknownSource)) }
        let network = source.workload.network
        let workload = snapshot.workload(address: dialled.ip, network: network)
        let service = snapshot.service(
            address: dialled.ip,
            network: network,
            clientNamespace: source.workload.namespace
        )
        if let service {
            guard !service.asksForWaypoint else {
                return .refused(Refusal(.waypointNotReachable, service: service))
            }
            if service.service.loadBalancing.mode != .passthrough {
                return routeToService(
                    service,
                    from: source,
                    dialled,
                    excluding: excluded,
                    load: load,
                    random: &random
                )
            }
        }
        guard let workload else { return .passthrough(dialled) }
        let isMember = service.map { workload.workload.services[$0.key] != nil } ?? false
        return routeToWorkload(
            workload,
            as: isMember ? service : nil,
            from: source,
            dialled,
            excluding: excluded
        )
    }

    private func routeToWorkload(
        _ workload: WorkloadRecord,
        as service: ServiceRecord?,
        from source: WorkloadRecord,
        _ dialled: SocketAddress,
        excluding excluded: Set<String>
    ) -> Route {
        guard !excluded.contains(workload.workload.uid) else {
            return .refused(Refusal(.noHealthyEndpoint, workload: workload))
        }
        if let waypoint = workload.workload.waypoint, !isWaypoint(source, waypoint) {
            return .refused(Refusal(.waypointNotReachable, workload: workload))
        }
        return choice(workload, service: service, address: dialled, source: source)
    }

    private mutating func routeToService(
        _ service: ServiceRecord,
        from source: WorkloadRecord,
        _ dialled: SocketAddress,
        excluding excluded: Set<String>,
        load: (WorkloadRecord) -> Int,
        random: inout some RandomNumberGenerator
    ) -> Route {
        guard service.servicePorts.contains(dialled.port) else {
            return .refused(Refusal(.noTargetPort, service: service))
        }
        let offer = offer(of: service, to: source, port: dialled.port, excluding: excluded)
        guard let candidate = offer.pick(load: load, random: &random) else {
            return .refused(Refusal(offer.refusal, service: service))
        }
        let ip = candidate.workload.address(
            for: dialled.ip,
            from: source.workload,
            families: service.service.ipFamilies
        )
        guard let ip else { return .refused(Refusal(.noHealthyEndpoint, service: service)) }
        return choice(
            candidate.workload,
            service: service,
            address: SocketAddress(ip, candidate.targetPort),
            source: source
        )
    }

    private mutating func offer(
        of service: ServiceRecord,
        to source: WorkloadRecord,
        port: UInt16,
        excluding excluded: Set<String>
    ) -> Offer {
        guard excluded.isEmpty else {
            // A second try is rare, and may have to leave the preferred locality.
            let locality = SourceLocality(source.workload)
            return Offer(of: service, to: locality, port: port, excluding: excluded)
        }
        let key = OfferKey(port: port, locality: localityNumber(of: source))
        if let known = remembered[ObjectIdentifier(service)]?.offers[key] { return known }
        let locality = SourceLocality(source.workload)
        let offer = Offer(of: service, to: locality, port: port, excluding: [])
        remembered[ObjectIdentifier(service), default: ServiceOffers(service: service)]
            .offers[key] = offer
        return offer
    }

    private mutating func localityNumber(of source: WorkloadRecord) -> Int {
        if let known = sources[ObjectIdentifier(source)] { return known.locality }
        let locality = SourceLocality(source.workload)
        let number = localities[locality] ?? localities.count
        localities[locality] = number
        sources[ObjectIdentifier(source)] = (source, number)
        return number
    }

    private func choice(
        _ workload: WorkloadRecord,
        service: ServiceRecord?,
        address: SocketAddress,
        source: WorkloadRecord
    ) -> Route {
        guard workload.workload.network == source.workload.network else {
            return .refused(Refusal(.networkNotReachable, service: service, workload: workload))
        }
        let viaHBONE = workload.workload.tunnelProtocol == .hbone
        guard !(viaHBONE && Self.illegalPorts.contains(address.port)) else {
            return .refused(Refusal(.selfCall, service: service, workload: workload))
        }
        return .endpoint(
            Choice(
                workload: workload,
                service: service,
                address: address,
                viaHBONE: viaHBONE,
                isSelf: workload.workload.uid == source.workload.uid
            )
        )
    }

    /// Whether the caller is the waypoint itself, which may go on to the workload behind it.
    private func isWaypoint(_ source: WorkloadRecord, _ waypoint: GatewayAddress) -> Bool {
        switch waypoint.destination {
        case .hostname(let namespace, let hostname):
            return source.workload.services[namespace + "/" + hostname] != nil
        case .address(let network, let address):
            if source.workload.network == network, source.workload.addresses.contains(address) {
                return true
            }
            let service = snapshot.service(
                address: address,
                network: network,
                clientNamespace: source.workload.namespace
            )
            return service.map { source.workload.services[$0.key] != nil } ?? false
        }
    }
}

extension ServiceRecord {
    fileprivate var asksForWaypoint: Bool {
        service.waypoint != nil || !service.weightedWaypoints.isEmpty
    }
}
