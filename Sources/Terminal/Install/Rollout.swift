package import Kubernetes

/// How far a Deployment or DaemonSet has come with what was applied last.
package struct Rollout: Sendable, Equatable {
    /// One of Ambit's own.
    package struct Program: Sendable {
        package let kind: String
        package let name: String
        package let reference: ObjectReference
    }

    package static let controller = program("Deployment", "deployments", "ambit-controller")
    package static let node = program("DaemonSet", "daemonsets", "ambit-node")

    private static func program(_ kind: String, _ plural: String, _ name: String) -> Program {
        let resource = Resource(
            apiVersion: "apps/v1",
            kind: kind,
            plural: plural,
            isNamespaced: true
        )
        return Program(
            kind: kind,
            name: name,
            reference: ObjectReference(resource, namespace: Installation.namespace, name: name)
        )
    }

    /// Whether every pod that should run runs in the newest form and is ready.
    package let isComplete: Bool
    /// How many of how many, for a person.
    package let text: String

    /// Reads the object; nil is one that does not exist.
    package init(_ object: Value?) {
        guard let object else {
            isComplete = false
            text = "does not exist"
            return
        }
        let status = object["status"]
        func count(_ name: String) -> Int64 { status[name].integerValue ?? 0 }
        let isSeen =
            count("observedGeneration") >= (object["metadata"]["generation"].integerValue ?? 0)
        let isDaemonSet = object["kind"] == "DaemonSet"
        let wanted =
            isDaemonSet
            ? count("desiredNumberScheduled") : object["spec"]["replicas"].integerValue ?? 1
        let updated = count(isDaemonSet ? "updatedNumberScheduled" : "updatedReplicas")
        let ready = count(isDaemonSet ? "numberReady" : "readyReplicas")
        let available = count(isDaemonSet ? "numberAvailable" : "availableReplicas")
        // A surge shows as more ready pods than there are to be.
        isComplete =
            isSeen && wanted > 0 && updated >= wanted && ready >= wanted && available >= wanted
        guard wanted > 0 else {
            text = isDaemonSet ? "no node takes it" : "no replica is wanted"
            return
        }
        text = "\(min(ready, wanted)) of \(wanted) ready, \(min(updated, wanted)) up to date"
    }
}
