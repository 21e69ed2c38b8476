internal import Authorization
internal import Mesh
internal import Reactor
internal import Telemetry
internal import Tunnel

/// The one account of a connection: labels, counts and the line that says how it ended.
///
/// Every path makes one before anything can fail and ends it exactly once with `finish`; later
/// calls do nothing. Belongs to the connection's worker.
final class ConnectionRecord {
    private unowned let worker: Worker
    let direction: Direction
    private let startedAt: UInt64
    private(set) var source: WorkloadRecord?
    private(set) var destination: WorkloadRecord?
    private(set) var service: ServiceRecord?
    var sourceAddress: SocketAddress?
    /// The address dialled on the wire.
    var destinationAddress: SocketAddress?
    /// The address behind the tunnel.
    var hboneAddress: SocketAddress?
    /// Who both ends proved to be, and whether that was by mutual TLS.
    private(set) var identities: (source: SPIFFEID, destination: SPIFFEID)?
    private(set) var isEncrypted = false
    private var policy: String?
    private var rule: Int?
    private var dryRun: [String] = []
    private var series: TCPSeries?
    private(set) var received: UInt64 = 0
    private(set) var sent: UInt64 = 0
    private var isFinished = false

    init(worker: Worker, direction: Direction) {
        self.worker = worker
        self.direction = direction
        self.startedAt = worker.loop.now
    }

    /// Notes who talks to whom, as far as the mesh knows.
    func parties(
        source: WorkloadRecord?,
        destination: WorkloadRecord?,
        service: ServiceRecord? = nil
    ) {
        self.source = source
        self.destination = destination
        self.service = service
    }

    /// Notes the identities both ends proved, by mutual TLS or by the listener of this node.
    func authenticated(source: SPIFFEID, destination: SPIFFEID, encrypted: Bool) {
        identities = (source, destination)
        isEncrypted = encrypted
    }

    /// Notes what policy said.
    func permitted(policy: String?, rule: Int?, dryRun: [String]) {
        self.policy = policy
        self.rule = rule
        self.dryRun = dryRun
        noteDryRun()
    }

    /// Notes what policy said.
    func denied(_ denial: Denial) {
        policy = denial.policy
        rule = denial.rule
        dryRun = denial.dryRun
        noteDryRun()
    }

    private func noteDryRun() {
        for note in dryRun { worker.telemetry.dryRun(note) }
    }

    /// Counts the connection as open; from here on its bytes count too.
    func opened() {
        guard !isFinished, series == nil else { return }
        let series = worker.telemetry.metrics.series(for: labels)
        self.series = series
        series.opened()
        worker.telemetry.socketOpened(direction)
        guard worker.telemetry.log.isEnabled(.debug, .access) else { return }
        worker.telemetry.log.access(self.line(.opened))
    }

    /// Bytes from the client to the server.
    func received(_ count: Int) {
        guard count > 0 else { return }
        received &+= UInt64(count)
        series?.received(count)
    }

    /// Bytes from the server to the client.
    func sent(_ count: Int) {
        guard count > 0 else { return }
        sent &+= UInt64(count)
        series?.sent(count)
    }

    /// Ends the account: one line and one metric record.
    func finish(_ flag: ResponseFlag = .none, error: String? = nil) {
        guard !isFinished else { return }
        isFinished = true
        if let series {
            series.closed()
            worker.telemetry.socketClosed(direction)
            if flag != .none { series.failed(flag) }
        } else {
            // One that failed before it was open counts as opened and closed too, as peers count.
            let series = worker.telemetry.metrics.series(for: labels)
            series.opened()
            series.closed()
            if flag != .none { series.failed(flag) }
        }
        worker.telemetry.log.access(self.line(.complete, flag: flag, error: error))
    }

    /// Ends the account of a connection that nothing is known of yet.
    func refuse(_ reason: String, because error: String) {
        guard !isFinished else { return }
        isFinished = true
        worker.telemetry.refused(direction, reason: reason)
        worker.telemetry.log.access(self.line(.refused, error: error))
    }

    private var labels: ConnectionLabels {
        var labels = ConnectionLabels(
            reporter: direction == .outbound ? .source : .destination,
            source: worker.labels(of: source),
            destination: worker.labels(of: destination),
            destinationService: service.map { ServiceLabels($0.service) }
        )
        if isEncrypted, let identities {
            labels.authenticated(source: identities.source, destination: identities.destination)
        }
        return labels
    }

    private func line(
        _ event: AccessRecord.Event,
        flag: ResponseFlag = .none,
        error: String? = nil
    ) -> AccessRecord {
        var from = AccessRecord.Party(address: sourceAddress)
        if let source { from.take(source.workload) }
        from.identity = identities?.source
        var to = AccessRecord.Party(address: destinationAddress)
        if let destination { to.take(destination.workload) }
        to.identity = identities?.destination
        var line = AccessRecord(event: event, direction: direction, source: from, destination: to)
        line.hboneAddress = hboneAddress
        line.service = service?.service.hostname ?? ""
        line.bytesReceived = received
        line.bytesSent = sent
        line.durationNanoseconds = worker.loop.now &- startedAt
        line.error = error
        line.flag = flag
        line.policy = policy
        line.rule = rule
        line.dryRun = dryRun
        return line
    }

    /// What the admin interface shows of the connection.
    var summary: ConnectionDescription {
        ConnectionDescription(
            direction: direction,
            source: sourceAddress,
            destination: destinationAddress,
            hbone: hboneAddress,
            sourceUID: source?.workload.uid,
            destinationUID: destination?.workload.uid,
            sourceIdentity: identities?.source,
            isEncrypted: isEncrypted,
            received: received,
            sent: sent
        )
    }
}

extension RelayEnd {
    /// How a relay's end reads in the access log: nil when it is not an error.
    var logText: String? {
        switch self {
        case .finished: nil
        case .resetBySocket(let code): "reset: \(errnoText(code))"
        case .resetByPeer(let code): "stream reset by peer: code \(code)"
        case .tunnelLost(let reason): "tunnel lost: \(reason)"
        case .revoked(let reason): "reset: \(reason)"
        case .closed(let reason): reason
        }
    }
}

/// One open connection, for people.
struct ConnectionDescription: Sendable {
    let direction: Direction
    let source: SocketAddress?
    let destination: SocketAddress?
    let hbone: SocketAddress?
    let sourceUID: String?
    let destinationUID: String?
    let sourceIdentity: SPIFFEID?
    let isEncrypted: Bool
    let received: UInt64
    let sent: UInt64
}
