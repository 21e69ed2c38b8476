internal import DNS
package import Mesh

/// What the cluster's nameserver answers, as CoreDNS would in a real one; pure.
///
/// Addresses come from the mesh state, service records (SRV) and aliases (CNAME) from the objects.
/// Names outside the cluster fail: a lab does not reach the world.
package struct ClusterResolver: Sendable {
    /// The port and host of a named port of a service.
    package struct ServiceTarget: Sendable, Hashable {
        package let host: String
        package let port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    private static let serviceRecordType: UInt16 = 33
    /// Seconds an answer may be kept.
    private static let lifetime: UInt32 = 30

    private var resolver: Resolver
    private let domain: String
    private let network: String
    private var snapshot = Snapshot.empty
    private var targets: [String: ServiceTarget] = [:]

    /// Makes a resolver that knows no name yet.
    package init(clusterDomain: String, network: String) {
        resolver = Resolver(clusterDomain: clusterDomain, ownsClusterDomain: true)
        domain = clusterDomain.lowercased()
        self.network = network
    }

    /// Takes over new objects.
    ///
    /// Targets are by full lower-case name, such as `_http._tcp.web.…`; aliases are the names that
    /// ExternalName services stand for, by their own.
    package mutating func update(
        _ state: MeshState,
        targets: [String: ServiceTarget],
        aliases: [String: String]
    ) {
        var state = state
        state.policies = []
        let change = MeshChange(from: snapshot, to: state)
        snapshot = snapshot.applying(change, version: snapshot.version + 1).snapshot
        self.targets = targets
        resolver.aliases = aliases
    }

    /// The answer to a query from an address; nil for bytes that deserve none.
    package func answer(
        _ query: [UInt8],
        from source: IPAddress,
        overStream: Bool
    ) -> [UInt8]? {
        let workload = snapshot.workload(address: source, network: network)?.workload
        let client = Resolver.Client(namespace: workload?.namespace ?? "default", network: network)
        var random = SystemRandomNumberGenerator()
        let answer = resolver.answer(
            query,
            for: client,
            in: snapshot,
            over: overStream ? .stream : .datagram,
            using: &random
        )
        switch answer {
        case .reply(let bytes): return bytes
        case .drop: return nil
        case .forward: return answerOther(query)
        }
    }

    // Other types than addresses, and names outside the cluster.
    private func answerOther(_ query: [UInt8]) -> [UInt8]? {
        guard let message = try? DNSMessage(query), let question = message.questions.first,
            let name = question.name.text?.lowercased(),
            name == domain || name.hasSuffix("." + domain)
        else { return Resolver.failure(query) }
        if question.type == RecordType.cname, let alias = resolver.aliases[name],
            let host = DomainName(alias)
        {
            return Self.response(to: message, question, code: 0, data: host.wire)
        }
        guard question.type == Self.serviceRecordType else {
            return Self.response(to: message, question, code: 0)
        }
        guard let target = targets[name], let host = DomainName(target.host) else {
            return Self.response(to: message, question, code: 3)
        }
        let data = Self.bytes(0) + Self.bytes(100) + Self.bytes(target.port) + host.wire
        return Self.response(to: message, question, code: 0, data: data)
    }

    private static func response(
        to message: DNSMessage,
        _ question: DNSMessage.Question,
        code: UInt16,
        data: [UInt8]? = nil
    ) -> [UInt8] {
        // An authoritative answer that repeats whether recursion was wished (RFC 1035 §4.1.1).
        let flags = 0x8400 | message.flags.bits & 0x0100 | code
        var bytes = Self.bytes(message.id) + Self.bytes(flags) + Self.bytes(1)
        bytes += Self.bytes(data == nil ? 0 : 1) + Self.bytes(0) + Self.bytes(0)
        bytes += question.name.wire + Self.bytes(question.type) + Self.bytes(question.queryClass)
        if let data {
            // The name is that of the question, at byte 12.
            bytes += Self.bytes(0xC00C) + Self.bytes(question.type)
            bytes += Self.bytes(question.queryClass)
            bytes += Self.bytes(UInt16(lifetime >> 16)) + Self.bytes(UInt16(lifetime & 0xFFFF))
            bytes += Self.bytes(UInt16(clamping: data.count)) + data
        }
        return bytes
    }

    private static func bytes(_ word: UInt16) -> [UInt8] {
        [UInt8(word >> 8), UInt8(word & 0xFF)]
    }
}
