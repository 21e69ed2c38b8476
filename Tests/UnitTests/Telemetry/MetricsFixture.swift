import Mesh
import Synchronization
import Telemetry
import Testing

/// Workloads and services that tests of telemetry share.
enum MetricsFixture {
    static let client: Workload = {
        var workload = Workload(
            uid: "Kubernetes//Pod/shop/client-6f9",
            name: "client-6f9",
            namespace: "shop"
        )
        workload.serviceAccount = "client"
        workload.workloadName = "client"
        workload.canonicalName = "client"
        workload.canonicalRevision = "v1"
        workload.locality.region = "r1"
        workload.locality.zone = "z1"
        return workload
    }()

    static let web: Workload = {
        var workload = Workload(uid: "Kubernetes//Pod/shop/web", name: "web", namespace: "shop")
        workload.serviceAccount = "web"
        return workload
    }()

    static let service = Service(
        name: "web",
        namespace: "shop",
        hostname: "web.shop.svc.cluster.local"
    )

    static func pod(_ number: Int) -> Workload {
        Workload(uid: "Kubernetes//Pod/load/p\(number)", name: "p\(number)", namespace: "load")
    }

    /// Labels of a connection in the clear from a workload to `web`.
    static func labels(_ source: Workload) -> ConnectionLabels {
        ConnectionLabels(
            reporter: .source,
            source: WorkloadLabels(source),
            destination: WorkloadLabels(web)
        )
    }

    static func snapshot(_ workloads: [Workload], _ services: [Service] = []) -> Snapshot {
        Snapshot(version: 1, workloads: workloads, services: services, policies: [])
    }

    static func seriesCount(_ metrics: Metrics) -> Int? {
        let samples = try? Samples(metrics.render(openMetrics: false))
        return samples?.all("ambit_tcp_series").first.flatMap { Int($0.value) }
    }
}

/// A clock that moves only when told.
final class ClockFixture: Sendable {
    private let seconds = Atomic<UInt64>(1000)

    var now: UInt64 { seconds.load(ordering: .relaxed) }

    func advance(_ amount: UInt64) { seconds.wrappingAdd(amount, ordering: .relaxed) }
}

/// A reader of the text formats, strict where Prometheus is.
struct Samples {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: String
    }

    struct Malformed: Error { let line: String, reason: String }

    private(set) var samples: [Sample] = []
    /// The kind of each family.
    private(set) var kinds: [String: String] = [:]
    private(set) var endsWithMarker = false

    init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Malformed(line: "", reason: "not UTF-8")
        }
        guard text.hasSuffix("\n") else { throw Malformed(line: "", reason: "no last newline") }
        var family = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if endsWithMarker { throw Malformed(line: String(line), reason: "after the end") }
            if line == "# EOF" {
                endsWithMarker = true
            } else if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                family = String(words[2])
                guard kinds[family] == nil else {
                    throw Malformed(line: String(line), reason: "the family comes twice")
                }
                kinds[family] = String(words[3])
            } else if !line.hasPrefix("# HELP ") {
                let sample = try Self.sample(line)
                guard sample.name.hasPrefix(family), !family.isEmpty else {
                    throw Malformed(line: String(line), reason: "outside its family \(family)")
                }
                let isRepeated = samples.contains {
                    $0.name == sample.name && $0.labels == sample.labels
                }
                if isRepeated { throw Malformed(line: String(line), reason: "comes twice") }
                samples.append(sample)
            }
        }
    }

    func all(_ name: String) -> [Sample] { samples.filter { $0.name == name } }

    private static func sample(_ line: Substring) throws -> Sample {
        func malformed(_ reason: String) -> Malformed {
            Malformed(line: String(line), reason: reason)
        }
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.popFirst() == "{" {
            while rest.first != "}" {
                let key = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(key.count)
                guard rest.hasPrefix("=\"") else { throw malformed("no value for \(key)") }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    if character != "\\" {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: throw malformed("unknown escape")
                    }
                }
                guard labels.updateValue(value, forKey: String(key)) == nil else {
                    throw malformed("label \(key) comes twice")
                }
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
            guard rest.popFirst() == " " else { throw malformed("no space after labels") }
        }
        guard Double(rest) != nil else { throw malformed("no number") }
        return Sample(name: String(name), labels: labels, value: String(rest))
    }
}
