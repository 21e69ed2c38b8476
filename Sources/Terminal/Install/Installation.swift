package import Kubernetes

/// Ambit as it is installed in a cluster: the objects of deploy/, with the values of a user.
package struct Installation: Sendable {
    /// The root namespace, which holds the mesh's own programs.
    package static let namespace = "ambit-system"
    /// Who owns the fields that are applied.
    package static let fieldManager = "ambit"

    /// What `--set` may change.
    package enum Parameter: String, Sendable, CaseIterable {
        case image, imagePullPolicy, imagePullSecret, trustDomain, clusterID, clusterDomain
        case controllerReplicas, logLevel

        /// For the help.
        package var help: String {
            switch self {
            case .image: "the image of all programs"
            case .imagePullPolicy: "Always, IfNotPresent or Never"
            case .imagePullSecret: "a Secret of \(Installation.namespace) to pull it with"
            case .trustDomain: "the trust domain of the mesh"
            case .clusterID: "the name of the cluster"
            case .clusterDomain: "the DNS suffix of services"
            case .controllerReplicas: "how many controllers run"
            case .logLevel: "what nodes log, such as info or info,dns=debug"
            }
        }

        /// Whether an upgrade leaves it as it was; another version has another image.
        fileprivate var isKept: Bool { self != .image }

        /// The environment variable it becomes; nil for what is no variable.
        fileprivate var variable: String? {
            switch self {
            case .trustDomain: "AMBIT_TRUST_DOMAIN"
            case .clusterID: "AMBIT_CLUSTER_ID"
            case .clusterDomain: "AMBIT_CLUSTER_DOMAIN"
            case .logLevel: "AMBIT_LOG_LEVEL"
            default: nil
            }
        }
    }

    /// The objects in the order they are applied.
    package private(set) var objects: [Value]
    /// The settings that were taken from what is installed, of the form `NAME=VALUE`.
    package private(set) var kept: [String] = []

    /// The objects as deploy/overlays/default has them, with `settings` of the form `NAME=VALUE`.
    ///
    /// What is set in the Deployment and the DaemonSet of `installed`, and not in `settings`, stays
    /// as it is there.
    package init(
        _ settings: [String] = [],
        keeping installed: [Value] = []
    ) throws(ReachError) {
        var objects: [Value] = []
        for manifest in EmbeddedManifest.all { objects += try Self.read(manifest) }
        self.objects = objects
        for setting in settings { try apply(setting) }
        let given = settings.map { $0.prefix { $0 != "=" } }
        for parameter in Parameter.allCases
        where parameter.isKept && !given.contains(parameter.rawValue[...]) {
            guard let old = Self.value(of: parameter, in: installed),
                old != Self.value(of: parameter, in: self.objects)
            else { continue }
            let setting = "\(parameter.rawValue)=\(old)"
            try apply(setting)
            kept.append(setting)
        }
    }

    private static func read(_ manifest: EmbeddedManifest) throws(ReachError) -> [Value] {
        do {
            return try YAMLDocuments(Array(manifest.text.utf8)).documents.map {
                document throws(YAMLError) in try Value(yaml: document.text)
            }
        } catch {
            throw ReachError(.data, "\(manifest.path): \(error.reason)")
        }
    }

    /// The objects as `kubectl apply -f` takes them.
    package var yaml: String { objects.map(\.yaml).joined(separator: "---\n") }

    /// The kinds of the policies.
    package var kinds: [Value] {
        objects.filter { $0["kind"].stringValue == "CustomResourceDefinition" }
    }

    // MARK: Settings

    private mutating func apply(_ setting: String) throws(ReachError) {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, let parameter = Parameter(rawValue: parts[0]) else {
            let names = Parameter.allCases.map(\.rawValue).joined(separator: ", ")
            throw ReachError(.usage, "--set \(setting): give NAME=VALUE with one of \(names)")
        }
        let text = parts[1]
        if let variable = parameter.variable {
            return eachPod { Self.set(variable, to: text, in: &$0) }
        }
        switch parameter {
        case .image: eachPod { Self.eachContainer(of: &$0) { $0["image"] = .string(text) } }
        case .imagePullPolicy:
            guard ["Always", "IfNotPresent", "Never"].contains(text) else {
                throw ReachError(.usage, "imagePullPolicy must be \(parameter.help)")
            }
            eachPod { Self.eachContainer(of: &$0) { $0["imagePullPolicy"] = .string(text) } }
        case .imagePullSecret:
            eachPod { $0["imagePullSecrets"] = [["name": .string(text)]] }
        case .controllerReplicas:
            guard let count = Int64(text), (1...64).contains(count) else {
                throw ReachError(.usage, "controllerReplicas must be from 1 to 64")
            }
            for index in objects.indices where objects[index]["kind"] == "Deployment" {
                objects[index]["spec"]["replicas"] = .integer(count)
            }
        case .trustDomain, .clusterID, .clusterDomain, .logLevel: break
        }
    }

    /// What a parameter is among the objects; nil where none says.
    private static func value(of parameter: Parameter, in objects: [Value]) -> String? {
        let values = objects.lazy.compactMap { object -> String? in
            let kind = object["kind"].stringValue ?? ""
            guard ["Deployment", "DaemonSet"].contains(kind) else { return nil }
            let pod = object["spec"]["template"]["spec"]
            let containers = pod["containers"].listValue ?? []
            switch parameter {
            case .image: return containers.first?["image"].stringValue
            case .imagePullPolicy: return containers.first?["imagePullPolicy"].stringValue
            case .imagePullSecret:
                return pod["imagePullSecrets"].listValue?.first?["name"].stringValue
            case .controllerReplicas:
                let count = object["spec"]["replicas"].integerValue
                return kind == "Deployment" ? count.map { "\($0)" } : nil
            case .trustDomain, .clusterID, .clusterDomain, .logLevel:
                let variables = containers.first?["env"].listValue ?? []
                let variable = variables.first { $0["name"].stringValue == parameter.variable }
                return variable?["value"].stringValue
            }
        }
        return values.first
    }

    private mutating func eachPod(_ change: (inout Value) -> Void) {
        for index in objects.indices
        where ["Deployment", "DaemonSet"].contains(objects[index]["kind"]) {
            change(&objects[index]["spec"]["template"]["spec"])
        }
    }

    private static func eachContainer(of pod: inout Value, _ change: (inout Value) -> Void) {
        guard var containers = pod["containers"].listValue else { return }
        for index in containers.indices { change(&containers[index]) }
        pod["containers"] = .list(containers)
    }

    private static func set(_ name: String, to text: String, in pod: inout Value) {
        eachContainer(of: &pod) { container in
            var variables = container["env"].listValue ?? []
            let entry: Value = ["name": .string(name), "value": .string(text)]
            if let index = variables.firstIndex(where: { $0["name"] == .string(name) }) {
                variables[index] = entry
            } else {
                variables.append(entry)
            }
            container["env"] = .list(variables)
        }
    }
}
