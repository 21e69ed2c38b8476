package import JSON
package import Mesh

/// What one node's admin server told of itself.
package struct NodeDump: Sendable {
    /// The node's name, or what it was asked under.
    package let node: String
    /// `/config_dump`.
    package let dump: JSON

    /// Takes a parsed answer; `node` names it where the answer does not.
    package init(node: String, dump: JSON) {
        let named = dump["config"]?["node-name"]?.stringValue ?? ""
        self.node = named.isEmpty ? node : named
        self.dump = dump
    }

    /// Parses an answer; fails with what is wrong with it.
    package init(node: String, bytes: [UInt8]) throws(ReachError) {
        do {
            self.init(node: node, dump: try JSON.parse(bytes, bytesMax: 256 << 20))
        } catch {
            throw ReachError(.failed, "node \(node) answered what is no JSON: \(error)")
        }
    }

    /// The version of the node's program; empty where it is not told.
    package var version: String { dump["version"]?["version"]?.stringValue ?? "" }

    /// A pod of the node and how it stands.
    package struct LocalPod: Sendable {
        package let name: String
        package let namespace: String
        /// `Up`, `Pending` or `Draining`.
        package let state: String
        package let serviceAccount: String
        /// Ports that annotations keep out of the mesh; none where the node does not tell.
        package let excludedInboundPorts: Set<UInt16>
        package let excludedOutboundPorts: Set<UInt16>
        package let connections: [Connection]
    }

    /// An open connection of a pod.
    package struct Connection: Sendable {
        package let isInbound: Bool
        package let members: JSON
    }

    /// The enrolled pods of the node, by name.
    package var pods: [LocalPod] {
        let entries = dump["workloadState"]?.objectValue ?? []
        return entries.map { _, state in
            LocalPod(
                name: state["info"]?["name"]?.stringValue ?? "",
                namespace: state["info"]?["namespace"]?.stringValue ?? "",
                state: state["state"]?.stringValue ?? "",
                serviceAccount: state["info"]?["serviceAccount"]?.stringValue ?? "",
                excludedInboundPorts: Self.ports(state["info"]?["excludedInboundPorts"]),
                excludedOutboundPorts: Self.ports(state["info"]?["excludedOutboundPorts"]),
                connections: Self.connections(state["connections"])
            )
        }.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    private static func ports(_ value: JSON?) -> Set<UInt16> {
        let numbers = (value?.arrayValue ?? []).compactMap(\.integerValue)
        return Set(numbers.compactMap { UInt16(exactly: $0) })
    }

    private static func connections(_ value: JSON?) -> [Connection] {
        ["inbound", "outbound"].flatMap { direction in
            (value?[direction]?.arrayValue ?? []).map {
                Connection(isInbound: direction == "inbound", members: $0)
            }
        }
    }

    /// An identity of the node and the certificate it has.
    package struct Certificate: Sendable {
        package let identity: String
        /// `Available`, `Initializing` or `Unavailable: ` with the reason.
        package let state: String
        package let serial: String
        /// RFC 3339, empty without a certificate.
        package let notBefore: String
        package let notAfter: String
        /// Serial numbers of the roots it trusts.
        package let roots: [String]
        /// When it was obtained, and when the next one is due; RFC 3339 or empty.
        package let rotated: String
        package let nextRotation: String
    }

    /// The certificates of the node's identities.
    package var certificates: [Certificate] {
        (dump["certificates"]?.arrayValue ?? []).map { entry in
            let leaf = entry["certChain"]?.arrayValue?.first
            return Certificate(
                identity: entry["identity"]?.stringValue ?? "",
                state: entry["state"]?.stringValue ?? "",
                serial: leaf?["serialNumber"]?.stringValue ?? "",
                notBefore: leaf?["validFrom"]?.stringValue ?? "",
                notAfter: leaf?["expirationTime"]?.stringValue ?? "",
                roots: (entry["rootCerts"]?.arrayValue ?? []).map {
                    $0["serialNumber"]?.stringValue ?? ""
                },
                rotated: entry["rotated"]?.stringValue ?? "",
                nextRotation: entry["nextRotation"]?.stringValue ?? ""
            )
        }
    }

    /// A revocation list that the node has in force.
    package struct RevocationList: Sendable {
        package let issuer: String
        package let number: String
        /// RFC 3339.
        package let thisUpdate: String
        package let nextUpdate: String
        /// How many certificates are on it.
        package let revoked: Int64
        package let isOutdated: Bool
    }

    /// The revocation lists that the node has in force.
    package var revocationLists: [RevocationList] {
        (dump["revocation"]?["lists"]?.arrayValue ?? []).map { list in
            RevocationList(
                issuer: list["issuer"]?.stringValue ?? "",
                number: list["number"]?.stringValue ?? "",
                thisUpdate: list["thisUpdate"]?.stringValue ?? "",
                nextUpdate: list["nextUpdate"]?.stringValue ?? "",
                revoked: list["revoked"]?.integerValue ?? 0,
                isOutdated: list["outdated"]?.boolValue ?? false
            )
        }
    }

    /// Why the node accepts no peer at all; empty when it does.
    package var revocationFault: String { dump["revocation"]?["fault"]?.stringValue ?? "" }

    /// The serial number of the certificate that a pod of the node is served under.
    package func serial(namespace: String, pod: String) -> String? {
        guard let found = pods.first(where: { $0.namespace == namespace && $0.name == pod }) else {
            return nil
        }
        let suffix = "/ns/\(namespace)/sa/\(found.serviceAccount)"
        return certificates.first { $0.identity.hasSuffix(suffix) && !$0.serial.isEmpty }?.serial
    }
}

/// The mesh as one node holds it.
package struct MeshView: Sendable {
    package let snapshot: Snapshot

    /// Builds the indexes over a state.
    package init(_ state: MeshState) {
        snapshot = Snapshot(
            version: 0,
            workloads: state.workloads,
            services: state.services,
            policies: state.policies
        )
    }

    /// Parses the answer of `/mesh_state`.
    package init(node: String, bytes: [UInt8]) throws(ReachError) {
        do {
            self.init(try MeshState(json: bytes))
        } catch {
            throw ReachError(.failed, "node \(node) tells of a mesh that is not valid: \(error)")
        }
    }
}
