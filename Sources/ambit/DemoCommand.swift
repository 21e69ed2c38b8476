internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Lab

/// `ambit lab demo`: what deploy/try shows.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show the mesh at work in a lab with the objects of deploy/lab/shop.yaml."
    )

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let demo = Demo(lab: lab.name, client: try lab.connect())
            try demo.waitForShop()
            try demo.showPods()
            try demo.showTunnel()
            try demo.showDenial()
            try demo.showPlaintextDenial()
            try demo.showSameNode()
            try demo.showMetrics()
        }
    }
}

/// The scenes of the demonstration, in order.
private struct Demo {
    let lab: String
    let client: ControlClient

    /// The words of the shop's requests and answers, which must not be on the wire.
    private static let words = ["GET / HTTP", "hello,", "payments"]

    /// Waits until the shop's servers answer in their own pods.
    func waitForShop() throws(LabError) {
        for pod in ["web", "payments"] {
            var tries = 0
            while try curl("http://127.0.0.1:8080/", from: pod).exitCode != 0 {
                tries += 1
                guard tries < 100 else {
                    throw LabError(
                        .failed,
                        "Pod shop/\(pod) does not serve: ambit lab logs shop/\(pod)"
                    )
                }
                usleep(100_000)
            }
        }
    }

    func showPods() throws(LabError) {
        title("The shop: two nodes, and the namespaces shop and guests are in the mesh")
        guard let status = try client.call(.status).status else { return }
        for pod in status.pods {
            let mesh = pod.enrolled ? "in the mesh" : "not in the mesh"
            let address = pod.addresses.first ?? ""
            let name = pad("\(pod.namespace)/\(pod.name)", 16)
            say("  \(name) \(pod.node)  \(pad(address, 14)) \(mesh)")
        }
    }

    func showTunnel() throws {
        title("web (node-1) asks payments (node-2), by the service's name, in plain HTTP")
        let logs = try openLogs()
        let stop = try StopSignals()
        var capture = try PacketCapture(client, node: nil)
        try show("web", "http://payments/", mustSucceed: true)
        say("\n  both nodes log the connection with the two identities:")
        try showLines(of: logs, containing: "payments")
        try show(&capture, stop, "the wire between the nodes meanwhile")
    }

    func showDenial() throws {
        title("client asks payments, which the policy payments-from-web allows to web alone")
        let logs = try openLogs()
        try show("client", "http://payments/", mustSucceed: false)
        say("\n  the log names the policy:")
        try showLines(of: logs, containing: "payments")
    }

    func showPlaintextDenial() throws {
        title("legacy is not in the mesh: it has no identity, and the shop is STRICT")
        let logs = try openLogs()
        try show("legacy", "http://payments.shop/", of: "outside", mustSucceed: false)
        say("")
        try showLines(of: logs, containing: "legacy")
    }

    func showSameNode() throws {
        title("client asks web on the same node: the same checks and records, but no wire")
        let logs = try openLogs()
        let stop = try StopSignals()
        var capture = try PacketCapture(client, node: nil)
        try show("client", "http://web/", mustSucceed: true)
        say("")
        try showLines(of: logs, containing: "web")
        try show(&capture, stop, "the wire between the nodes meanwhile")
    }

    func showMetrics() throws(LabError) {
        title("node-2's metrics of it all (ambit lab metrics node-2)")
        let answer = try NodeHTTP(client).request(
            "GET",
            "/metrics",
            at: .node("node-2"),
            port: 15020
        )
        let lines = String(decoding: answer.body, as: UTF8.self).split(separator: "\n")
        for line in lines where line.hasPrefix("istio_tcp_connections_opened_total{") {
            say("  \(Self.essence(ofMetric: String(line)))")
        }
    }

    // MARK: - Parts of scenes

    private func curl(
        _ url: String,
        from pod: String,
        of namespace: String = "shop"
    ) throws(LabError) -> PodCommand.Outcome {
        try PodCommand.run(
            ["curl", "-sS", "--max-time", "10", "--no-progress-meter", url],
            in: pod,
            of: namespace,
            lab: lab
        )
    }

