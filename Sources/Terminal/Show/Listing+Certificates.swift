internal import JSON
internal import Kubernetes

extension Listing {
    /// The certificates of nodes, and what is revoked there; `now` is in seconds of Unix time.
    package static func certificates(_ nodes: [NodeDump], now: Int64) -> Listing {
        var table = Table([
            "NODE", "IDENTITY", "STATE", "EXPIRES", "IN", "ROTATED", "NEXT", "SERIAL", "ROOTS",
        ])
        var values: [Value] = []
        for node in nodes {
            let lists = Value.list(node.revocationLists.map { value($0, now) })
            for certificate in node.certificates {
                let expiry = Timestamp.seconds(certificate.notAfter)
                let left = expiry.map { duration(seconds: $0 - now) } ?? ""
                table.add([
                    node.node, certificate.identity, certificate.state, certificate.notAfter, left,
                    ago(certificate.rotated, now), until(certificate.nextRotation, now),
                    certificate.serial, "\(certificate.roots.count)",
                ])
                values.append([
                    "node": .string(node.node),
                    "identity": .string(certificate.identity),
                    "state": .string(certificate.state),
                    "serial": .string(certificate.serial),
                    "notBefore": .string(certificate.notBefore),
                    "notAfter": .string(certificate.notAfter),
                    "secondsLeft": expiry.map { .integer($0 - now) } ?? .null,
                    "rotated": .string(certificate.rotated),
                    "nextRotation": .string(certificate.nextRotation),
                    "roots": .list(certificate.roots.map { .string($0) }),
                    "revocationLists": lists,
                    "revocationFault": .string(node.revocationFault),
                ])
            }
        }
        var notes = nodes.flatMap { revocationNotes($0, now) }
        if values.isEmpty {
            notes.insert("No certificates: no pod of these nodes is in the mesh.", at: 0)
        }
        return Listing(table: table, value: .list(values), note: notes.joined(separator: "\n"))
    }

    private static func value(_ list: NodeDump.RevocationList, _ now: Int64) -> Value {
        [
            "issuer": .string(list.issuer),
            "number": .string(list.number),
            "thisUpdate": .string(list.thisUpdate),
            "nextUpdate": .string(list.nextUpdate),
            "secondsLeft": Timestamp.seconds(list.nextUpdate).map { .integer($0 - now) } ?? .null,
            "revoked": .integer(list.revoked),
            "outdated": .bool(list.isOutdated),
        ]
    }

    /// One line for each list of a node, and one for what is wrong.
    private static func revocationNotes(_ node: NodeDump, _ now: Int64) -> [String] {
        let name = Terminal.printable(node.node)
        var notes = node.revocationLists.map { list in
            let next = Terminal.printable(list.nextUpdate)
            let state =
                list.isOutdated
                ? "OUT OF DATE since \(next): certificates of this authority are refused"
                : "next one due in \(until(list.nextUpdate, now))"
            return "\(name): list \(Terminal.printable(list.number)) of "
                + "\(Terminal.printable(list.issuer)) revokes \(list.revoked), \(state)"
        }
        if !node.revocationFault.isEmpty {
            notes.append("\(name): accepts no peer, \(Terminal.printable(node.revocationFault))")
        }
        return notes
    }

    private static func ago(_ time: String, _ now: Int64) -> String {
        Timestamp.seconds(time).map { "\(duration(seconds: max(0, now - $0))) ago" } ?? ""
    }

    private static func until(_ time: String, _ now: Int64) -> String {
        Timestamp.seconds(time).map { duration(seconds: max(0, $0 - now)) } ?? ""
    }
}
