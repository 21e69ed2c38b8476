internal import Kubernetes
internal import Logging
internal import Mesh
internal import Reactor

/// Tells authors what became of their objects: conditions on policies, Events on what cannot be
/// enrolled. Only the leader writes.
actor StatusWriter {
    /// How much it writes.
    enum Limit {
        /// Objects looked at in a second.
        static let objectsPerSecond = 50
        /// How long what could not be written waits for the next try.
        static let retryPause = Duration.seconds(2)
        /// Events remembered, so that none is told twice; with more all may be told again.
        static let eventsMax = 10_000
        /// Events in a second; the rest are dropped, as their objects say the same.
        static let eventsPerSecond = 10
    }

    private static let controller = "ambit.dev/controller"

    private let cluster: any Cluster
    private let keeper: MeshKeeper
    private let instance: String
    private let log: Logger
    private var isLeader = false
    private var waiting: Set<ObjectKey> = []
    private var isWriting = false
    // What could not be written and is worth another try; a try is due when there is any.
    private var failed: Set<ObjectKey> = []
    private var told: Set<Finding> = []
    private var eventsThisSecond = 0
    private var second: Int64 = 0

    /// Writes to a cluster what the keeper finds; `instance` names this replica.
    init(cluster: any Cluster, keeper: MeshKeeper, instance: String, log: Logger) {
        self.cluster = cluster
        self.keeper = keeper
        self.instance = instance
        self.log = log
    }

    /// Follows the findings until its task is cancelled.
    func run() async {
        for await keys in keeper.changedFindings { await add(keys) }
    }

    /// Begins or stops to write; who begins looks at all objects.
    func lead(_ isLeader: Bool) async {
        self.isLeader = isLeader
        if isLeader { await add(await keeper.reportedKeys) } else { waiting.removeAll() }
    }

    private func add(_ keys: Set<ObjectKey>) async {
        guard isLeader else { return }
        waiting.formUnion(keys)
        guard !isWriting else { return }
        isWriting = true
        Task {
            await writeAll()
        }
    }

    private func writeAll() async {
        while isLeader, let key = waiting.popFirst() {
            await write(key)
            // A mesh-wide mistake must not become a flood of requests.
            let pause = Duration.seconds(1) / Limit.objectsPerSecond
            do { try await Pause.wait(for: pause) } catch { break }
        }
        isWriting = false
    }

    private func write(_ key: ObjectKey) async {
        let report = await keeper.report(on: key)
        do {
            switch key.kind {
            case AuthorizationPolicy.objectType.kind:
                try await writeConditions(
                    report,
                    Self.resource(AuthorizationPolicy.objectType, key),
                    key
                )
            case PeerAuthentication.objectType.kind:
                try await writeConditions(
                    report,
                    Self.resource(PeerAuthentication.objectType, key),
                    key
                )
            case Namespace.objectType.kind: try await tell(report, .namespaces, key)
            case Pod.objectType.kind: try await tell(report, .pods, key)
            case Service.objectType.kind: try await tell(report, .services, key)
            default: break
            }
        } catch {
            log.warning("status not written", metadata: ["object": "\(key)", "error": "\(error)"])
            // Of the others, what changes next and the next leader look again.
            if [.unavailable, .conflict].contains(error.code) { tryAgain(key) }
        }
    }

    private func tryAgain(_ key: ObjectKey) {
        failed.insert(key)
        guard failed.count == 1 else { return }
        Task {
            try? await Pause.wait(for: Limit.retryPause)
            let keys = failed
            failed.removeAll()
            await add(keys)
        }
    }

    private static func resource(_ type: ObjectType, _ key: ObjectKey) -> [Resource] {
        let main = type.resources.first?.group ?? ""
        let group = key.group.isEmpty ? main : key.group
        return type.resources.filter { $0.group == group }
    }

    // MARK: Conditions

    private func writeConditions(
        _ report: ObjectReport,
        _ resources: [Resource],
        _ key: ObjectKey
    ) async throws(ClusterError) {
        var object: Value?
        var found: Resource?
        // Of one group's versions the first that is served.
        for resource in resources where object == nil {
            let reference = ObjectReference(resource, namespace: key.namespace, name: key.name)
            object = try await cluster.get(reference)
            found = resource
        }
        guard let object, let found else { return }
        let old = object["status"]["conditions"].listValue ?? []
        // Istio's lists of conditions say no key: one writer's replace another's. Where istiod
        // writes any, they stay.
        let types = Set(report.conditions.map(\.type))
        guard key.group.isEmpty || old.allSatisfy({ types.contains($0["type"].stringValue ?? "") })
        else { return }
        let generation = object["metadata"]["generation"].integerValue ?? 0
        let conditions = report.conditions.map { condition in
            condition.value(
                generation: generation,
                old: old.first { $0["type"].stringValue == condition.type },
                now: Timestamp.text(nanoseconds: WallClock.nanoseconds())
            )
        }
        let isSame = conditions.allSatisfy { new in
            old.contains { new.allSatisfy($0) }
        }
        guard !isSame else { return }
        _ = try await cluster.apply(
            [
                "apiVersion": .string(found.apiVersion),
                "kind": .string(found.kind),
                "metadata": [
                    "name": .string(key.name), "namespace": .string(key.namespace),
                ],
                "status": ["conditions": .list(conditions)],
            ],
            subresource: "status",
            fieldManager: "ambit-controller"
        )
    }

    // MARK: Events

    private func tell(
        _ report: ObjectReport,
        _ resource: Resource,
        _ key: ObjectKey
    ) async throws(ClusterError) {
        for finding in report.warnings + [report.refusal].compactMap(\.self) {
            guard !told.contains(finding), takeTurn() else { continue }
            if told.count >= Limit.eventsMax { told.removeAll() }
            told.insert(finding)
            let isWaypoint = finding.field.hasSuffix("use-waypoint")
            var event = ClusterEvent(
                regarding: ObjectReference(resource, namespace: key.namespace, name: key.name),
                isWarning: true,
                reason: isWaypoint ? "WaypointNotUsable" : "NotEnrolled",
                action: isWaypoint ? "UseWaypoint" : "Enrol",
                note: "\(finding.field): \(finding.reason)",
                controller: Self.controller,
                instance: instance
            )
            // `kubectl describe` shows the events of this UID and no others.
            guard let object = try await cluster.get(event.regarding) else { continue }
            event.regardingUID = object["metadata"]["uid"].stringValue ?? ""
            try await cluster.record(event)
        }
    }

    private func takeTurn() -> Bool {
        let now = WallClock.seconds
        if now != second { (second, eventsThisSecond) = (now, 0) }
        guard eventsThisSecond < Limit.eventsPerSecond else { return false }
        eventsThisSecond += 1
        return true
    }
}

