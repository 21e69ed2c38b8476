/// Waits until the proxies of a lab serve.
package struct Readiness {
    /// How many fresh connections must all find the readiness port content while two processes
    /// share it: each of them goes to either, so a process that is not ready shows itself.
    static let handOverProbes = 24

    private let client: ControlClient
    private let limit: UInt64

    /// Waits so many seconds at most, in all.
    package init(_ client: ControlClient, seconds: UInt64) {
        self.client = client
        limit = monotonicTime() &+ seconds &* 1_000_000_000
    }

    /// Waits until every node that should run is ready and every pod is ready.
    package func waitForAll() throws(LabError) {
        try wait { status throws(LabError) in
            for node in status.nodes where node.state == "Running" || node.state == "Restarting" {
                guard let process = node.processes.last else {
                    return "Node \(node.name) has no ambit-node running"
                }
                if !(try isReady(node.name, process, probes: 1)) {
                    return "the ambit-node of Node \(node.name) is not ready"
                }
            }
            for pod in status.pods where !pod.isReady && !isStopped(pod.node, status) {
                if pod.state == "Succeeded" || pod.state == "Failed" { continue }
                return "Pod \(pod.namespace)/\(pod.name): \(pod.reason ?? "is not ready")"
            }
            return nil
        }
    }

    /// Waits until the newest process of a node is ready, and is the given one if there is one.
    package func wait(forNode name: String, process: Int32? = nil) throws(LabError) {
        try wait { status throws(LabError) in
            guard let node = status.nodes.first(where: { $0.name == name }) else {
                throw LabError(.data, "there is no Node \(name)")
            }
            guard let newest = node.processes.last, process == nil || newest.pid == process else {
                return "Node \(name) has no such ambit-node running"
            }
            let probes = node.processes.count > 1 ? Self.handOverProbes : 1
            return try isReady(name, newest, probes: probes)
                ? nil : "the ambit-node of Node \(name) is not ready"
        }
    }

    /// Waits until a node's newest process is ready and is none of those that were there before.
    package func wait(forNode name: String, after old: [Int32]) throws(LabError) {
        try wait { status throws(LabError) in
            let node = status.nodes.first { $0.name == name }
            guard let newest = node?.processes.last, !old.contains(newest.pid) else {
                return "the ambit-node of Node \(name) was not replaced"
            }
            return try isReady(name, newest, probes: 1)
                ? nil : "the ambit-node of Node \(name) is not ready"
        }
    }

    /// Waits until the controllers of a name serve and are none of the processes from before.
    package func wait(forControllers name: String, after old: [Int32] = []) throws(LabError) {
        try wait { status throws(LabError) in
            for controller in status.controllers(called: name) {
                let answer = try? NodeHTTP(client).request(
                    "GET",
                    "/readyz",
                    at: .supervisor,
                    port: controller.metricsPort
                )
                let isOld = controller.process.map(old.contains) ?? true
                guard controller.state == "Running", !isOld, answer?.status == 200 else {
                    return "\(controller.name) is not ready"
                }
            }
            return nil
        }
    }

    private func isStopped(_ node: String, _ status: LabStatus) -> Bool {
        status.nodes.first { $0.name == node }?.state.hasPrefix("Stop") == true
    }

    private func isReady(
        _ node: String,
        _ process: LabStatus.Process,
        probes: Int
    ) throws(LabError) -> Bool {
        guard process.listens else { return false }
        for _ in 0..<probes {
            let answer = try? NodeHTTP(client).request(
                "GET",
                "/healthz/ready",
                at: .node(node),
                port: 15021
            )
            guard answer?.status == 200 else { return false }
        }
        return true
    }

    // Asks until `missing` finds nothing.
    private func wait(
        _ missing: (LabStatus) throws(LabError) -> String?
    ) throws(LabError) {
        while true {
            guard let status = try client.call(.status).status else {
                throw LabError(.failed, "the lab gave no status")
            }
            guard let reason = try missing(status) else { return }
            guard monotonicTime() < limit else {
                throw LabError(.failed, "\(reason) (see: ambit lab logs)")
            }
            pause(milliseconds: 20)
        }
    }
}
