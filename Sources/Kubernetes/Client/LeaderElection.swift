internal import Reactor

/// One of several replicas leads: the one that holds a Lease (coordination.k8s.io/v1).
///
/// As client-go does it, clocks are never compared: a lease has run out when this replica has seen
/// it unchanged for its whole duration. A leader that cannot renew for `renewDeadline` gives up
/// before another can take over.
package struct LeaderElection: Sendable {
    /// Which lease, who we are, and how long things take.
    package struct Settings: Sendable {
        package var namespace: String
        package var name: String
        /// Unlike that of every other replica, such as the pod's name with its UID.
        package var identity: String
        package var leaseDuration: Duration = .seconds(15)
        package var renewDeadline: Duration = .seconds(10)
        package var retryPeriod: Duration = .seconds(2)

        package init(namespace: String, name: String, identity: String) {
            self.namespace = namespace
            self.name = name
            self.identity = identity
        }
    }

    private let cluster: any Cluster
    private let settings: Settings

    package init(cluster: any Cluster, settings: Settings) {
        self.cluster = cluster
        self.settings = settings
    }

    /// Takes part until the task is cancelled, and then releases the lease, which takes at most
    /// `retryPeriod`.
    ///
    /// `changed` is told true when leadership begins, false when it ends.
    /// `changed` must return at once: while it runs, nothing is renewed.
    package func run(_ changed: @Sendable (Bool) -> Void) async {
        var holding = Holding()
        while !Task.isCancelled {
            if await isHeld(&holding) {
                changed(true)
                await hold(&holding)
                changed(false)
                if Task.isCancelled {
                    await release()
                    return
                }
            }
            let wait = settings.retryPeriod * Double.random(in: 1...2.2)
            try? await Pause.wait(for: wait)
        }
    }

    // What was seen of the lease, and when by our own clock.
    private struct Holding: Sendable {
        var seen: Value = .null
        var since = ContinuousClock.now
    }

    private func hold(_ holding: inout Holding) async {
        var renewed = ContinuousClock.now
        while !Task.isCancelled {
            try? await Pause.wait(for: settings.retryPeriod)
            guard !Task.isCancelled else { return }
            let began = ContinuousClock.now
            if await isHeld(&holding, until: renewed + settings.renewDeadline) {
                // The server may have taken it as early as that.
                renewed = began
            } else if ContinuousClock.now - renewed >= settings.renewDeadline
                || isTaken(holding)
            {
                return
            }
        }
    }

    // Somebody else has it already: there is nothing to wait for.
    private func isTaken(_ holding: Holding) -> Bool {
        let holder = holding.seen["holderIdentity"].stringValue ?? ""
        return !holder.isEmpty && holder != settings.identity
    }

    // Takes or renews the lease if that is allowed, within the time that is left.
    private func isHeld(
        _ holding: inout Holding,
        until deadline: ContinuousClock.Instant? = nil
    ) async -> Bool {
        let deadline = deadline ?? ContinuousClock.now + settings.renewDeadline
        let before = holding
        let outcome = await withTaskGroup(of: (Bool, Holding)?.self) { group in
            group.addTask {
                var holding = before
                let isHeld = await attempt(&holding)
                return (isHeld, holding)
            }
            group.addTask {
                try? await Pause.wait(for: deadline - ContinuousClock.now)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let (isHeld, after) = outcome else { return false }
        holding = after
        return isHeld
    }

    private func attempt(_ holding: inout Holding) async -> Bool {
        let place = ObjectReference(.leases, namespace: settings.namespace, name: settings.name)
        do throws(ClusterError) {
            let now = Timestamp.microText(nanoseconds: WallClock.nanoseconds())
            guard var lease = try await cluster.get(place) else {
                let made = try await cluster.create(
                    lease(spec: spec(renewed: now, acquired: now, transitions: 0))
                )
                holding = Holding(seen: made["spec"])
                return true
            }
            let old = lease["spec"]
            if old != holding.seen { holding = Holding(seen: old) }
            let holder = old["holderIdentity"].stringValue ?? ""
            let isOurs = holder == settings.identity
            guard holder.isEmpty || isOurs || hasRunOut(holding) else { return false }
            let transitions = old["leaseTransitions"].integerValue ?? 0
            lease["spec"] = spec(
                renewed: now,
                acquired: isOurs ? old["acquireTime"].stringValue ?? now : now,
                transitions: isOurs ? transitions : transitions &+ 1
            )
            let held = try await cluster.update(lease)
            holding = Holding(seen: held["spec"])
            return true
        } catch {
            return false
        }
    }

    private func hasRunOut(_ holding: Holding) -> Bool {
        let seconds = holding.seen["leaseDurationSeconds"].integerValue ?? 0
        let duration = seconds > 0 ? Duration.seconds(seconds) : settings.leaseDuration
        return ContinuousClock.now - holding.since >= duration
    }

    private func release() async {
        // The task that led is cancelled, and requests with it; this one is not.
        let attempt = Task {
            let place = ObjectReference(
                .leases,
                namespace: settings.namespace,
                name: settings.name
            )
            guard var lease = try await cluster.get(place),
                lease["spec"]["holderIdentity"].stringValue == settings.identity
            else { return }
            let now = Timestamp.microText(nanoseconds: WallClock.nanoseconds())
            var spec = spec(
                renewed: now,
                acquired: now,
                transitions: lease["spec"]["leaseTransitions"].integerValue ?? 0
            )
            spec["holderIdentity"] = ""
            spec["leaseDurationSeconds"] = 1
            lease["spec"] = spec
            _ = try await cluster.update(lease)
        }
        let timer = Task {
            try? await Pause.wait(for: settings.retryPeriod)
            attempt.cancel()
        }
        _ = try? await attempt.value
        timer.cancel()
    }

    private func spec(renewed: String, acquired: String, transitions: Int64) -> Value {
        [
            "holderIdentity": .string(settings.identity),
            "leaseDurationSeconds": .integer(max(1, settings.leaseDuration.components.seconds)),
            "acquireTime": .string(acquired),
            "renewTime": .string(renewed),
            "leaseTransitions": .integer(transitions),
        ]
    }

    private func lease(spec: Value) -> Value {
        [
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": [
                "name": .string(settings.name), "namespace": .string(settings.namespace),
            ],
            "spec": spec,
        ]
    }
}