/// One condition in an object's status (`metav1.Condition`).
struct StatusCondition: Sendable, Equatable {
    var type: String
    var isTrue: Bool
    var reason: String
    var message: String

    /// The condition as it is written; the time changes only with the status.
    func value(generation: Int64, old: Value?, now: String) -> Value {
        let status: Value = isTrue ? "True" : "False"
        let isSame = old?["status"] == status
        return [
            "type": .string(type),
            "status": status,
            "reason": .string(reason),
            "message": .string(String(message.prefix(1024))),
            "observedGeneration": .integer(generation),
            "lastTransitionTime": isSame
                ? old?["lastTransitionTime"] ?? .string(now) : .string(now),
        ]
    }
}

extension ObjectReport {
    /// Whether a policy is understood, and whether nodes enforce it.
    var conditions: [StatusCondition] {
        let notes = warnings.map { $0.field.isEmpty ? $0.reason : "\($0.field): \($0.reason)" }
        if let refusal {
            let text = refusal.field.isEmpty ? "" : refusal.field + ": "
            return [
                StatusCondition(
                    type: "Accepted",
                    isTrue: false,
                    reason: "Invalid",
                    message: text + refusal.reason
                ),
                enforcementWithoutLastVersion,
            ]
        }
        let accepted = StatusCondition(
            type: "Accepted",
            isTrue: true,
            reason: warnings.isEmpty ? "Accepted" : "AcceptedWithWarnings",
            message: notes.joined(separator: "; ")
        )
        let (isEnforced, reason) = enforcement
        let enforced = StatusCondition(
            type: "Enforced",
            isTrue: isEnforced,
            reason: reason,
            message: ""
        )
        return [accepted, enforced]
    }

    private var enforcementWithoutLastVersion: StatusCondition {
        let (reason, message) =
            if failsClosed {
                (
                    EnforcementReason.failsClosed,
                    "the last good version is lost; until it is mended everything is refused that"
                        + " the policy is about"
                )
            } else if isInForce {
                (EnforcementReason.lastGoodVersion, "the last good version is enforced")
            } else {
                ("Invalid", "the policy is not enforced")
            }
        return StatusCondition(type: "Enforced", isTrue: false, reason: reason, message: message)
    }

    private var enforcement: (Bool, String) {
        if warnings.contains(where: { $0.field == "spec.targetRefs" }) {
            return (false, "OnlyAtWaypoint")
        }
        if policy?.dryRun == true { return (false, "DryRun") }
        if warnings.contains(where: { $0.reason.hasPrefix("has no effect") }) {
            return (false, "Overruled")
        }
        return (true, "Enforced")
    }
}

extension Value {
    // Whether the other map has all of this one's fields.
    fileprivate func allSatisfy(_ other: Value) -> Bool {
        (mapValue ?? [:]).allSatisfy { other[$0.key] == $0.value }
    }
}
