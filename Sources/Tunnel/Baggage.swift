package import HTTP
package import Mesh

/// Who a workload is, as the `baggage` field of HBONE tells it: for metrics and logs, never proof.
///
/// Values are printable ASCII of at most `valueBytesMax` bytes; an empty value means absent.
package struct Baggage: Sendable, Hashable {
    /// The cluster's identifier.
    package var cluster = ""
    /// The workload's namespace.
    package var namespace = ""
    /// What owns the workload; nil exactly when `workloadName` is empty.
    package var workloadKind: Workload.Kind?
    /// The owner's name.
    package var workloadName = ""
    /// The canonical service.
    package var canonicalName = ""
    /// The canonical revision.
    package var canonicalRevision = ""
    /// The region of the workload's node.
    package var region = ""
    /// The zone of the workload's node.
    package var zone = ""

    /// The longest value that is kept: a DNS name.
    package static let valueBytesMax = 253
    /// The longest text that is read; the rest is ignored.
    package static let textBytesMax = 4096

    /// Makes one that says nothing.
    package init() {}

    /// Describes a workload.
    package init(_ workload: Workload) {
        cluster = workload.clusterID
        namespace = workload.namespace
        workloadKind = workload.workloadName.isEmpty ? nil : workload.kind
        workloadName = workload.workloadName
        canonicalName = workload.canonicalName
        canonicalRevision = workload.canonicalRevision
        region = workload.locality.region
        zone = workload.locality.zone
    }

    /// Reads the `baggage` fields of a request or response, one or several.
    package init(_ fields: HeaderFields) {
        var left = Self.textBytesMax
        for text in fields.values(of: "baggage") where left > 0 {
            let taken = text.utf8.prefix(left)
            left -= taken.count
            for member in taken.split(separator: UInt8(ascii: ",")) {
                take(member)
            }
        }
    }

    /// Whether nothing is said.
    package var isEmpty: Bool { self == Baggage() || description.isEmpty }

    /// Takes one `key=value`; what cannot be read or is not ours is skipped.
    ///
    /// The first of a key wins.
    private mutating func take(_ member: Substring.UTF8View) {
        let pair = member.prefix { $0 != UInt8(ascii: ";") }
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { return }
        let key = String(decoding: trimmed(pair[..<equals]), as: UTF8.self)
        let value = trimmed(pair[pair.index(after: equals)...])
        guard !value.isEmpty, isBaggageValue(value) else { return }
        let text = String(decoding: value, as: UTF8.self)
        if let kind = Self.kinds.first(where: { $0.key == key })?.kind {
            guard workloadKind == nil else { return }
            workloadKind = kind
            workloadName = text
            return
        }
        if let field = Self.keys.first(where: { $0.key == key })?.field,
            self[keyPath: field].isEmpty
        {
            self[keyPath: field] = text
        }
    }

    private static let kinds: [(key: String, kind: Workload.Kind)] = [
        ("k8s.deployment.name", .deployment), ("k8s.cronjob.name", .cronJob),
        ("k8s.pod.name", .pod), ("k8s.job.name", .job),
    ]

    private static var keys: [(key: String, field: WritableKeyPath<Baggage, String>)] {
        [
            ("k8s.cluster.name", \.cluster), ("k8s.namespace.name", \.namespace),
            ("service.name", \.canonicalName), ("service.version", \.canonicalRevision),
            ("cloud.region", \.region), ("cloud.availability_zone", \.zone),
        ]
    }
}

extension Baggage: CustomStringConvertible {
    /// The text of the field, in the order foreign peers use; unfit values are left out.
    package var description: String {
        var members: [String] = []
        func add(_ key: String, _ value: String) {
            guard !value.isEmpty, isBaggageValue(value.utf8[...]) else { return }
            members.append(key + "=" + value)
        }
        add("k8s.cluster.name", cluster)
        add("k8s.namespace.name", namespace)
        if let kind = Self.kinds.first(where: { $0.kind == workloadKind }) {
            add(kind.key, workloadName)
        }
        add("service.name", canonicalName)
        add("service.version", canonicalRevision)
        add("cloud.region", region)
        add("cloud.availability_zone", zone)
        return members.joined(separator: ",")
    }
}

/// The octets W3C Baggage allows in a value: printable, without separators and quotes.
private func isBaggageValue(_ value: Substring.UTF8View) -> Bool {
    value.count <= Baggage.valueBytesMax
        && value.allSatisfy {
            switch $0 {
            case UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\\"): false
            default: $0 > 0x20 && $0 < 0x7F
            }
        }
}

/// Without spaces and tabs at both ends.
func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    var rest = text.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = rest.last, last == 0x20 || last == 0x09 {
        rest = rest.dropLast()
    }
    return rest
}
