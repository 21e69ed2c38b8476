package import JSON

/// The mesh as it is handed to a node: workloads, services and policies.
///
/// Its file form has the fields of PROTOCOL.md §2.2 and §2.3 in the JSON form of protobuf, with
/// addresses as text. A file is taken whole or refused whole.
package struct MeshState: Sendable, Equatable {
    package var workloads: [Workload]
    package var services: [Service]
    package var policies: [Policy]

    /// Makes a state from its parts.
    package init(
        workloads: [Workload] = [],
        services: [Service] = [],
        policies: [Policy] = []
    ) {
        self.workloads = workloads
        self.services = services
        self.policies = policies
    }

    /// Decodes a file's bytes.
    ///
    /// Refused: text that is no JSON, unknown fields (but `extensions` of workloads and services)
    /// and enum values, values out of range, the same uid or key twice.
    package init(json bytes: [UInt8]) throws(MeshStateError) {
        let value: JSON
        do {
            value = try JSON.parse(bytes)
        } catch {
            throw MeshStateError(object: "", field: "", reason: error.description)
        }
        try self.init(value)
    }

    /// Decodes a parsed value.
    package init(_ value: JSON) throws(MeshStateError) {
        var reader = try FieldReader(value, object: "")
        workloads = try Self.objects(&reader, "workloads", "uid") { value throws(MeshStateError) in
            try Workload(value)
        }
        services = try Self.objects(&reader, "services", "hostname") {
            value throws(MeshStateError) in
            try Service(value)
        }
        policies = try Self.objects(&reader, "policies", "name") { value throws(MeshStateError) in
            try Policy(value)
        }
        try reader.finish()
        try Self.refuseTwice(workloads, "workloads", "uid", \.uid)
        try Self.refuseTwice(services, "services", "hostname", \.key)
        try Self.refuseTwice(policies, "policies", "name", \.key)
    }

    private static func objects<Value>(
        _ reader: inout FieldReader,
        _ list: String,
        _ naming: String,
        _ decode: (FieldReader) throws(MeshStateError) -> Value
    ) throws(MeshStateError) -> [Value] {
        try reader.map(list) { _, value, field throws(MeshStateError) in
            var label = field
            if case .string(let name)? = value[naming] {
                label +=
                    " " + String(decoding: JSON.string(name).compact().prefix(256), as: UTF8.self)
            }
            return try decode(try FieldReader(value, object: label))
        }
    }

    private static func refuseTwice<Value>(
        _ values: [Value],
        _ list: String,
        _ field: String,
        _ key: (Value) -> String
    ) throws(MeshStateError) {
        var seen: Set<String> = []
        for (index, value) in values.enumerated() {
            guard seen.insert(key(value)).inserted else {
                throw MeshStateError(
                    object: "\(list)[\(index)]",
                    field: field,
                    reason: "\(key(value)) comes twice"
                )
            }
        }
    }

    /// The state in the file's form; fields at their defaults are left out.
    package var json: JSON {
        [
            "workloads": .array(workloads.map(\.json)),
            "services": .array(services.map(\.json)),
            "policies": .array(policies.map(\.json)),
        ]
    }
}

/// The pods of one node that are enrolled, as the node is told of them.
package struct LocalPods: Sendable, Equatable {
    package var pods: [LocalPod]

    /// Makes a list.
    package init(pods: [LocalPod]) { self.pods = pods }

    /// Decodes a file's bytes: `{"pods": [...]}` with the fields of `LocalPod`, `netns` its path.
    ///
    /// Refused as `MeshState` refuses, and when a uid comes twice.
    package init(json bytes: [UInt8]) throws(MeshStateError) {
        let value: JSON
        do {
            value = try JSON.parse(bytes, bytesMax: 16 << 20)
        } catch {
            throw MeshStateError(object: "", field: "", reason: error.description)
        }
        var reader = try FieldReader(value, object: "")
        pods = try reader.map("pods") { _, value, field throws(MeshStateError) in
            try LocalPod(try FieldReader(value, object: field))
        }
        try reader.finish()
        var seen: Set<String> = []
        for (index, pod) in pods.enumerated() where !seen.insert(pod.uid).inserted {
            throw MeshStateError(
                object: "pods[\(index)]",
                field: "uid",
                reason: "\(pod.uid) comes twice"
            )
        }
    }

    /// The list in the file's form.
    package var json: JSON { ["pods": .array(pods.map(\.json))] }
}

extension LocalPod {
    init(_ fields: FieldReader) throws(MeshStateError) {
        var reader = fields
        let path: String
        self.init(
            uid: try reader.requiredText("uid"),
            name: try reader.requiredSegment("name"),
            namespace: try reader.requiredSegment("namespace"),
            serviceAccount: try reader.requiredSegment("serviceAccount"),
            networkNamespacePath: try reader.requiredText("netns")
        )
        path = networkNamespacePath
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw reader.failure("netns", "is not an absolute path")
        }
        addresses = try reader.map("addresses") { reader, value, field throws(MeshStateError) in
            try reader.checkedAddress(value, field)
        }
        let ports = { (reader: FieldReader, value: JSON, field: String) throws(MeshStateError) in
            try reader.checkedPort(value, field)
        }
        excludedOutboundPorts = try reader.map("excludedOutboundPorts", ports)
        excludedInboundPorts = try reader.map("excludedInboundPorts", ports)
        probePorts = try reader.map("probePorts", ports)
        capturesDNS = try reader.bool("capturesDNS") ?? true
        try reader.finish()
    }

    var json: JSON {
        [
            "uid": .string(uid), "name": .string(name), "namespace": .string(namespace),
            "serviceAccount": .string(serviceAccount),
            "addresses": .array(addresses.map { .string($0.description) }),
            "netns": .string(networkNamespacePath),
            "excludedOutboundPorts": .array(excludedOutboundPorts.map { .integer(Int64($0)) }),
            "excludedInboundPorts": .array(excludedInboundPorts.map { .integer(Int64($0)) }),
            "probePorts": .array(probePorts.map { .integer(Int64($0)) }),
            "capturesDNS": .bool(capturesDNS),
        ]
    }
}

extension MeshState {
    /// Sets and removes what a change names.
    package mutating func apply(_ change: MeshChange) {
        Self.apply(change.workloads, change.removedWorkloads, to: &workloads, by: \.uid)
        Self.apply(change.services, change.removedServices, to: &services, by: \.key)
        Self.apply(change.policies, change.removedPolicies, to: &policies, by: \.key)
    }

    private static func apply<Entry>(
        _ new: [Entry],
        _ removed: [String],
        to entries: inout [Entry],
        by key: (Entry) -> String
    ) {
        guard !new.isEmpty || !removed.isEmpty else { return }
        let replaced = Set(removed).union(new.map(key))
        entries.removeAll { replaced.contains(key($0)) }
        entries += new
    }
}
