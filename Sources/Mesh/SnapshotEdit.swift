/// A snapshot while a change is applied to it: the tables and what was touched in them.
struct SnapshotEdit {
    private let before: Snapshot
    private(set) var workloads: WorkloadIndex
    private(set) var services: ServiceIndex
    private(set) var policies: PolicyIndex
    /// The record of each workload that got another one, before and after.
    private var touched: [(old: WorkloadRecord?, new: WorkloadRecord?)] = []
    private var retiredServices: [ServiceRecord] = []
    private var servicesChanged = false
    private var policiesChanged = false
    /// Services with a member that came, went or says something else, by their keys.
    private var changedMembers: Set<String> = []
    private var endpointEdits: [String: [EndpointEdit]] = [:]

    init(_ before: Snapshot) {
        self.before = before
        workloads = before.workloadIndex
        services = before.serviceIndex
        policies = before.policyIndex
    }

    /// Applies a change, once.
    ///
    /// Policies come first, because workloads refer to them; services last, because they refer to
    /// workloads.
    mutating func apply(_ change: MeshChange) {
        let news = Self.news(change.workloads, change.removedWorkloads, by: \.uid)
        applyPolicies(change, except: news)
        for (uid, workload) in news { set(uid, workload) }
        applyServices(change)
    }

    /// What becomes of each key; of several entries the last counts, and entries before removals.
    private static func news<Entry>(
        _ entries: [Entry],
        _ removed: [String],
        by key: (Entry) -> String
    ) -> [String: Entry?] {
        var news: [String: Entry?] = [:]
        news.reserveCapacity(entries.count + removed.count)
        for key in removed { news.updateValue(nil, forKey: key) }
        for entry in entries { news.updateValue(entry, forKey: key(entry)) }
        return news
    }

    // MARK: policies

    private mutating func applyPolicies(_ change: MeshChange, except news: [String: Workload?]) {
        guard !change.policies.isEmpty || !change.removedPolicies.isEmpty else { return }
        let changed = policies.apply(change.policies, removed: change.removedPolicies)
        guard !changed.keys.isEmpty else { return }
        policiesChanged = true
        var sets: [PolicyIndex.SetKey: PolicySet] = [:]
        for record in affected(by: changed) {
            let key = PolicyIndex.SetKey(record.workload)
            let set = sets[key] ?? policies.refresh(key)
            sets[key] = set
            // The others are made anew in their turn.
            guard set !== record.policies, news[record.workload.uid] == nil else { continue }
            exchange(record, for: WorkloadRecord(record.workload, policies: set))
        }
    }

    /// The workloads that a policy of the change applies to, or did; each once.
    private func affected(by changed: PolicyIndex.Touched) -> [WorkloadRecord] {
        guard !changed.isGlobal else { return workloads.all }
        var affected: [WorkloadRecord] = []
        for namespace in changed.namespaces {
            affected += workloads.workloads(namespace: namespace)
        }
        var seen: Set<String> = []
        for key in changed.keys {
            for record in workloads.workloads(naming: key)
            where !changed.namespaces.contains(record.workload.namespace)
                && seen.insert(record.workload.uid).inserted
            {
                affected.append(record)
            }
        }
        return affected
    }

    // MARK: workloads

    private mutating func set(_ uid: String, _ workload: Workload?) {
        let old = workloads.workload(uid: uid)
        guard let workload else {
            guard let old else { return }
            policies.release(PolicyIndex.SetKey(old.workload))
            return exchange(old, for: nil)
        }
        let key = PolicyIndex.SetKey(workload)
        let set = policies.set(for: key)
        if let old {
            if old.policies === set, old.workload == workload { return }
            let former = PolicyIndex.SetKey(old.workload)
            if former != key {
                policies.release(former)
                policies.use(set, for: key)
            }
        } else {
            policies.use(set, for: key)
        }
        exchange(old, for: WorkloadRecord(workload, policies: set))
    }

    private mutating func exchange(_ old: WorkloadRecord?, for new: WorkloadRecord?) {
        touched.append((old, new))
        workloads.exchange(old, for: new)
        guard let uid = (new ?? old)?.workload.uid else { return }
        // Another set of policies alone does not change the service for anybody.
        if old?.workload != new?.workload {
            changedMembers.formUnion(old.map { Array($0.workload.services.keys) } ?? [])
            changedMembers.formUnion(new.map { Array($0.workload.services.keys) } ?? [])
        }
        if let old {
            for key in old.workload.services.keys where new?.workload.services[key] == nil {
                endpointEdits[key, default: []].append(EndpointEdit(uid: uid, endpoint: nil))
            }
        }
        if let new {
            for (key, ports) in new.workload.services {
                endpointEdits[key, default: []].append(
                    EndpointEdit(uid: uid, endpoint: Endpoint(workload: new, ports: ports))
                )
            }
        }
    }

    // MARK: services

    private mutating func applyServices(_ change: MeshChange) {
        let news = Self.news(change.services, change.removedServices, by: \.key)
        for (key, service) in news { set(key, service) }
        for key in endpointEdits.keys where news[key] == nil {
            set(key, services.service(key: key)?.service)
        }
    }

    /// Sets or removes a service, whose members are edited with it.
    private mutating func set(_ key: String, _ service: Service?) {
        let former = services.record(key: key)
        let old = former.flatMap { $0.isKnown ? $0 : nil }
        let edits = endpointEdits[key] ?? []
        let isSame = old?.service == service
        guard !isSame || !edits.isEmpty else { return }
        var members = former?.endpoints ?? EndpointList()
        members.apply(edits)
        services.set(ServiceRecord(service, key: key, endpoints: members, former: former))
        if let old { retiredServices.append(old) }
        if !isSame || (old != nil && changedMembers.contains(key)) { servicesChanged = true }
    }

    // MARK: the difference

    /// How the snapshot made of this edit differs from the one before.
    func diff(to after: Snapshot) -> SnapshotDiff {
        SnapshotDiff(
            from: before,
            to: after,
            workloads: touched,
            retiredServices: retiredServices,
            servicesChanged: servicesChanged,
            policiesChanged: policiesChanged
        )
    }
}
