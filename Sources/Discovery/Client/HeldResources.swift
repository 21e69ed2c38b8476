internal import AmbientProtocol
package import Mesh
internal import SwiftProtobuf

/// What a node holds of the mesh by name and version, and how a response changes it.
///
/// No input or output. A resource that is refused is not held at that version, so it is asked for
/// again at the next connection; what was held of it before stays in force.
package struct HeldResources: Sendable {
    private enum Kind: Sendable { case workload, service, policy, revocation }

    /// What a response said of revocation lists.
    package enum Revocation: Sendable, Equatable {
        /// These are in force: PEM.
        case lists(String)
        /// There are none any more.
        case nothing
    }

    private struct Holding: Sendable {
        var version: String
        let kind: Kind
    }

    /// What one response came to.
    package struct Outcome: Sendable {
        package var change = MeshChange()
        /// Nil when it said nothing of them.
        package var revocation: Revocation?
        package var rejections: [ResourceRejection] = []
        /// Whether anything in the change was held before.
        var replaces = false
    }

    private var interner = WorkloadInterner()
    private var held = [[String: Holding]](repeating: [:], count: ResourceType.allCases.count)

    /// Holds nothing yet.
    package init() {}

    /// Takes the bytes of a response; nil when they are none.
    package mutating func take(serialized: [UInt8]) -> Outcome? {
        guard
            let response = try? Envoy_Service_Discovery_V3_DeltaDiscoveryResponse(
                serializedBytes: serialized
            ),
            let type = ResourceType(typeURL: response.typeURL)
        else { return nil }
        return take(response, type)
    }

    /// Names and versions to report when a connection begins.
    func versions(_ type: ResourceType) -> [String: String] {
        held[type.rawValue].mapValues(\.version)
    }

    /// Takes a response; every resource is taken or refused for itself.
    mutating func take(
        _ response: Envoy_Service_Discovery_V3_DeltaDiscoveryResponse,
        _ type: ResourceType
    ) -> Outcome {
        var outcome = Outcome()
        for name in response.removedResources { remove(name, type, &outcome) }
        outcome.replaces =
            !outcome.change.isEmpty
            || response.resources.contains { held[type.rawValue][$0.name] != nil }
        var seen: Set<String> = []
        seen.reserveCapacity(response.resources.count)
        for resource in response.resources {
            do throws(ResourceRejection) {
                guard seen.insert(resource.name).inserted else {
                    throw WireFields(resource: resource.name.clipped())
                        .failure("name", "comes twice in one response")
                }
                try take(resource, type, &outcome)
            } catch {
                outcome.rejections.append(error)
                held[type.rawValue][resource.name]?.version = ""
            }
        }
        return outcome
    }

    /// A removed name is a workload's uid or a service's key: what is held tells which.
    private mutating func remove(
        _ name: String,
        _ type: ResourceType,
        _ outcome: inout Outcome
    ) {
        guard let old = held[type.rawValue].removeValue(forKey: name) else { return }
        switch old.kind {
        case .workload: outcome.change.removedWorkloads.append(name)
        case .service: outcome.change.removedServices.append(name)
        case .policy: outcome.change.removedPolicies.append(name)
        case .revocation: outcome.revocation = .nothing
        }
    }

    private mutating func take(
        _ resource: Envoy_Service_Discovery_V3_Resource,
        _ type: ResourceType,
        _ outcome: inout Outcome
    ) throws(ResourceRejection) {
        let fields = WireFields(resource: resource.name.clipped())
        guard resource.resource.typeURL == type.typeURL else {
            throw fields.failure("resource", "is of another type than the response")
        }
        switch type {
        case .revocation: outcome.revocation = .lists(try revocations(resource, type, fields))
        case .authorization:
            let policy = try Policy(
                try decode(Istio_Security_Authorization.self, resource, fields),
                resource: fields.resource
            )
            try hold(policy.key, .policy, resource, type, fields)
            outcome.change.policies.append(policy)
        case .address:
            switch try decode(Istio_Workload_Address.self, resource, fields).type {
            case .workload(let wire):
                let workload = try Workload(wire, resource: fields.resource)
                try hold(workload.uid, .workload, resource, type, fields)
                outcome.change.workloads.append(interner.interned(workload))
            case .service(let wire):
                let service = try Service(wire, resource: fields.resource)
                try hold(service.key, .service, resource, type, fields)
                outcome.change.services.append(service)
            case nil: throw fields.failure("", "is neither a workload nor a service")
            }
        }
    }

    /// The longest text of lists and their authorities' certificates, in bytes.
    static let revocationBytesMax = 2 << 20

    private mutating func revocations(
        _ resource: Envoy_Service_Discovery_V3_Resource,
        _ type: ResourceType,
        _ fields: WireFields
    ) throws(ResourceRejection) -> String {
        guard resource.resource.value.count <= Self.revocationBytesMax else {
            throw fields.failure("resource", "is above \(Self.revocationBytesMax) bytes")
        }
        let lists = try decode(Google_Protobuf_BytesValue.self, resource, fields).value
        guard let text = String(validating: lists, as: UTF8.self) else {
            throw fields.failure("resource", "is no PEM")
        }
        try hold(EncodedResource.revocationName, .revocation, resource, type, fields)
        return text
    }

    private func decode<Message: SwiftProtobuf.Message>(
        _: Message.Type,
        _ resource: Envoy_Service_Discovery_V3_Resource,
        _ fields: WireFields
    ) throws(ResourceRejection) -> Message {
        do {
            return try Message(serializedBytes: resource.resource.value)
        } catch {
            throw fields.failure("resource", "cannot be decoded: \(error)")
        }
    }

    /// A resource must be named for what it is, or its removal would miss it.
    private mutating func hold(
        _ key: String,
        _ kind: Kind,
        _ resource: Envoy_Service_Discovery_V3_Resource,
        _ type: ResourceType,
        _ fields: WireFields
    ) throws(ResourceRejection) {
        guard resource.name.isEmpty || resource.name == key else {
            throw fields.failure("name", "is not its content's, \(key.clipped())")
        }
        if let old = held[type.rawValue][key], old.kind != kind {
            throw fields.failure("name", "is held by a resource of another kind")
        }
        held[type.rawValue][key] = Holding(version: resource.version, kind: kind)
    }
}
