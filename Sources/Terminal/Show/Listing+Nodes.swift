internal import JSON
internal import Kubernetes

extension Listing {
    /// A length of time in its two largest units, such as `11h58m`.
    package static func duration(seconds: Int64) -> String {
        guard seconds >= 0 else { return "expired" }
        let units: [(name: String, seconds: Int64)] = [
            ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
        ]
        guard let first = units.firstIndex(where: { seconds >= $0.seconds }) else { return "0s" }
        var rest = seconds
        var text = ""
        for unit in units[first...].prefix(2) where rest >= unit.seconds {
            text += "\(rest / unit.seconds)\(unit.name)"
            rest %= unit.seconds
        }
        return text
    }

    /// The open connections of nodes.
    package static func connections(_ nodes: [NodeDump], namespace: String? = nil) -> Listing {
        var table = Table([
            "NODE", "POD", "DIRECTION", "FROM", "TO", "PROTOCOL", "RECEIVED", "SENT", "PEER",
        ])
        var values: [Value] = []
        for node in nodes {
            for pod in node.pods where namespace == nil || pod.namespace == namespace {
                for connection in pod.connections {
                    let direction = connection.isInbound ? "inbound" : "outbound"
                    let members = connection.members
                    func text(_ name: String) -> String { members[name]?.stringValue ?? "" }
                    func count(_ name: String) -> String {
                        bytes(members[name]?.integerValue ?? 0)
                    }
                    let dialled = text("originalDst")
                    let target = dialled.isEmpty ? text("actualDst") : dialled
                    table.add([
                        node.node, "\(pod.namespace)/\(pod.name)", direction, text("src"), target,
                        text("protocol"), count("bytesReceived"), count("bytesSent"),
                        text("sourceIdentity"),
                    ])
                    var value = Value(members)
                    value["node"] = .string(node.node)
                    value["pod"] = .string("\(pod.namespace)/\(pod.name)")
                    value["direction"] = .string(direction)
                    values.append(value)
                }
            }
        }
        let note = values.isEmpty ? "No open connections." : ""
        return Listing(table: table, value: .list(values), note: note)
    }

    private static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let tenths = Int64(value * 10)
        return unit == 0 ? "\(count)B" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }

    /// How nodes stand; `pending` tells what each still waits for, empty when it is ready.
    package static func status(_ nodes: [(dump: NodeDump, pending: String)]) -> Listing {
        var table = Table([
            "NODE", "VERSION", "READY", "PODS", "CERTIFICATES", "CONNECTIONS", "WORKLOADS",
            "SERVICES", "POLICIES",
        ])
        var values: [Value] = []
        var notes: [String] = []
        for (node, pending) in nodes {
            let pods = node.pods
            let up = pods.count { $0.state == "Up" }
            let certificates = node.certificates
            let available = certificates.count { $0.state == "Available" }
            let connections = pods.reduce(0) { $0 + $1.connections.count }
            func count(_ name: String) -> Int { node.dump[name]?.arrayValue?.count ?? 0 }
            let ready = pending.isEmpty ? "Ready" : "NotReady"
            table.add([
                node.node, node.version, ready, "\(up)/\(pods.count)",
                "\(available)/\(certificates.count)", "\(connections)", "\(count("workloads"))",
                "\(count("services"))", "\(count("policies"))",
            ])
            if !pending.isEmpty {
                notes.append("\(node.node) waits for: \(Terminal.printable(pending))")
            }
            values.append([
                "node": .string(node.node),
                "version": .string(node.version),
                "ready": .bool(pending.isEmpty),
                "pending": .string(pending),
                "pods": .integer(Int64(pods.count)),
                "podsUp": .integer(Int64(up)),
                "certificates": .integer(Int64(certificates.count)),
                "certificatesAvailable": .integer(Int64(available)),
                "connections": .integer(Int64(connections)),
                "workloads": .integer(Int64(count("workloads"))),
                "services": .integer(Int64(count("services"))),
                "policies": .integer(Int64(count("policies"))),
            ])
        }
        return Listing(
            table: table,
            value: .list(values),
            note: notes.joined(separator: "\n")
        )
    }
}