    private func show(
        _ pod: String,
        _ url: String,
        of namespace: String = "shop",
        mustSucceed: Bool
    ) throws(LabError) {
        say("  \(pod)$ curl \(url)")
        let outcome = try curl(url, from: pod, of: namespace)
        for line in outcome.output.split(separator: "\n") { say("  \(line)") }
        guard (outcome.exitCode == 0) == mustSucceed else {
            throw LabError(.failed, "that was not to be: curl ended with \(outcome.exitCode)")
        }
    }

    private func showLines(of logs: borrowing NodeLogs, containing word: String) throws(LabError) {
        var shown = 0
        // The line is written when the connection has ended, which is soon.
        for _ in 0..<50 where shown == 0 {
            usleep(100_000)
            for (node, lines) in [
                ("node-1", try logs.one.readOn()), ("node-2", try logs.two.readOn()),
            ] {
                for line in lines where line.contains(word) && line.contains("src.workload") {
                    say("  \(node): \(Self.essence(of: line))")
                    shown += 1
                }
            }
        }
        guard shown > 0 else {
            throw LabError(.failed, "no node logged the connection: ambit lab logs node-2")
        }
    }

    private func show(
        _ capture: inout PacketCapture,
        _ stop: borrowing StopSignals,
        _ what: String
    ) throws {
        var counts: [Packet.Content: Int] = [:]
        var ports: Set<UInt16> = []
        var found: [String] = []
        _ = try capture.run(within: .init(seconds: 0.3), stoppingAt: stop) {
            _,
            frame,
            _ throws(LabError) in
            guard let packet = Packet(ethernet: frame), case .tcp = packet.transport else {
                return true
            }
            counts[packet.content, default: 0] += 1
            ports.insert(packet.lowerPort)
            let text = String(decoding: packet.payload, as: UTF8.self)
            found += Self.words.filter { text.contains($0) }
            return true
        }
        let total = counts.values.reduce(0, +)
        guard total > 0 else {
            say("\n  \(what): nothing at all")
            return
        }
        say("\n  \(what): \(total) TCP packets, port \(ports.sorted())")
        say(
            "    \(counts[.tlsHandshake, default: 0]) begin with a TLS handshake record, "
                + "\(counts[.tlsData, default: 0]) with TLS application data"
        )
        guard found.isEmpty else {
            throw LabError(.failed, "the wire showed \(found)")
        }
        say("    the words \(Self.words.map { "\"\($0)\"" }.joined(separator: ", ")) are in none")
    }

    /// The fields of an access log line that the scenes are about; the log has more.
    private static func essence(of line: String) -> String {
        let wanted = [
            "src.workload", "src.identity", "dst.identity", "direction", "bytes_sent", "bytes_recv",
            "policy",
            "response_flags", "error",
        ]
        let found = wanted.compactMap { name -> String? in
            guard let start = line.range(of: " \(name)=") ?? line.range(of: "\t\(name)=") else {
                return nil
            }
            let value = line[start.upperBound...]
            let isQuoted = value.first == "\""
            let end = value.dropFirst().firstIndex(of: isQuoted ? "\"" : " ")
            return "\(name)=" + value[..<(end ?? value.endIndex)] + (isQuoted ? "\"" : "")
        }
        return found.joined(separator: " ")
    }

    /// A metric with the labels that the scenes are about; it has more.
    private static func essence(ofMetric line: String) -> String {
        let wanted = [
            "reporter", "source_workload", "destination_workload", "response_flags",
            "connection_security_policy",
        ]
        let labels = wanted.compactMap { name -> String? in
            guard let start = line.range(of: "\(name)=\"") else { return nil }
            let value = line[start.upperBound...].prefix { $0 != "\"" }
            return "\(name)=\"\(value)\""
        }
        let name = line.prefix { $0 != "{" }
        let value = line.split(separator: " ").last ?? ""
        return "\(name){\(labels.joined(separator: ","))} \(value)"
    }

    private func openLogs() throws(LabError) -> NodeLogs {
        let logs = NodeLogs(
            one: try LogReader(client, of: .node("node-1")),
            two: try LogReader(client, of: .node("node-2"))
        )
        _ = try logs.one.readOn()
        _ = try logs.two.readOn()
        return logs
    }

    private func title(_ text: String) {
        say("\n== \(text)\n")
    }

    private func say(_ line: String) {
        write(line + "\n", to: STDOUT_FILENO)
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// The logs of both nodes, read up to some moment.
private struct NodeLogs: ~Copyable {
    let one: LogReader
    let two: LogReader
}
