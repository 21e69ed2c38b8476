internal import JSON
internal import Mesh
internal import Telemetry

/// The JSON of the admin server (PROTOCOL.md §5.3), named as `istioctl ztunnel-config` reads it.
enum AdminDump {
    /// All of `/config_dump`.
    static func everything(
        of backend: any AdminBackend,
        connections: [ConnectionReport]
    ) -> JSON {
        let snapshot = backend.snapshot
        return [
            "workloads": .array(snapshot.workloads.map { workload($0.workload) }),
            "services": .array(snapshot.services.map(service)),
            "policies": .array(snapshot.policies.map { policy($0.policy) }),
            "certificates": .array(backend.certificates().map(certificate)),
            "revocation": backend.revocation().map(revocation) ?? .null,
            "workloadState": workloadState(backend.pods(), connections),
            "version": build(of: backend),
            "stateVersion": .integer(Int64(clamping: snapshot.version)),
            "config": configuration(backend.configuration),
            "logLevels": .string(backend.log.levels.description),
        ]
    }

    /// The state of the mesh as a mesh state file has it, so that it can be read back.
    static func meshState(_ snapshot: Snapshot) -> JSON {
        MeshState(
            workloads: snapshot.workloads.map(\.workload),
            services: snapshot.services.map(\.service),
            policies: snapshot.policies.map(\.policy)
        ).json
    }

    /// What was built.
    static func build(of backend: any AdminBackend) -> JSON {
        .object(backend.build.map { ($0.name, .string($0.value)) })
    }

    /// The connections of each workload by direction.
    static func connections(_ reports: [ConnectionReport]) -> JSON {
        let byWorkload = Dictionary(grouping: reports, by: \.workloadUID)
        return .object(byWorkload.sorted { $0.key < $1.key }.map { ($0.key, directions($0.value)) })
    }

    private static func directions(_ reports: [ConnectionReport]) -> JSON {
        [
            "inbound": .array(reports.filter { $0.direction == .inbound }.map(\.value)),
            "outbound": .array(reports.filter { $0.direction == .outbound }.map(\.value)),
        ]
    }

    /// Every pod of the node, with or without connections.
    private static func workloadState(
        _ pods: [PodReport],
        _ reports: [ConnectionReport]
    ) -> JSON {
        let byWorkload = Dictionary(grouping: reports, by: \.workloadUID)
        var seen: Set<String> = []
        let sorted = pods.sorted { $0.workloadUID < $1.workloadUID }
        return .object(
            sorted.filter { seen.insert($0.workloadUID).inserted }.map { report in
                (report.workloadUID, state(report, byWorkload[report.workloadUID] ?? []))
            }
        )
    }

    private static func state(_ report: PodReport, _ connections: [ConnectionReport]) -> JSON {
        let pod = report.pod
        return [
            "state": .string(report.state),
            "connections": directions(connections),
            "info": [
                "name": .string(pod.name),
                "namespace": .string(pod.namespace),
                "serviceAccount": .string(pod.serviceAccount),
                "podUid": .string(pod.uid),
                "netns": .string(pod.networkNamespacePath),
                "excludedInboundPorts": numbers(pod.excludedInboundPorts),
                "excludedOutboundPorts": numbers(pod.excludedOutboundPorts),
            ],
        ]
    }

    private static func numbers(_ ports: [UInt16]) -> JSON {
        .array(ports.map { .integer(Int64($0)) })
    }

    /// Every key at the value in force, as `--print-config` writes it.
    private static func configuration(_ configuration: NodeConfiguration) -> JSON {
        .object(
            NodeConfiguration.keys.map { key in
                let value = key.show(configuration)
                // A token may be given as it is, not as a path; nobody is to read it here.
                let isSecret = key.name == "controller-token" && !value.contains("/")
                return (key.name, .string(isSecret && !value.isEmpty ? "(hidden)" : value))
            }
        )
    }

    private static func certificate(_ report: CertificateReport) -> JSON {
        [
            "identity": .string(report.identity.description),
            "state": .string(report.state),
            "certChain": .array(report.chain.map(entry)),
            "rootCerts": .array(report.roots.map(entry)),
            "rotated": report.obtainedAt.map { .string(dateText(unixSeconds: $0)) } ?? .null,
            "nextRotation": report.nextAt.map { .string(dateText(unixSeconds: $0)) } ?? .null,
        ]
    }

    private static func revocation(_ report: RevocationReport) -> JSON {
        [
            "fault": report.fault.map { .string($0) } ?? .null,
            "lists": .array(
                report.lists.map { list in
                    [
                        "issuer": .string(list.issuer),
                        "number": .string(list.number),
                        "thisUpdate": .string(dateText(unixSeconds: list.thisUpdate)),
                        "nextUpdate": .string(dateText(unixSeconds: list.nextUpdate)),
                        "revoked": .integer(Int64(list.count)),
                        "serials": .array(list.serials.map { .string($0) }),
                        "outdated": .bool(list.isOutdated),
                    ]
                }
            ),
        ]
    }

    private static func entry(_ entry: CertificateReport.Entry) -> JSON {
        [
            "pem": .string(base64(Array(entry.pem.utf8))),
            "serialNumber": .string(entry.serial),
            "validFrom": .string(dateText(unixSeconds: entry.notBefore)),
            "expirationTime": .string(dateText(unixSeconds: entry.notAfter)),
        ]
    }

    /// Base64 with padding (RFC 4648 §4).
    static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let group = bytes[index..<min(index + 3, bytes.count)]
            var bits = 0
            for byte in group { bits = bits << 8 | Int(byte) }
            bits <<= 8 * (3 - group.count)
            for place in 0..<4 {
                let digit = digits[bits >> (18 - 6 * place) & 0x3F]
                text.append(place <= group.count ? digit : UInt8(ascii: "="))
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }
}
