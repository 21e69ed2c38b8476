internal import Identity
internal import JSON
internal import Mesh
internal import Reactor
internal import Telemetry

// What the admin server asks of the control thread.
extension Control: AdminBackend {
    var log: Log { telemetry.log }

    var build: [(name: String, value: String)] {
        [("component", "ambit-node"), ("version", NodeProgram.version)]
    }

    func pendingReasons() -> [String] { pendingPods }

    func renderMetrics(openMetrics: Bool) -> [UInt8] {
        telemetry.metrics.render(openMetrics: openMetrics)
    }

    func certificates() -> [CertificateReport] {
        let roots = store.trustedRoots()
        return store.states().map { CertificateReport($0, roots: roots) }
    }

    func revocation() -> RevocationReport? { store.revocations.map(RevocationReport.init) }

    func pods() -> [PodReport] {
        managed.values.map { pod in
            let record = snapshot.workload(namespace: pod.local.namespace, name: pod.local.name)
            let isUp = pod.state == .captured
            return PodReport(
                pod: pod.local,
                workloadUID: record?.workload.uid ?? pod.local.uid,
                state: isDraining ? "Draining" : isUp ? "Up" : "Pending"
            )
        }
    }

    func connections(_ done: @escaping ([ConnectionReport]) -> Void) {
        waitingForDescriptions.append(Gathering(left: workers.count, done: done))
        if waitingForDescriptions.count == 1 { askForDescriptions() }
    }

    /// Asks every worker on behalf of the oldest request that waits: one at a time, so that
    /// answers cannot be taken for another's.
    func askForDescriptions() {
        for worker in workers {
            let answers = descriptions
            worker.mailbox.send(.describe { answers.send($0) })
        }
    }

    func startDrain() { drain() }
}

/// One request for all connections, until every worker has answered.
///
/// Only the oldest request has been asked of the workers.
final class Gathering {
    private var left: Int
    private var reports: [ConnectionReport] = []
    private let done: ([ConnectionReport]) -> Void

    init(left: Int, done: @escaping ([ConnectionReport]) -> Void) {
        self.left = left
        self.done = done
    }

    /// Takes one worker's answer; true when it was the last.
    func take(_ descriptions: [ConnectionDescription]) -> Bool {
        reports += descriptions.map(\.report)
        left -= 1
        guard left == 0 else { return false }
        done(reports)
        return true
    }
}

extension ConnectionDescription {
    /// The description as the admin server shows it.
    fileprivate var report: ConnectionReport {
        let local = direction == .inbound ? destinationUID : sourceUID
        var members: [(String, JSON)] = []
        func add(_ name: String, _ value: String?) {
            if let value { members.append((name, .string(value))) }
        }
        add("src", source?.description)
        add("originalDst", direction == .outbound ? destination?.description : nil)
        add("actualDst", (hbone ?? destination)?.description)
        add("sourceIdentity", sourceIdentity?.description)
        add("protocol", isEncrypted ? "HBONE" : "TCP")
        members.append(("bytesReceived", .integer(Int64(clamping: received))))
        members.append(("bytesSent", .integer(Int64(clamping: sent))))
        return ConnectionReport(
            workloadUID: local ?? "",
            direction: direction,
            value: .object(members)
        )
    }
}
