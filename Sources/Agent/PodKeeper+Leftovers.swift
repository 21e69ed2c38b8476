internal import Capture
internal import Kubernetes
internal import Mesh
internal import Telemetry

// What an earlier process left in pods that are no longer enrolled.
extension PodKeeper {
    /// Takes rules of ours out of pods that are not enrolled; what fails is tried again later.
    ///
    /// Others are only looked at. While this process drains it is its successor's work.
    func freeLeftovers() {
        leftovers.wereSeen()
        guard !isDraining else { return }
        var wanted: [String: PodName] = [:]
        for name in leftovers.names {
            if let state = pods[name], !state.isOver, !enrolment(of: state).isEnrolled {
                wanted[state.runtimeUID] = name
            } else {
                leftovers.remove(name)
            }
        }
        let found = processes.find(Set(wanted.keys))
        for (uid, name) in wanted {
            // One without a process has no network namespace of its own.
            if let namespace = found[uid], !free(name, namespace) { continue }
            leftovers.remove(name)
            guard let state = pods[name], state.isMarked else { continue }
            marks.want(false, on: name, uid: state.pod.metadata.uid)
        }
    }

    /// False when rules are there that do not go.
    private func free(_ name: PodName, _ namespace: HeldNamespace) -> Bool {
        let freed = namespace.with { namespace -> Result<Bool, CaptureError> in
            do throws(CaptureError) {
                guard try PodCapture.isPresent(in: namespace) else { return .success(false) }
                try PodCapture.remove(in: namespace)
                return .success(true)
            } catch {
                return .failure(error)
            }
        }
        switch freed {
        case .success(let wasCaptured):
            guard wasCaptured else { return true }
            log.info(.capture, "pod released that is no longer enrolled", ["pod": "\(name)"])
            return true
        case .failure(let error):
            log.error(
                .capture,
                "cannot release a pod that is no longer enrolled",
                ["pod": "\(name)", "error": "\(error)"]
            )
            return false
        }
    }
}
