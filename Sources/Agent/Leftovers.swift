internal import Capture
internal import Telemetry

/// What an earlier process left in a pod that is no longer enrolled.
enum Leftovers {
    /// Takes the capture of a pod away; one without a process has none.
    static func remove(
        uid: String,
        _ processes: ProcessNamespaces,
        _ log: Log,
        _ name: PodName
    ) {
        guard let namespace = processes.find([uid])[uid] else { return }
        let failure = namespace.with { namespace -> CaptureError? in
            do throws(CaptureError) {
                try PodCapture.remove(in: namespace)
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            log.error(
                .capture,
                "cannot release a pod that is no longer enrolled",
                ["pod": "\(name)", "error": "\(failure)"]
            )
        } else {
            log.info(.capture, "pod released that is no longer enrolled", ["pod": "\(name)"])
        }
    }
}
