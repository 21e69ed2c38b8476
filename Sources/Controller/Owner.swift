internal import Kubernetes
internal import Mesh

/// What runs a pod, under the name people know it by.
struct Owner {
    let name: String
    let kind: Workload.Kind

    /// Finds the owner from the pod alone: the objects between a pod and its Deployment or CronJob
    /// have names that are made from the owner's.
    init(of pod: Pod) {
        let metadata = pod.metadata
        guard let owner = metadata.ownerReferences.first(where: \.isController) else {
            (name, kind) = (metadata.name, .pod)
            return
        }
        switch owner.kind {
        case "ReplicaSet":
            let hash = metadata.labels["pod-template-hash"] ?? ""
            if !hash.isEmpty, owner.name.hasSuffix("-" + hash) {
                (name, kind) = (String(owner.name.dropLast(hash.count + 1)), .deployment)
            } else {
                (name, kind) = (owner.name, .pod)
            }
        case "Job":
            if let cronJob = Self.cronJob(ofJob: owner.name) {
                (name, kind) = (cronJob, .cronJob)
            } else {
                (name, kind) = (owner.name, .job)
            }
        default:
            // A StatefulSet or DaemonSet has no kind of its own in the protocol.
            (name, kind) = (owner.name, .pod)
        }
    }

    // A CronJob's jobs end in the minute they were due, in digits.
    private static func cronJob(ofJob name: String) -> String? {
        guard let dash = name.lastIndex(of: "-") else { return nil }
        let minute = name[dash...].dropFirst()
        guard (8...10).contains(minute.utf8.count), dash > name.startIndex,
            minute.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return String(name[..<dash])
    }
}
