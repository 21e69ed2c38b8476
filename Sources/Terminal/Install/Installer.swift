package import Kubernetes

/// Puts Ambit into a cluster and takes it out again, telling each step.
///
/// Every step may be repeated: an install that was broken off is finished by another.
package struct Installer: Sendable {
    /// How often a rollout is looked at.
    private static let interval: Duration = .seconds(1)

    private let cluster: any Cluster
    private let tell: @Sendable (String) -> Void

    /// `tell` takes lines for the person who waits.
    package init(_ cluster: any Cluster, tell: @escaping @Sendable (String) -> Void) {
        self.cluster = cluster
        self.tell = tell
    }

    // MARK: Install

    /// The installed programs; none before the first install.
    package func installed() async throws(ClusterError) -> [Value] {
        var found: [Value] = []
        for program in [Rollout.controller, Rollout.node] {
            guard var object = try await cluster.get(program.reference) else { continue }
            object["kind"] = .string(program.kind)
            found.append(object)
        }
        return found
    }

    /// Applies every object, the kinds before what may need them.
    package func apply(_ installation: Installation) async throws(ClusterError) {
        for object in installation.objects {
            let kind = object["kind"].stringValue ?? ""
            let name = object["metadata"]["name"].stringValue ?? ""
            do {
                _ = try await cluster.apply(
                    object,
                    subresource: "",
                    fieldManager: Installation.fieldManager
                )
            } catch {
                throw ClusterError(error.code, "\(kind) \(name): \(error.reason)")
            }
            tell("applied \(kind) \(name)")
        }
    }

    /// Waits until the programs run everywhere in the version that was applied.
    ///
    /// Fails with what is missing and where to look when that takes longer than `seconds`.
    package func waitForRollout(seconds: Int64) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        for workload in [Rollout.controller, Rollout.node] {
            var last = ""
            while true {
                let state = Rollout(try await cluster.get(workload.reference))
                if state.text != last {
                    tell("\(workload.kind) \(workload.name): \(state.text)")
                    last = state.text
                }
                if state.isComplete { break }
                guard ContinuousClock.now < deadline else {
                    throw ReachError(
                        .failed,
                        "\(workload.kind) \(workload.name) is not ready after \(seconds) s:"
                            + " \(state.text); ambit check tells why"
                    )
                }
                try await Pause.wait(for: Self.interval)
            }
        }
    }

    // MARK: Uninstall

    /// Takes Ambit out: the nodes first, which let go of the pods they captured, then the rest.
    ///
    /// The kinds and the policies of them stay unless `includingKinds`.
    package func remove(includingKinds: Bool, seconds: Int64) async throws {
        let installation = try Installation()
        try await cluster.delete(Rollout.node.reference)
        tell("deleted DaemonSet ambit-node: nodes release their pods")
        try await waitForRelease(seconds: seconds)
        for object in installation.objects.reversed() {
            guard let reference = Self.reference(to: object),
                reference.name != Rollout.node.name || object["kind"] != "DaemonSet"
            else { continue }
            if object["kind"] == "CustomResourceDefinition", !includingKinds { continue }
            try await cluster.delete(reference)
            tell("deleted \(reference.resource.kind) \(reference.name)")
        }
    }

    // The pods of the DaemonSet end once they have let go; a pod that drains is let go already.
    private func waitForRelease(seconds: Int64) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var last = -1
        while true {
            let captured = try await cluster.list(.pods, in: ObjectSelection()).count {
                $0["metadata"]["annotations"][Enrolling.annotation].stringValue == "true"
            }
            if captured == 0 { return }
            if captured != last {
                tell("\(captured) pods are still captured")
                last = captured
            }
            guard ContinuousClock.now < deadline else {
                throw ReachError(
                    .failed,
                    "\(captured) pods are still captured after \(seconds) s; nothing else was"
                        + " deleted. kubectl -n \(Installation.namespace) logs ds/ambit-node"
                )
            }
            try await Pause.wait(for: Self.interval)
        }
    }

    /// Where an object of the installation is; nil for one without a kind or a name.
    package static func reference(to object: Value) -> ObjectReference? {
        guard let version = object["apiVersion"].stringValue,
            let kind = object["kind"].stringValue,
            let name = object["metadata"]["name"].stringValue
        else { return nil }
        let namespace = object["metadata"]["namespace"].stringValue
        let resource = Resource(
            ObjectType(kind: kind, apiVersions: [version]),
            version: version,
            isNamespaced: namespace != nil
        )
        return ObjectReference(resource, namespace: namespace ?? "", name: name)
    }
}

extension Resource {
    fileprivate init(_ type: ObjectType, version: String, isNamespaced: Bool) {
        self.init(
            apiVersion: version,
            kind: type.kind,
            plural: type.plural,
            isNamespaced: isNamespaced
        )
    }
}
