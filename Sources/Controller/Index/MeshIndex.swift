package import Kubernetes
package import Mesh

/// The mesh as Kubernetes objects make it, one change at a time.
///
/// Objects come and go in any order; `takeChange` says what became different since the last time,
/// and nothing else. What one object's change costs depends on what refers to the object, not on
/// how much there is: a pod's is one workload, a label of a namespace its pods, a policy's the pods
/// it selects. An object that cannot be understood leaves what was known of it in force.
package struct MeshIndex: Sendable {
    let settings: MeshSettings
    let workloadTranslation: WorkloadTranslation
    let serviceTranslation: ServiceTranslation

    // Objects, with what depends on them found by name.
    var namespaces: [String: Namespace] = [:]
    var localities: [String: Locality] = [:]
    var pods: [NamespacedName: Pod] = [:]
    var services: [NamespacedName: Kubernetes.Service] = [:]
    var slices: [NamespacedName: EndpointSlice] = [:]
    var policies: PolicyIndex
    var waypoints: WaypointIndex

    var podsByNamespace = Postings<String, NamespacedName>()
    var podsByNode = Postings<String, NamespacedName>()
    var podsByLabel = Postings<LabelPair, NamespacedName>()
    var podsByAddress = Postings<IPAddress, NamespacedName>()
    var servicesByNamespace = Postings<String, NamespacedName>()
    // Services with a selector, each under one of the labels it asks for.
    var servicesBySelector = Postings<LabelPair, NamespacedName>()
    var slicesByService = Postings<NamespacedName, NamespacedName>()
    var slicesByPod = Postings<NamespacedName, NamespacedName>()
    var slicesByAddress = Postings<IPAddress, NamespacedName>()
    var slicesByNode = Postings<String, NamespacedName>()

    // What slices made, and gave to pods.
    var sliceParts: [NamespacedName: SliceParts] = [:]
    var shares: [NamespacedName: [NamespacedName: Share]] = [:]

    // What has to be looked at again.
    var dirtyPods: Set<NamespacedName> = []
    var dirtyServices: Set<NamespacedName> = []
    var dirtySlices: Set<NamespacedName> = []
    var dirtyNamespaces: Set<String> = []
    var dirtyPolicies: Set<String> = []

    // What was last told.
    var workloads: [String: Workload] = [:]
    private var interner = WorkloadInterner()
    var meshServices: [String: Mesh.Service] = [:]
    var meshPolicies: [String: Policy] = [:]
    var findings: [ObjectKey: [Finding]] = [:]
    var refusals: [ObjectKey: Finding] = [:]
    var changedFindings: Set<ObjectKey> = []

    /// Makes the index of an empty mesh.
    package init(settings: MeshSettings) {
        self.settings = settings
        workloadTranslation = WorkloadTranslation(settings: settings)
        serviceTranslation = ServiceTranslation(settings: settings)
        policies = PolicyIndex(settings: settings)
        waypoints = WaypointIndex(clusterDomain: settings.clusterDomain)
    }

    /// What became different since this was asked last.
    package mutating func takeChange() -> MeshChange {
        var change = MeshChange()
        // Slices give ports to pods, so they come first.
        for name in take(&dirtySlices) { refreshSlice(name, &change) }
        for name in take(&dirtyNamespaces) { refreshNamespace(name) }
        for name in take(&dirtyServices) { refreshService(name, &change) }
        for name in take(&dirtyPods) { refreshPod(name, &change) }
        for key in take(&dirtyPolicies) { refreshPolicy(key, &change) }
        return change
    }

    private func take<Element: Comparable>(_ set: inout Set<Element>) -> [Element] {
        defer { set.removeAll() }
        return set.sorted()
    }

    /// All of the mesh as last told, in the order of the keys.
    package var state: MeshState {
        MeshState(
            workloads: workloads.values.sorted { $0.uid < $1.uid },
            services: meshServices.values.sorted { $0.key < $1.key },
            policies: meshPolicies.values.sorted { $0.key < $1.key }
        )
    }

    // MARK: Findings

    /// What the author of an object should know, as of the last `takeChange`.
    package func warnings(of key: ObjectKey) -> [Finding] { findings[key] ?? [] }

    /// Why the last version of an object is not in force; nil when it is.
    package func refusal(of key: ObjectKey) -> Finding? { refusals[key] }

    /// The objects whose warnings or refusal changed since this was asked last.
    package mutating func takeChangedFindings() -> Set<ObjectKey> {
        defer { changedFindings.removeAll() }
        return changedFindings
    }

    /// Notes that an object could not be read; what was known of it stays.
    package mutating func refuse(_ key: ObjectKey, _ error: FieldError) {
        let finding = Finding(object: key, field: error.path, reason: error.reason)
        guard refusals.updateValue(finding, forKey: key) != finding else { return }
        changedFindings.insert(key)
    }

    mutating func accept(_ key: ObjectKey) {
        if refusals.removeValue(forKey: key) != nil { changedFindings.insert(key) }
    }

    mutating func note(_ new: [Finding], for key: ObjectKey) {
        guard (findings[key] ?? []) != new else { return }
        findings[key] = new.isEmpty ? nil : new
        changedFindings.insert(key)
    }

    // MARK: Telling

    mutating func tell(_ workload: Workload, _ change: inout MeshChange) {
        guard workloads[workload.uid] != workload else { return }
        let shared = interner.interned(workload)
        workloads[workload.uid] = shared
        change.workloads.append(shared)
    }

    mutating func untell(workload uid: String, _ change: inout MeshChange) {
        guard workloads.removeValue(forKey: uid) != nil else { return }
        change.removedWorkloads.append(uid)
    }

    private mutating func refreshPolicy(_ key: String, _ change: inout MeshChange) {
        let policy = policies.policy(key)
        guard meshPolicies[key] != policy else { return }
        meshPolicies[key] = policy
        if let policy {
            change.policies.append(policy)
        } else {
            change.removedPolicies.append(key)
        }
    }
}
