internal import Identity
internal import Mesh
internal import Reactor
internal import TLS
internal import Telemetry

/// Tells workers, metrics and the log what the certificate store does; any thread may call it.
final class CertificateNews: Sendable {
    private let workers: [WorkerHandle]
    private let telemetry: NodeTelemetry

    init(workers: [WorkerHandle], telemetry: NodeTelemetry) {
        self.workers = workers
        self.telemetry = telemetry
    }

    private func send(_ message: WorkerMessage) {
        for worker in workers { worker.mailbox.send(message) }
    }

    /// What became of one identity.
    func tell(_ identity: SPIFFEID, _ update: CertificateUpdate) {
        let metrics = telemetry.metrics.node
        let name = identity.description
        switch update {
        case .available(let credentials):
            send(.credentials(identity, credentials))
            metrics.issuedCertificates().increment()
            metrics.certificateEnds(name).set(credentials.notAfter)
            metrics.certificateRotations(name).set(credentials.obtainedAt)
            telemetry.log.info(
                .identity,
                "certificate issued",
                [
                    "identity": "\(identity)", "serial": "\(credentials.serial)",
                    "not_after": LogValue(credentials.notAfter),
                ]
            )
        case .unavailable(let reason):
            send(.credentials(identity, nil))
            telemetry.log.warn(
                .identity,
                "no certificate",
                ["identity": "\(identity)", "error": "\(reason)"]
            )
        case .failed(let error): metrics.failedCertificates(error.kind.rawValue).increment()
        case .forgotten: send(.credentials(identity, nil))
        }
    }

    /// What is revoked.
    func tell(_ update: RevocationUpdate) {
        switch update {
        case .inForce(let revocations):
            send(.revocations(revocations))
            telemetry.log.info(
                .identity,
                "revocation lists in force",
                [
                    "lists": LogValue(revocations?.lists.count ?? 0),
                    "revoked": LogValue(revocations?.count ?? 0),
                ]
            )
            warn(of: revocations)
        case .refused(let error):
            telemetry.metrics.node.refusedRevocations(error.kind.rawValue).increment()
            telemetry.log.error(
                .identity,
                "revocation lists refused, those before stay",
                ["reason": "\(error.kind.rawValue)", "error": "\(error)"]
            )
        case .foreign(let issuer):
            let kind = RevocationError.Kind.foreign.rawValue
            telemetry.metrics.node.refusedRevocations(kind).increment()
            telemetry.log.warn(
                .identity,
                "revocation list left out: nobody we trust signed it",
                ["issuer": "\(issuer)"]
            )
        }
    }

    private func warn(of revocations: Revocations?) {
        if let fault = revocations?.fault {
            telemetry.log.error(.identity, "no peer is accepted", ["error": "\(fault)"])
        }
        guard let revocations, revocations.hasOutdated else { return }
        for list in revocations.outdated {
            telemetry.log.error(
                .identity,
                "revocation list out of date: its authority's certificates are refused",
                ["issuer": "\(list.issuer)", "next_update": LogValue(list.nextUpdate)]
            )
        }
    }
}
