internal import Controller
internal import JSON
internal import Kubernetes
package import Mesh

/// The objects of a lab, and what a real cluster would fill in: schedule, addresses.
///
/// A value: changes are made to a copy, which is adopted when all of it makes sense.
package struct Cluster: Sendable {
    /// Where the cluster's resolver answers.
    package static let resolvers: [IPAddress] = [
        IPAddress(v4: 0x0A60_000A),  // 10.96.0.10
        IPAddress(v6High: 0xFD00_0010_0096_0000, low: 0xA),  // fd00:10:96::a
    ]

    private let settings: MeshSettings
    private var objects = ObjectSet()
    // What the files said, from which the controller's folder is made.
    private var written: [ObjectKey: Value] = [:]
    private var assignments = Assignments()
    private var warnings: [String] = []

    /// A resolver for the names of this cluster.
    package var resolver: ClusterResolver {
        ClusterResolver(clusterDomain: settings.clusterDomain, network: settings.network)
    }

    /// The trust domain of every identity.
    package var trustDomain: String { settings.trustDomain }

    /// Makes a cluster without objects; settings of nodes that concern all of them are taken over.
    package init(nodeFlags: [String] = []) {
        var settings = MeshSettings()
        for flag in nodeFlags {
            let parts = flag.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "trust-domain": settings.trustDomain = parts[1]
            case "cluster-domain": settings.clusterDomain = parts[1]
            case "cluster-id": settings.clusterID = parts[1]
            case "network": settings.network = parts[1]
            default: break
            }
        }
        self.settings = settings
    }

    /// Adds the objects of files, in place of those with the same names.
    package mutating func apply(_ files: [SourceFile]) throws(LabError) {
        let manifests = try read(files)
        warnings = manifests.warnings.map(\.description)
        objects.apply(manifests.objects)
        written.merge(manifests.written) { $1 }
    }

    /// Removes the objects that files name.
    package mutating func delete(_ files: [SourceFile]) throws(LabError) {
        let manifests = try read(files)
        warnings = manifests.warnings.map(\.description)
        remove(Set(manifests.objects.keys))
    }

    /// Removes one object, named as `kubectl` would have it: `pod`, `pods` and `po` are the same.
    package mutating func delete(
        kind: String,
        namespace: String,
        name: String
    ) throws(LabError) {
        guard let type = KindName(kind) else {
            throw LabError(.usage, "objects of kind \(kind) are not known to the lab")
        }
        let key = ObjectKey(
            kind: type.kind,
            namespace: type.isNamespaced ? namespace : "",
            name: name
        )
        // A policy of that name may be there in either of its API groups.
        let named = objects.keys.filter {
            ($0.kind, $0.namespace, $0.name) == (key.kind, key.namespace, key.name)
        }
        guard !named.isEmpty else { throw LabError(.data, "there is no \(key)") }
        warnings = []
        remove(Set(named))
    }

    /// Fills in what is missing and says what is to run; throws what does not fit together.
    package mutating func plan() throws(LabError) -> ClusterPlan {
        addMissingNamespaces()
        var filled = objects
        try assignments.fill(&filled)
        let translation = translate(filled, settings: settings)
        guard translation.refusals.isEmpty else {
            throw LabError(.data, lines(translation.refusals.map(\.description)))
        }
        var plan = ClusterPlan()
        plan.nodes = assignments.nodes(of: filled)
        let domain = settings.clusterDomain
        plan.pods = filled.pods.map { PodPlan($0, clusterDomain: domain) }
        // A pod that is made anew is another one to the mesh, too.
        for index in plan.pods.indices where filled.pods[index].metadata.uid.isEmpty {
            plan.pods[index].uid = assignments.uid(for: plan.pods[index])
            filled.pods[index].metadata.uid = plan.pods[index].uid
        }
        assignments.forget(allBut: filled)
        plan.state = translation.state
        plan.serviceTargets = serviceTargets(of: filled)
        plan.serviceAliases = serviceAliases(of: filled)
        plan.meshState = translation.state.json.pretty()
        plan.objectFile = ObjectFile(filled, written: written).bytes
        let uids = Dictionary(
            plan.pods.map { ($0.key, $0.uid) },
            uniquingKeysWith: { _, last in last }
        )
        for node in plan.nodes {
            let pods = (translation.localPods[node.name] ?? []).map { pod in
                var pod = pod
                pod.uid = uids[pod.namespace + "/" + pod.name] ?? pod.uid
                pod.networkNamespacePath = LabPaths.namespace(ofPod: pod.namespace, pod.name)
                return pod
            }
            plan.identities[node.name] = Set(
                pods.map { pod in
                    SPIFFEID(
                        trustDomain: settings.trustDomain,
                        namespace: pod.namespace,
                        serviceAccount: pod.serviceAccount
                    )
                }
            )
            plan.enrolled.formUnion(pods.map { $0.namespace + "/" + $0.name })
            plan.podFiles[node.name] = LocalPods(pods: pods).json.pretty()
        }
        plan.warnings = warnings + translation.warnings.map(\.description)
        return plan
    }

    private func read(_ files: [SourceFile]) throws(LabError) -> Manifests {
        let manifests = Manifests(files: files.map { ($0.path, Array($0.text.utf8)) })
        guard manifests.problems.isEmpty else {
            throw LabError(.data, lines(manifests.problems.map(\.description)))
        }
        return manifests
    }

    private func serviceTargets(
        of objects: ObjectSet
    ) -> [String: ClusterResolver.ServiceTarget] {
        var targets: [String: ClusterResolver.ServiceTarget] = [:]
        for service in objects.services where !service.isExternalName {
            let metadata = service.metadata
            let host = "\(metadata.name).\(metadata.namespace).svc.\(settings.clusterDomain)"
            for port in service.ports where !port.name.isEmpty {
                let name = "_\(port.name)._\(port.transport.rawValue).\(host)".lowercased()
                targets[name] = ClusterResolver.ServiceTarget(host: host, port: port.port)
            }
        }
        return targets
    }

    private func serviceAliases(of objects: ObjectSet) -> [String: String] {
        var aliases: [String: String] = [:]
        for service in objects.services where service.isExternalName {
            let spec = written[service.key]?["spec"]
            guard let text = spec?["externalName"].stringValue?.lowercased(), !text.isEmpty else {
                continue
            }
            let metadata = service.metadata
            let host = "\(metadata.name).\(metadata.namespace).svc.\(settings.clusterDomain)"
            aliases[host.lowercased()] = text.hasSuffix(".") ? String(text.dropLast()) : text
        }
        return aliases
    }

    // What is in a namespace goes with it, and pods with their node.
    private mutating func remove(_ keys: Set<ObjectKey>) {
        let namespaces = Set(keys.filter { $0.kind == "Namespace" }.map(\.name))
        let nodes = Set(keys.filter { $0.kind == "Node" }.map(\.name))
        let placed = assignments.nodeNames
        let orphans = objects.pods.filter { pod in
            nodes.contains(placed[pod.metadata.namespace + "/" + pod.metadata.name] ?? pod.nodeName)
        }
        let contents = objects.keys.filter { namespaces.contains($0.namespace) }
        objects.delete(keys.union(contents).union(orphans.map(\.key)))
    }

    private mutating func addMissingNamespaces() {
        let known = Set(objects.namespaces.map(\.metadata.name))
        let used = Set(objects.keys.map(\.namespace)).subtracting(known).subtracting([""])
        for name in used.sorted() {
            objects.namespaces.append(Namespace(name: name))
            if name != "default" {
                warnings.append("Namespace \(name): is not in any file; made without labels")
            }
        }
    }

    private func lines(_ texts: [String]) -> String { texts.joined(separator: "\n") }
}
