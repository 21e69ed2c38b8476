package import Mesh

/// Answers the name queries of enrolled pods for names of the mesh; pure (PROTOCOL.md §4.5).
///
/// Addresses (A, AAAA) of known names are answered with authority; a known name without an
/// address of the wanted family is an empty answer, never a wrong one from elsewhere. Everything
/// else, other record types of known names included, is for the nameserver the pod asked.
///
/// Names are those that clients send: the pod's own resolver appends the search domains of its
/// `resolv.conf`. Beyond full names we know `service` and `service.namespace.svc`, and names
/// outside the cluster with a search domain appended, for which the answer is an alias.
/// `service.namespace` alone is not taken: a namespace `com` would then own `google.com`.
package struct Resolver: Sendable {
    /// Addresses in an answer, at most; a longer list is shuffled and cut.
    package static let addressesMax = 1024

    /// What becomes of a query.
    package enum Answer: Sendable, Hashable {
        /// Send this back.
        case reply([UInt8])
        /// Ask the nameserver that the pod meant.
        case forward
        /// No query, nothing to say.
        case drop
    }

    /// How the query came; it decides how long the answer may be.
    package enum Transport: Sendable, Hashable { case datagram, stream }

    /// The pod that asks.
    package struct Client: Sendable, Hashable {
        package let namespace: String
        package let network: String
        /// Whether it has IPv6; without, no IPv6 address is given out.
        package let ipv6: Bool

        package init(namespace: String, network: String, ipv6: Bool = true) {
            self.namespace = namespace
            self.network = network
            self.ipv6 = ipv6
        }
    }

    /// The domain of the cluster in lower case, such as `cluster.local`.
    package let clusterDomain: String
    /// Whether nobody else knows names of that domain.
    ///
    /// An unknown one does not exist then, instead of being forwarded: for meshes without a
    /// nameserver of the cluster.
    package let ownsClusterDomain: Bool
    /// Names that only stand for another one, both in lower case and without the root's dot.
    ///
    /// A nameserver of the cluster has those of ExternalName services; the mesh has none, and
    /// forwards them. The other name is not looked up among these again.
    package var aliases: [String: String] = [:]

    /// Makes a resolver; the state of the mesh comes with each query.
    package init(clusterDomain: String, ownsClusterDomain: Bool = false) {
        self.clusterDomain = clusterDomain.lowercased()
        self.ownsClusterDomain = ownsClusterDomain
    }

    /// Decides about one query.
    package func answer(
        _ query: [UInt8],
        for client: Client,
        in snapshot: Snapshot,
        over transport: Transport,
        using random: inout some RandomNumberGenerator
    ) -> Answer {
        let limit =
            transport == .stream ? DNSMessage.streamBytesMax : DNSMessage.datagramBytesMax
        let message: DNSMessage
        do throws(DNSMessage.Failure) {
            message = try DNSMessage(query, bytesMax: limit)
        } catch {
            return DNSResponse.malformed(query).map { .reply($0) } ?? .drop
        }
        guard !message.flags.isResponse else { return .drop }
        var response = DNSResponse(to: message, bytesMax: bytesMax(message, transport))
        guard message.flags.opcode == 0 else {
            return .reply(response.message(.notImplemented, authoritative: false))
        }
        guard message.questions.count == 1, let question = message.questions.first else {
            return .reply(response.message(.malformed, authoritative: false))
        }
        if let version = message.extension?.version, version > 0 {
            return .reply(response.message(.badVersion, authoritative: false))
        }
        guard question.queryClass == internetClass, let name = question.name.text,
            let family = Self.family(question.type)
        else { return .forward }
        guard let found = find(name, client, snapshot) else {
            guard ownsClusterDomain, name == clusterDomain || name.hasSuffix("." + clusterDomain)
            else { return .forward }
            return .reply(response.message(.unknownName, authoritative: true))
        }
        if let alias = found.alias {
            guard let target = DomainName(alias) else { return .forward }
            response.add(alias: target)
        }
        if family == .v4 || client.ipv6 {
            let wanted = found.addresses.filter { $0.family == family }.shuffled(using: &random)
            wanted.prefix(Self.addressesMax).forEach { response.add($0) }
        }
        return .reply(response.message(.success, authoritative: true))
    }

    /// The answer when the query cannot be served at all; nil for bytes that are no query.
    ///
    /// Such as for a pod without a workload, or a nameserver that does not answer.
    package static func failure(_ query: [UInt8]) -> [UInt8]? {
        guard let message = try? DNSMessage(query), !message.flags.isResponse else { return nil }
        return DNSResponse(to: message, bytesMax: 512).message(.failure, authoritative: false)
    }

    // MARK: - Names

    private struct Found {
        /// The full name that the one asked for stands for.
        var alias: String?
        let addresses: [IPAddress]
    }

    private func find(_ name: String, _ client: Client, _ snapshot: Snapshot) -> Found? {
        for candidate in [name] + expansions(name, client) {
            if let target = aliases[candidate] {
                return Found(alias: target, addresses: addresses(target, client, snapshot) ?? [])
            }
            if let addresses = addresses(candidate, client, snapshot) {
                return Found(alias: nil, addresses: addresses)
            }
        }
        // The pod's resolver tries its search domains first, also for names outside the cluster.
        for domain in [client.namespace + ".svc.", "svc.", ""] {
            let suffix = "." + domain + clusterDomain
            guard name.hasSuffix(suffix) else { continue }
            let stem = String(name.dropLast(suffix.count))
            guard stem.contains("."), let addresses = addresses(stem, client, snapshot) else {
                continue
            }
            return Found(alias: stem, addresses: addresses)
        }
        return nil
    }

    /// The full names that a shorter one may stand for.
    private func expansions(_ name: String, _ client: Client) -> [String] {
        if !name.contains(".") {
            return name.isEmpty ? [] : ["\(name).\(client.namespace).svc.\(clusterDomain)"]
        }
        return name.hasSuffix(".svc") ? ["\(name).\(clusterDomain)"] : []
    }

    /// The addresses of a full name, of both families; nil when the mesh does not know it.
    private func addresses(
        _ name: String,
        _ client: Client,
        _ snapshot: Snapshot
    ) -> [IPAddress]? {
        let exact = snapshot.services(hostname: name, clientNamespace: client.namespace)
        for service in exact {
            if let found = addresses(of: service, client) { return found }
        }
        guard exact.isEmpty, let dot = name.firstIndex(of: ".") else { return nil }
        let parent = String(name[name.index(after: dot)...])
        for service in snapshot.services(hostname: parent, clientNamespace: client.namespace) {
            let pods = members(of: service, client).filter {
                $0.workload.workload.hostname.lowercased() == name
            }
            if !pods.isEmpty { return pods.flatMap(\.workload.workload.addresses) }
        }
        return wildcard(name, client, snapshot)
    }

    /// The nearest `*.parent` that covers a name.
    private func wildcard(
        _ name: String,
        _ client: Client,
        _ snapshot: Snapshot
    ) -> [IPAddress]? {
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            let services = snapshot.services(
                hostname: "*." + rest,
                clientNamespace: client.namespace
            )
            for service in services {
                if let found = addresses(of: service, client) { return found }
            }
        }
        return nil
    }

    /// Virtual addresses on the client's network; of a headless service of the cluster those of
    /// its members; nil for another service without any, whose name is somebody else's to resolve.
    private func addresses(of service: ServiceRecord, _ client: Client) -> [IPAddress]? {
        guard service.service.addresses.isEmpty else {
            return service.service.addresses
                .filter { $0.network == client.network && $0.prefix.isHost }
                .map(\.prefix.address)
        }
        let isOfCluster =
            service.service.canonical
            || service.service.hostname.lowercased().hasSuffix(".svc." + clusterDomain)
        guard isOfCluster else { return nil }
        return members(of: service, client).flatMap(\.workload.workload.addresses)
    }

    /// The members a client may be told of: on its network, and healthy unless all are published.
    private func members(of service: ServiceRecord, _ client: Client) -> [Endpoint] {
        let takesAll = service.service.loadBalancing.healthPolicy == .allowAll
        return service.endpoints.filter { endpoint in
            let workload = endpoint.workload.workload
            return workload.network == client.network && (takesAll || workload.status == .healthy)
        }
    }

    // MARK: - Sizes and types

    private func bytesMax(_ query: DNSMessage, _ transport: Transport) -> Int {
        switch transport {
        case .stream: return DNSMessage.streamBytesMax
        case .datagram:
            let offered = Int(query.extension?.payloadBytes ?? 512)
            return min(max(512, offered), DNSMessage.datagramBytesMax)
        }
    }

    private static func family(_ type: UInt16) -> IPAddress.Family? {
        switch type {
        case RecordType.a: .v4
        case RecordType.aaaa: .v6
        default: nil
        }
    }
}
